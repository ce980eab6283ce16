#include "adapters/upstream/identity.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <climits>

#include "ids/new_id.h"
#include "text/text.h"

namespace sidecar {
namespace {

constexpr std::string_view kClientName = "stigg-sidecar";

std::string Md5Hex(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_md5(), nullptr) != 1) return "";
  return Hex(std::string_view(reinterpret_cast<const char*>(digest.data()), size));
}

HttpHeaders CommonHeaders(const ProcessIdentity& identity, std::string_view api_key) {
  return {
      {"X-API-KEY", std::string(api_key)},
      {"source", std::string(kSourceName)},
      {"X-SDK-INSTANCE-ID", identity.instance_id},
      {"X-SDK-OS-PROCESS-HOSTNAME", identity.host_name},
      {"X-SDK-OS-PROCESS-ID", StrCat(identity.process_id)},
      {"X-SDK-OS-PROCESS-TIMESTAMP", StrCat(identity.started_at_epoch_ms)},
      {"X-SDK-OS-PROCESS-FINGERPRINT", identity.fingerprint},
      {"Accept", "application/json"},
      {"User-Agent", StrCat(kClientName, "/", identity.version)},
  };
}

}  // namespace

ProcessIdentity ProcessIdentity::OfThisProcess(std::string_view version) {
  std::array<char, HOST_NAME_MAX + 1> host{};
  gethostname(host.data(), host.size() - 1);
  ProcessIdentity identity{.instance_id = NewId(21),
                           .host_name = host.data(),
                           .process_id = getpid(),
                           .started_at_epoch_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                                                      std::chrono::system_clock::now().time_since_epoch())
                                                      .count(),
                           .version = std::string(version)};
  identity.fingerprint = Md5Hex(StrCat(identity.host_name, identity.process_id, identity.started_at_epoch_ms));
  return identity;
}

HttpHeaders EdgeHeaders(const ProcessIdentity& identity, std::string_view api_key) {
  HttpHeaders headers = CommonHeaders(identity, api_key);
  headers.emplace_back("X-API-VERSION", "1");
  return headers;
}

HttpHeaders GraphqlHeaders(const ProcessIdentity& identity, std::string_view api_key, std::string_view operation) {
  HttpHeaders headers = CommonHeaders(identity, api_key);
  headers.emplace_back("Content-Type", "application/json");
  headers.emplace_back("x-graphql-operation-name", operation);
  headers.emplace_back("apollographql-client-name", kClientName);
  headers.emplace_back("apollographql-client-version", identity.version);
  return headers;
}

}  // namespace sidecar
