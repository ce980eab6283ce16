#include "sdk/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <fstream>
#include <sstream>

#include "text/text.h"

namespace stigg::sidecar::sdk {
namespace {

using ::sidecar::InvalidArgument;
using ::sidecar::StrCat;

// Of the sidecar's return: not later than this after it listens again.
constexpr int kReconnectMinMs = 100;
constexpr int kReconnectMaxMs = 1'000;
constexpr int kConnectTimeoutMs = 5'000;    // what gRPC calls the shortest pause is the time for one attempt
constexpr int kRepeatedBytesMax = 5 << 20;  // more than the sidecar takes
constexpr size_t kSocketPathMax = 107;      // sockaddr_un's
constexpr Millis kLongest{86'400'000};
constexpr Millis kKeepaliveTimeout{5'000};
constexpr Millis kKeepaliveMin{10'000};

/// What may be repeated. Reports of usage are not here: they have no key that would tell a repetition.
constexpr const char* kRepeatable[] = {
    "GetBooleanEntitlement", "GetNumericEntitlement", "GetMeteredEntitlement", "GetEnumEntitlement",
    "GetEntitlement",        "GetEntitlementV2",      "GetEntitlements",       "GetEntitlementsStateV2",
    "ReportEvents",          "ReloadEntitlements",
};

std::string ServiceConfig(int attempts) {
  std::string names;
  for (const char* const method : kRepeatable) {
    ::sidecar::StrAppend(&names, names.empty() ? "" : ",", R"({"service":"stigg.sidecar.v1.SidecarService","method":")",
                         method, "\"}");
  }
  return StrCat(R"({"methodConfig":[{"name":[)", names, R"(],"retryPolicy":{"maxAttempts":)", attempts,
                R"(,"initialBackoff":"0.02s","maxBackoff":"0.3s","backoffMultiplier":2,)",
                R"("retryableStatusCodes":["UNAVAILABLE","CANCELLED"]}}]})");
}

absl::StatusOr<std::string> ReadPem(const std::string& path, std::string_view option) {
  if (path.empty()) return std::string();
  std::ifstream file(path);
  std::stringstream read;
  read << file.rdbuf();  // of a directory: nothing
  const std::string text = read.str();
  if (!file.is_open()) return ::sidecar::Error(absl::StatusCode::kNotFound, "tls.", option, ": cannot read ", path);
  // What is empty would mean the system's authorities, or no certificate.
  if (!::sidecar::Contains(text, "-----BEGIN ")) return InvalidArgument("tls.", option, ": ", path, " is not PEM");
  return text;
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> CredentialsOf(const std::optional<TlsOptions>& tls) {
  if (!tls.has_value()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  const std::pair<std::string*, std::pair<const std::string*, const char*>> files[] = {
      {&options.pem_root_certs, {&tls->ca_file, "ca_file"}},
      {&options.pem_cert_chain, {&tls->cert_file, "cert_file"}},
      {&options.pem_private_key, {&tls->key_file, "key_file"}}};
  for (const auto& [pem, source] : files) {
    absl::StatusOr<std::string> text = ReadPem(*source.first, source.second);
    if (!text.ok()) return text.status();
    *pem = *std::move(text);
  }
  return grpc::SslCredentials(options);
}

std::string TargetOf(const ClientOptions& options) {
  if (!options.socket_path.empty()) return StrCat("unix:", options.socket_path);
  const bool v6 = ::sidecar::Contains(options.host, ":") && options.host.front() != '[';
  return StrCat("dns:///", v6 ? StrCat("[", options.host, "]") : options.host, ":", options.port);
}

}  // namespace

absl::Status CheckOptions(const ClientOptions& options) {
  if (options.socket_path.size() > kSocketPathMax) {
    return InvalidArgument("socket_path: ", options.socket_path.size(), " bytes; expected at most ", kSocketPathMax);
  }
  if (options.socket_path.empty() && (options.port < 1 || options.port > 65'535)) {
    return InvalidArgument("port: ", options.port, "; expected 1 to 65535");
  }
  if (options.socket_path.empty() && options.host.empty()) return InvalidArgument("host: must not be empty");
  if (absl::Status status = CheckTimeout(options.timeout); !status.ok()) return status;
  if (options.keepalive < kKeepaliveMin || options.keepalive > kLongest) {
    return InvalidArgument("keepalive: ", options.keepalive.count(), " ms; expected 10000 to 86400000");
  }
  if (options.attempts < 1 || options.attempts > 5) {
    return InvalidArgument("attempts: ", options.attempts, "; expected 1 to 5");
  }
  if (options.tls.has_value() && options.tls->cert_file.empty() != options.tls->key_file.empty()) {
    return InvalidArgument("tls: cert_file and key_file go together; only ",
                           options.tls->cert_file.empty() ? "key_file" : "cert_file", " is given");
  }
  return absl::OkStatus();
}

absl::Status CheckTimeout(Millis timeout) {
  if (timeout >= Millis(1) && timeout <= kLongest) return absl::OkStatus();
  return InvalidArgument("timeout: ", timeout.count(), " ms; expected 1 to 86400000");
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const ClientOptions& options) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  const auto credentials = CredentialsOf(options.tls);
  if (!credentials.ok()) return credentials.status();
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // the sidecar is near
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMinMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMaxMs);
  arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, kReconnectMaxMs);
  arguments.SetInt(GRPC_ARG_PER_RPC_RETRY_BUFFER_SIZE, kRepeatedBytesMax);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(options.keepalive.count()));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, static_cast<int>(kKeepaliveTimeout.count()));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, -1);  // lists may be long; the sidecar is trusted
  if (options.attempts > 1) arguments.SetServiceConfigJSON(ServiceConfig(options.attempts));
  if (options.tls.has_value() && !options.tls->server_name.empty()) {
    arguments.SetSslTargetNameOverride(options.tls->server_name);
  }
  return grpc::CreateCustomChannel(TargetOf(options), *credentials, arguments);
}

}  // namespace stigg::sidecar::sdk
