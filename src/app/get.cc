// get: one GetEntitlementV2 against a running daemon, for people.
#include <grpcpp/grpcpp.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <cstdio>

#include "absl/time/time.h"
#include "adapters/system/files.h"
#include "app/configuration.h"
#include "app/exit_codes.h"
#include "app/options.h"
#include "app/target.h"
#include "app/verbs.h"
#include "stigg/sidecar/v1/sidecar.grpc.pb.h"
#include "text/text.h"

namespace sidecar {
namespace {

namespace v1 = stigg::sidecar::v1;

constexpr std::chrono::seconds kCallTimeout{15};

void Line(std::string_view label, std::string_view value) {
  std::printf("%.*s: %.*s\n", static_cast<int>(label.size()), label.data(), static_cast<int>(value.size()),
              value.data());
}

std::string Limit(bool unlimited, bool has_limit, double limit) {
  if (unlimited) return "unlimited";
  return has_limit ? StrCat(limit) : "none";
}

void PrintMetered(const v1::MeteredEntitlement& metered) {
  Line("kind", "metered");
  Line("limit", Limit(metered.is_unlimited(), metered.has_usage_limit(), metered.usage_limit()));
  Line("usage", StrCat(metered.current_usage()));
  if (metered.has_soft_limit()) Line("soft limit", "yes");
  if (metered.has_usage_period_end()) {
    const absl::Time end = absl::FromUnixSeconds(metered.usage_period_end().seconds());
    Line("resets at", absl::FormatTime(absl::RFC3339_sec, end, absl::UTCTimeZone()));
  }
}

void PrintBody(const v1::EntitlementV2& entitlement) {
  switch (entitlement.entitlement_case()) {
    case v1::EntitlementV2::kBoolean:
      return Line("kind", "boolean");
    case v1::EntitlementV2::kNumeric:
      Line("kind", "numeric");
      return Line("value", Limit(entitlement.numeric().is_unlimited(), entitlement.numeric().has_value(),
                                 entitlement.numeric().value()));
    case v1::EntitlementV2::kMetered:
      return PrintMetered(entitlement.metered());
    case v1::EntitlementV2::kEnum:
      Line("kind", "enum");
      return Line("values", Join(entitlement.enum_().enum_values(), ", "));
    case v1::EntitlementV2::kCredit:
      Line("kind", "credit");
      Line("limit", StrCat(entitlement.credit().usage_limit()));
      Line("usage", StrCat(entitlement.credit().current_usage()));
      return Line("remaining", StrCat(entitlement.credit().remaining()));
    case v1::EntitlementV2::ENTITLEMENT_NOT_SET:
      break;
  }
}

std::string Trailer(const grpc::ClientContext& context, const char* name) {
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto found = trailers.find(name);
  return found == trailers.end() ? "" : std::string(found->second.data(), found->second.size());
}

int Print(const v1::EntitlementV2& entitlement, const grpc::ClientContext& context) {
  Line("access", entitlement.has_access() ? "yes" : "no");
  if (entitlement.has_access_denied_reason()) {
    constexpr std::string_view kPrefix = "ACCESS_DENIED_REASON_";
    Line("reason", v1::AccessDeniedReason_Name(entitlement.access_denied_reason()).substr(kPrefix.size()));
  }
  if (entitlement.is_fallback()) Line("fallback", "yes");
  PrintBody(entitlement);
  Line("source", Trailer(context, "x-entitlement-source"));
  Line("age", StrCat(Trailer(context, "x-entitlement-age-ms"), " ms"));
  return kExitOk;
}

constexpr std::string_view kGetUsage =
    "usage: stigg-sidecar get CUSTOMER FEATURE [--resource R] [--requested N] [--target HOST:PORT]";

/// What is wrong with the arguments; empty when nothing is.
std::string Mistake(const absl::StatusOr<ParsedArguments>& parsed) {
  if (!parsed.ok()) return std::string(Message(parsed.status()));
  const std::vector<std::string>& positional = parsed->positional;
  if (positional.empty()) return "CUSTOMER and FEATURE are missing";
  if (positional.size() == 1) return "FEATURE is missing";
  if (positional.size() > 2) return StrCat("'", positional[2], "' is one argument too many");
  const auto requested = parsed->options.find("--requested");
  if (requested != parsed->options.end() && !ParseNumber<double>(requested->second).has_value()) {
    return StrCat("'", requested->second, "' is not a number");
  }
  return "";
}

/// The daemon of this machine, by its own configuration: its certificate is for those who reach it by name.
std::shared_ptr<grpc::ChannelCredentials> CredentialsFor(const GrpcTarget& target) {
  if (!target.tls) return grpc::InsecureChannelCredentials();
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_verify_server_certs(false);
  options.set_certificate_verifier(std::make_shared<grpc::experimental::NoOpCertificateVerifier>());
  options.set_check_call_host(false);
  return grpc::experimental::TlsCredentials(options);
}

}  // namespace

int Get(const Environment& environment, const Arguments& arguments) {
  const absl::StatusOr<ParsedArguments> parsed = ParseArguments(arguments, {"--resource", "--requested", "--target"});
  if (const std::string mistake = Mistake(parsed); !mistake.empty()) {
    std::fprintf(stderr, "stigg-sidecar: %s; %s\n", mistake.c_str(), std::string(kGetUsage).c_str());
    return kExitUsage;
  }
  const std::string given_target = parsed->Option("--target");
  GrpcTarget target{.address = given_target, .shown = given_target};
  if (given_target.empty()) {
    const LoadedConfig loaded = LoadConfig(environment, Purpose::kClient, ReadFile);
    if (!loaded.violations.empty()) return ReportViolations(loaded);
    target = GrpcTargetOf(loaded.config);
  }

  v1::GetEntitlementV2Request request;
  request.set_customer_id(parsed->positional[0]);
  request.set_feature_id(parsed->positional[1]);
  if (!parsed->Option("--resource").empty()) request.set_resource_id(parsed->Option("--resource"));
  if (const auto requested = ParseNumber<double>(parsed->Option("--requested")); requested.has_value()) {
    request.mutable_options()->set_requested_usage(*requested);
  }

  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
  context.AddMetadata("x-entitlement-trace", "1");
  grpc::ChannelArguments channel;
  channel.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // HTTPS_PROXY is for upstream
  v1::GetEntitlementV2Response response;
  const auto stub =
      v1::SidecarService::NewStub(grpc::CreateCustomChannel(target.address, CredentialsFor(target), channel));
  const grpc::Status status = stub->GetEntitlementV2(&context, request, &response);
  if (status.ok()) return Print(response.entitlement(), context);
  std::fprintf(stderr, "stigg-sidecar: %s (asked %s)\n", status.error_message().c_str(), target.shown.c_str());
  return status.error_code() == grpc::StatusCode::UNAVAILABLE ? kExitUnavailable : kExitFailure;
}

}  // namespace sidecar
