#include "cache/record.h"

#include <malloc.h>

#include <cstring>
#include <new>

#include "cache/key_hash.h"
#include "cache/record_layout.h"
#include "cache/row_hint.h"

namespace sidecar {

using layout::CreditRow;
using layout::FeatureRow;
using layout::SideReader;
using layout::UnpackPointer;
using layout::UnpackTime;

namespace {

/// A row in place: its struct is packed, so any address will do.
template <typename Row>
const Row& At(const char* at) {
  return *reinterpret_cast<const Row*>(at);
}

uint32_t SideOffset(const FeatureRow& row) {
  return row.side_offset[0] | (row.side_offset[1] << 8) | (row.side_offset[2] << 16);
}

/// The rare members of a feature.
struct Side {
  std::optional<WallTime> valid_until;
  std::optional<double> credit_amount;
  std::string_view credit_currency;
  uint16_t credit_index = layout::kNoCredit;
};

template <typename AddEnumValue>
Side ReadSide(SideReader reader, AddEnumValue add_enum_value) {
  Side side;
  const auto flags = reader.Read<uint8_t>();
  if (flags & layout::kSideValidUntil) side.valid_until = UnpackTime(reader.Read<layout::Packed48>());
  if (flags & layout::kSideEnumValues) {
    for (auto left = reader.Read<uint16_t>(); left > 0; --left) add_enum_value(reader.ReadText());
  }
  if (flags & layout::kSideCreditRate) {
    side.credit_amount = reader.Read<double>();
    side.credit_index = reader.Read<uint16_t>();
    side.credit_currency = reader.ReadText();
  }
  return side;
}

}  // namespace

std::optional<WallTime> Record::updated_at() const {
  if (updated_at_ms_ == INT64_MIN) return std::nullopt;
  return WallTimeFromEpochMs(updated_at_ms_);
}

std::optional<MonoTime> Record::changed_at() const {
  if (changed_at_ == MonoTime::min()) return std::nullopt;
  return changed_at_;
}

RecordStamp Record::stamp() const {
  return {.origin = origin_,
          .fetched_at = fetched_at_,
          .fetched_at_wall = fetched_at_wall_,
          .suspect_at = suspect_at_,
          .changed_at = changed_at()};
}

int Record::FindFeature(std::string_view id) const {
  const uint8_t* const begin = tags();
  const uint8_t* const end = begin + feature_count_;
  const uint8_t tag = RecordTag(id);
  for (const uint8_t* at = begin; at < end; ++at) {
    at = static_cast<const uint8_t*>(std::memchr(at, tag, end - at));
    if (at == nullptr) return -1;
    const auto index = static_cast<size_t>(at - begin);
    const auto& row = At<layout::Packed48>(feature_row(index));  // the definition comes first
    if (UnpackPointer<SharedFeature>(row)->value.id == id) {
      RowHints::Note(tag, index);
      return static_cast<int>(index);
    }
  }
  return -1;
}

int Record::FindCredit(std::string_view id) const {
  for (size_t i = 0; i < credit_count_; ++i) {
    if (UnpackPointer<SharedCurrency>(At<layout::Packed48>(credit_row(i)))->value.id == id) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

void Record::ReadFeature(size_t index, FeatureView& out) const {
  const auto& row = At<FeatureRow>(feature_row(index));
  const auto* definition = UnpackPointer<SharedFeature>(row.definition);
  out.id = definition->value.id;
  out.type = definition->value.type;
  out.meter = definition->value.meter;
  out.encoded_definition = definition->encoded;
  out.denied_reason = static_cast<DeniedReason>(row.denied_reason);
  out.unlimited = row.flags & layout::kUnlimited;
  out.soft_limit = row.flags & layout::kSoftLimit;
  const double usage_limit = row.usage_limit;  // a copy: the row is unaligned, and optional takes a reference
  out.usage_limit = row.flags & layout::kHasLimit ? std::optional(usage_limit) : std::nullopt;
  out.current_usage = row.current_usage;
  out.period = {.reset = static_cast<ResetPeriod>(row.reset & 7),
                .reset_anchor = static_cast<ResetAnchor>(row.reset >> 3),
                .anchor = UnpackTime(row.anchor),
                .start = UnpackTime(row.start),
                .end = UnpackTime(row.end)};
  out.valid_until.reset();
  out.enum_values.clear();
  out.credit.reset();
  if (!(row.flags & layout::kHasSide)) return;
  const Side side = ReadSide(SideReader(this->side(SideOffset(row))),
                             [&](std::string_view value) { out.enum_values.push_back(value); });
  out.valid_until = side.valid_until;
  if (side.credit_index != layout::kNoCredit) {
    CreditView credit;
    ReadCredit(side.credit_index, credit);
    out.credit = CreditBalance{.remaining = credit.remaining(), .soft_limit = credit.soft_limit};
  }
}

void Record::ReadCredit(size_t index, CreditView& out) const {
  const auto& row = At<CreditRow>(credit_row(index));
  const auto* definition = UnpackPointer<SharedCurrency>(row.definition);
  out = {.id = definition->value.id,
         .encoded_definition = definition->encoded,
         .denied_reason = static_cast<DeniedReason>(row.denied_reason),
         .usage_limit = row.usage_limit,
         .current_usage = row.current_usage,
         .soft_limit = (row.flags & layout::kSoftLimit) != 0,
         .usage_period_end = UnpackTime(row.usage_period_end),
         .valid_until = UnpackTime(row.valid_until)};
}

std::optional<WallTime> Record::UsageUpdatedAt(size_t index) const {
  return UnpackTime(At<FeatureRow>(feature_row(index)).usage_updated_at);
}

bool Record::AnyExpired(WallTime now) const {
  const auto expired = [&](std::optional<WallTime> until) {
    return until.has_value() && *until <= now && *until > fetched_at_wall_;
  };
  for (size_t i = 0; i < feature_count_; ++i) {
    const auto& row = At<FeatureRow>(feature_row(i));
    if (!(row.flags & layout::kHasSide)) continue;
    if (expired(ReadSide(SideReader(side(SideOffset(row))), [](std::string_view) {}).valid_until)) return true;
  }
  for (size_t i = 0; i < credit_count_; ++i) {
    if (expired(UnpackTime(At<CreditRow>(credit_row(i)).valid_until))) return true;
  }
  return false;
}

CustomerEntitlements Record::ToValue() const {
  CustomerEntitlements value{.denied_reason = denied_reason_, .updated_at = updated_at()};
  value.features.reserve(feature_count_);
  for (size_t i = 0; i < feature_count_; ++i) {
    const auto& row = At<FeatureRow>(feature_row(i));
    FeatureView view;
    ReadFeature(i, view);
    FeatureEntitlement& feature = value.features.emplace_back();
    feature = {.feature = UnpackPointer<SharedFeature>(row.definition)->value,
               .denied_reason = view.denied_reason,
               .usage_limit = view.usage_limit,
               .unlimited = view.unlimited,
               .soft_limit = view.soft_limit,
               .current_usage = view.current_usage,
               .enum_values = {view.enum_values.begin(), view.enum_values.end()},
               .period = view.period,
               .valid_until = view.valid_until,
               .usage_updated_at = UnpackTime(row.usage_updated_at)};
    if (row.flags & layout::kHasSide) {
      const Side side = ReadSide(SideReader(this->side(SideOffset(row))), [](std::string_view) {});
      if (side.credit_amount.has_value()) {
        feature.credit_rate = CreditRate{*side.credit_amount, std::string(side.credit_currency)};
      }
    }
  }
  value.credits.reserve(credit_count_);
  for (size_t i = 0; i < credit_count_; ++i) {
    const auto& row = At<CreditRow>(credit_row(i));
    value.credits.push_back({.currency = UnpackPointer<SharedCurrency>(row.definition)->value,
                             .denied_reason = static_cast<DeniedReason>(row.denied_reason),
                             .usage_limit = row.usage_limit,
                             .current_usage = row.current_usage,
                             .soft_limit = (row.flags & layout::kSoftLimit) != 0,
                             .usage_period_end = UnpackTime(row.usage_period_end),
                             .valid_until = UnpackTime(row.valid_until),
                             .usage_updated_at = UnpackTime(row.usage_updated_at)});
  }
  return value;
}

void Record::TakeRefreshState(const Record& from) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  suspect.store(from.suspect.load(kRelaxed), kRelaxed);
  refresh_failures.store(from.refresh_failures.load(kRelaxed), kRelaxed);
  refresh_not_before_ms.store(from.refresh_not_before_ms.load(kRelaxed), kRelaxed);
}

size_t Record::allocated_bytes() const {
  constexpr size_t kMallocHeaderBytes = 8;
  return malloc_usable_size(const_cast<char*>(block())) + kMallocHeaderBytes;
}

void RecordDeleter::operator()(Record* record) const {
  for (size_t i = 0; i < record->feature_count_; ++i) {
    definitions->features.Release(UnpackPointer<SharedFeature>(At<layout::Packed48>(record->feature_row(i))));
  }
  for (size_t i = 0; i < record->credit_count_; ++i) {
    definitions->currencies.Release(UnpackPointer<SharedCurrency>(At<layout::Packed48>(record->credit_row(i))));
  }
  char* const block = const_cast<char*>(record->block());
  record->~Record();
  std::free(block);
}

}  // namespace sidecar
