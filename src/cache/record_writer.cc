// Record::Build: lays a CustomerEntitlements out as one block.
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "cache/key_hash.h"
#include "cache/record.h"
#include "cache/record_layout.h"

namespace sidecar {

using layout::CreditRow;
using layout::FeatureRow;
using layout::PackPointer;
using layout::PackTime;

/// Builds one record; used once.
class RecordWriter {
 public:
  RecordWriter(EntityKeyView key, const CustomerEntitlements& entitlements) : key_(key), in_(entitlements) {}

  RecordPtr Write(const RecordStamp& stamp, Definitions& definitions) {
    if (key_.customer_id.size() > kTextMax || key_.resource_id.size() > kTextMax) return nullptr;
    // Of two entries with one id the later wins and keeps the earlier's place, as in the map
    // that the vendor's engine builds (docs/protocol.md section 4.1).
    Deduplicate(in_.features, features_, [](const FeatureEntitlement& f) { return absl::string_view(f.feature.id); });
    Deduplicate(in_.credits, credits_, [](const CreditEntitlement& c) { return absl::string_view(c.currency.id); });
    if (features_.size() > kCountMax || credits_.size() > kCountMax) return nullptr;
    side_offsets_.reserve(features_.size());
    for (const FeatureEntitlement* feature : features_) {
      side_offsets_.push_back(side_.size());
      if (!WriteSide(*feature)) return nullptr;
    }
    if (side_.size() > layout::kSideBytesMax) return nullptr;
    return Assemble(stamp, definitions);
  }

 private:
  static constexpr size_t kTextMax = 0xFFFF;
  static constexpr size_t kCountMax = 0xFFFE;  // 0xFFFF marks "no credit"
  static_assert(sizeof(FeatureRow) == Record::kFeatureRowBytes && sizeof(CreditRow) == Record::kCreditRowBytes);

  template <typename T, typename IdOf>
  static void Deduplicate(const std::vector<T>& in, std::vector<const T*>& out, IdOf id_of) {
    absl::flat_hash_map<absl::string_view, size_t> seen;
    out.reserve(in.size());
    for (const T& entry : in) {
      const auto [it, inserted] = seen.try_emplace(id_of(entry), out.size());
      if (inserted) {
        out.push_back(&entry);
      } else {
        out[it->second] = &entry;
      }
    }
  }

  template <typename T>
  void AppendSide(const T& value) {
    side_.append(reinterpret_cast<const char*>(&value), sizeof(T));
  }

  bool AppendSideText(std::string_view text) {
    if (text.size() > kTextMax) return false;
    AppendSide(static_cast<uint16_t>(text.size()));
    side_.append(text);
    return true;
  }

  uint16_t CreditIndex(std::string_view currency_id) const {
    for (size_t i = 0; i < credits_.size(); ++i) {
      if (credits_[i]->currency.id == currency_id) return static_cast<uint16_t>(i);
    }
    return layout::kNoCredit;
  }

  static bool HasSide(const FeatureEntitlement& feature) {
    return feature.valid_until.has_value() || !feature.enum_values.empty() || feature.credit_rate.has_value();
  }

  bool WriteSide(const FeatureEntitlement& feature) {
    if (!HasSide(feature)) return true;
    uint8_t flags = 0;
    if (feature.valid_until.has_value()) flags |= layout::kSideValidUntil;
    if (!feature.enum_values.empty()) flags |= layout::kSideEnumValues;
    if (feature.credit_rate.has_value()) flags |= layout::kSideCreditRate;
    AppendSide(flags);
    if (feature.valid_until.has_value()) AppendSide(PackTime(feature.valid_until));
    if (!feature.enum_values.empty()) {
      if (feature.enum_values.size() > kTextMax) return false;
      AppendSide(static_cast<uint16_t>(feature.enum_values.size()));
      for (const std::string& value : feature.enum_values) {
        if (!AppendSideText(value)) return false;
      }
    }
    if (feature.credit_rate.has_value()) {
      AppendSide(feature.credit_rate->amount);
      AppendSide(CreditIndex(feature.credit_rate->currency_id));
      if (!AppendSideText(feature.credit_rate->currency_id)) return false;
    }
    return true;
  }

