// Values of keys, in both layouts, and our own beside them. What we write, we read.
#include "absl/container/flat_hash_set.h"
#include "adapters/redis/redis_codec.h"
#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sidecar;
  const std::string_view text = fuzz::Text(data, size);
  constexpr EntityKeyView kKey{"customer", "site"};
  if (const auto list = DecodeList(text); list.ok()) {
    const auto again = DecodeList(EncodeList(kKey, *list));
    fuzz::Require(again.ok(), "a list that was read can be read after it was written");
    // A feature that is there twice is there once afterwards, as in a record.
    absl::flat_hash_set<std::string_view> ids;
    for (const FeatureEntitlement& feature : list->features) ids.insert(feature.feature.id);
    fuzz::Require(again->features.size() == ids.size(), "no feature is lost by writing");
  }
  FeatureEntitlement feature;
  if (DecodeUsage(text, feature).ok()) {
    const std::string written = EncodeUsage(feature.current_usage, feature.period.start, feature.period.end);
    FeatureEntitlement again;
    fuzz::Require(DecodeUsage(written, again).ok(), "usage that was read can be read after it was written");
    fuzz::Require(again.current_usage == feature.current_usage, "usage is kept exactly");
  }
  if (const auto reason = DecodeMetadata(text); reason.ok()) {
    const auto again = DecodeMetadata(EncodeMetadata(*reason));
    fuzz::Require(again.ok() && *again == *reason, "a reason is kept");
  }
  if (const auto sibling = DecodeSibling(kKey, text); sibling.ok()) {
    const auto again = DecodeSibling(kKey, EncodeSibling(*sibling));
    fuzz::Require(again.ok(), "a sibling that was read can be read after it was written");
    fuzz::Require(again->as_of_ms == sibling->as_of_ms && again->credits == sibling->credits, "a sibling is kept");
  }
  return 0;
}
