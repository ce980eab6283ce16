// Bodies of Edge and GraphQL: lists of both generations, errors, receipts of usage reports.
#include "adapters/json/entitlements_codec.h"
#include "adapters/json/json.h"
#include "adapters/upstream/failure_mapping.h"
#include "adapters/upstream/usage_codec.h"
#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sidecar;
  if (size == 0) return 0;
  const std::string_view body = fuzz::Text(data + 1, size - 1);
  // The first byte chooses a status: how a body is read depends on it.
  constexpr int kStatuses[] = {200, 400, 401, 403, 404, 429, 500, 503};
  const HttpResponse response{.status = kStatuses[data[0] % 8],
                              .headers = {{"Retry-After", std::string(body.substr(0, 20))}},
                              .body = std::string(body)};
  if (const auto failure = FailureFromResponse(response)) {
    fuzz::Require(!failure->status.ok(), "a failure has a code");
    IsDocumentRejected(*failure);
  }
  const absl::StatusOr<Json> json = ParseJson(body);
  if (!json.ok() || !json->is_object()) return 0;
  const Json& wrapped = json->contains("data") ? (*json)["data"] : *json;
  for (const auto decode : {&DecodeEntitlementsV1, &DecodeEntitlementsV2}) {
    const auto decoded = decode(wrapped);
    if (!decoded.ok()) continue;
    for (const FeatureEntitlement& feature : decoded->entitlements.features) {
      fuzz::Require(!feature.feature.id.empty(), "a feature has an id");
    }
  }
  (void)DecodeReceipt(wrapped, "data");
  return 0;
}