  static FeatureRow MakeRow(const FeatureEntitlement& feature, size_t side_offset, Definitions& definitions) {
    FeatureRow row{};
    row.definition = PackPointer(definitions.features.Intern(feature.feature));
    row.anchor = PackTime(feature.period.anchor);
    row.start = PackTime(feature.period.start);
    row.end = PackTime(feature.period.end);
    row.usage_updated_at = PackTime(feature.usage_updated_at);
    row.usage_limit = feature.usage_limit.value_or(0);
    row.current_usage = feature.current_usage;
    row.flags = static_cast<uint8_t>(
        (feature.unlimited ? layout::kUnlimited : 0) | (feature.soft_limit ? layout::kSoftLimit : 0) |
        (feature.usage_limit.has_value() ? layout::kHasLimit : 0) | (HasSide(feature) ? layout::kHasSide : 0));
    row.denied_reason = static_cast<uint8_t>(feature.denied_reason);
    row.reset = static_cast<uint8_t>(static_cast<uint8_t>(feature.period.reset) |
                                     static_cast<uint8_t>(feature.period.reset_anchor) << 3);
    for (int byte = 0; byte < 3; ++byte) row.side_offset[byte] = static_cast<uint8_t>(side_offset >> (8 * byte));
    return row;
  }

  static CreditRow MakeRow(const CreditEntitlement& credit, Definitions& definitions) {
    CreditRow row{};
    row.definition = PackPointer(definitions.currencies.Intern(credit.currency));
    row.usage_period_end = PackTime(credit.usage_period_end);
    row.valid_until = PackTime(credit.valid_until);
    row.usage_updated_at = PackTime(credit.usage_updated_at);
    row.usage_limit = credit.usage_limit;
    row.current_usage = credit.current_usage;
    row.flags = credit.soft_limit ? layout::kSoftLimit : 0;
    row.denied_reason = static_cast<uint8_t>(credit.denied_reason);
    return row;
  }

  RecordPtr Assemble(const RecordStamp& stamp, Definitions& definitions) const {
    const size_t row_bytes = Record::RowBytes(features_.size(), credits_.size());
    const size_t behind = key_.customer_id.size() + key_.resource_id.size() + features_.size() + side_.size();
    char* const block = static_cast<char*>(std::malloc(row_bytes + sizeof(Record) + behind));
    if (block == nullptr) throw std::bad_alloc();

    // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): RecordDeleter frees the block
    auto* const record = new (block + row_bytes) Record;
    record->fetched_at_ = stamp.fetched_at;
    record->fetched_at_wall_ = stamp.fetched_at_wall;
    record->suspect_at_ = stamp.suspect_at;
    record->changed_at_ = stamp.changed_at.value_or(MonoTime::min());
    record->updated_at_ms_ = in_.updated_at.has_value() ? ToEpochMs(*in_.updated_at) : INT64_MIN;
    record->customer_len_ = static_cast<uint16_t>(key_.customer_id.size());
    record->resource_len_ = static_cast<uint16_t>(key_.resource_id.size());
    record->feature_count_ = static_cast<uint16_t>(features_.size());
    record->credit_count_ = static_cast<uint16_t>(credits_.size());
    record->denied_reason_ = in_.denied_reason;
    record->origin_ = stamp.origin;

    for (size_t i = 0; i < features_.size(); ++i) {
      const FeatureRow row = MakeRow(*features_[i], side_offsets_[i], definitions);
      std::memcpy(const_cast<char*>(record->feature_row(i)), &row, sizeof(row));
    }
    for (size_t i = 0; i < credits_.size(); ++i) {
      const CreditRow row = MakeRow(*credits_[i], definitions);
      std::memcpy(const_cast<char*>(record->credit_row(i)), &row, sizeof(row));
    }
    char* at = const_cast<char*>(record->after_header());
    const auto append = [&at](const void* data, size_t size) {
      if (size > 0) std::memcpy(at, data, size);
      at += size;
    };
    append(key_.customer_id.data(), key_.customer_id.size());
    append(key_.resource_id.data(), key_.resource_id.size());
    for (const FeatureEntitlement* feature : features_) {
      const uint8_t tag = RecordTag(feature->feature.id);
      append(&tag, 1);
    }
    append(side_.data(), side_.size());
    return RecordPtr(record, RecordDeleter{&definitions});
  }

  const EntityKeyView key_;
  const CustomerEntitlements& in_;
  std::vector<const FeatureEntitlement*> features_;
  std::vector<const CreditEntitlement*> credits_;
  std::vector<size_t> side_offsets_;
  std::string side_;
};

RecordPtr Record::Build(EntityKeyView key, const CustomerEntitlements& entitlements, const RecordStamp& stamp,
                        Definitions& definitions) {
  return RecordWriter(key, entitlements).Write(stamp, definitions);
}

}  // namespace sidecar
