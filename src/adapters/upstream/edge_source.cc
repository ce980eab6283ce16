#include "adapters/upstream/edge_source.h"

#include <utility>

#include "adapters/upstream/failure_mapping.h"
#include "adapters/upstream/list_decoder.h"
#include "text/text.h"

namespace sidecar {
namespace {

/// Encodes all but unreserved characters and `also_plain`, which RFC 3986 allows unescaped
/// in that place: ordinary ids go out as the vendor's engine sends them.
std::string PercentEncode(std::string_view text, std::string_view also_plain) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (IsAlphanumeric(c) || Contains("-._~", std::string_view(&c, 1)) ||
        Contains(also_plain, std::string_view(&c, 1))) {
      out.push_back(c);
    } else {
      fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string EncodeSegment(std::string_view text) {
  // A segment of dots would be taken for a relative path.
  if (text == ".") return "%2E";
  if (text == "..") return "%2E%2E";
  return PercentEncode(text, "!$&'()*+,;=:@");
}

std::string EncodeQueryValue(std::string_view text) { return PercentEncode(text, "!$'()*,;:@/?"); }

/// A 404 that is not about the customer or the resource.
bool IsPathUnknown(const UpstreamFailure& failure) {
  return failure.http_status == 404 && CodeForUpstreamCode(failure.upstream_code) != absl::StatusCode::kNotFound;
}

}  // namespace

std::string EntitlementsPath(Generation generation, EntityKeyView key) {
  std::string path = StrCat("/v1/c/", EncodeSegment(key.customer_id),
                            generation == Generation::kV2 ? "/entitlements-state.json" : "/entitlements.json");
  if (!key.resource_id.empty()) StrAppend(&path, "?resourceId=", EncodeQueryValue(key.resource_id));
  return path;
}

EdgeSource::EdgeSource(UpstreamHttp& http, std::string edge_url, GenerationSetting generation, const RetryTools& tools,
                       const RetryPolicy& retries, Metrics& metrics)
    : http_(http),
      edge_url_(std::move(edge_url)),
      generation_("Edge", generation),
      tools_(tools),
      retries_(retries),
      metrics_(metrics) {}

void EdgeSource::Fetch(const EntityKey& key, MonoTime deadline, FetchDone done) {
  WithRetries<CustomerEntitlements>(
      tools_, retries_, deadline, [](const UpstreamFailure& failure) { return failure.transient; },
      [this, key, deadline](FetchDone attempt_done) { FetchOnce(key, deadline, std::move(attempt_done)); },
      std::move(done));
}

void EdgeSource::FetchOnce(const EntityKey& key, MonoTime deadline, FetchDone done) {
  const Generation first = generation_.Preferred(tools_.clock.Now());
  const Generation second = first == Generation::kV2 ? Generation::kV1 : Generation::kV2;
  FetchGeneration(
      first, key, deadline,
      [this, second, key, deadline, done = std::move(done)](UpstreamResult<CustomerEntitlements> result) mutable {
        if (result.ok() || !generation_.MaySwitch() || !IsPathUnknown(result.failure())) {
          if (result.ok() && second == Generation::kV1) generation_.Settle(Generation::kV2, tools_.clock.Now());
          return std::move(done)(std::move(result));
        }
        FetchGeneration(second, key, deadline,
                        [this, second, done = std::move(done)](UpstreamResult<CustomerEntitlements> other) mutable {
                          // An empty V1 list proves nothing: a customer unknown to V2 looks the same.
                          if (other.ok() && (second == Generation::kV2 || !other.value().empty())) {
                            generation_.Settle(second, tools_.clock.Now());
                          }
                          std::move(done)(std::move(other));
                        });
      });
}

void EdgeSource::FetchGeneration(Generation generation, const EntityKey& key, MonoTime deadline, FetchDone done) {
  http_.GetEdge(StrCat(edge_url_, EntitlementsPath(generation, key.view())), deadline,
                [this, generation, done = std::move(done)](UpstreamResult<Json> data) mutable {
                  if (!data.ok()) return std::move(done)(data.failure());
                  std::move(done)(DecodeList(data.value(), generation, metrics_));
                });
}

}  // namespace sidecar
