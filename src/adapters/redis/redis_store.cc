#include "adapters/redis/redis_store.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "adapters/redis/redis_codec.h"
#include "core/record_changes.h"
#include "text/text.h"

namespace sidecar {
namespace {

/// Order of the keys that are read first.
enum First : size_t { kList, kListDate, kMetadata, kSibling, kEpoch, kCustomerDate };

int64_t NumberOr(const std::string* text, int64_t otherwise) {
  return text == nullptr ? otherwise : ParseNumber<int64_t>(*text).value_or(otherwise);
}

}  // namespace

/// One read under way.
struct RedisStore::Reading {
  EntityKey key;
  MonoTime deadline;
  ReadDone done;
  bool may_wait = false;  // for another's fetch
  /// When it began. What began before Redis was current says nothing, although it is by the time that it ends.
  bool maintained = false;

  SharedRecord record;
  std::optional<SiblingValue> sibling;
  int64_t list_ms = 0;
  int64_t epoch_ms = 0;
  int64_t customer_ms = -1;  // of a resource's customer; -1: there is none
  bool usage_missing = false;
  std::vector<size_t> metered;  // features whose usage is read

  void Finish(absl::StatusOr<SharedRecord> result) { std::exchange(done, nullptr)(std::move(result)); }
};

int64_t RedisStore::RedisTime(MonoTime at) const {
  const int64_t offset = time_offset_ms_.load(std::memory_order_relaxed);
  return offset == INT64_MIN ? 0 : at.time_since_epoch().count() + offset;
}

void RedisStore::NoteTime(const RedisReply& reply) {
  const std::string* const seconds = reply.TextAt(0);
  const std::string* const micros = reply.TextAt(1);
  if (seconds == nullptr || micros == nullptr) return;
  const int64_t redis_ms = NumberOr(seconds, 0) * 1000 + NumberOr(micros, 0) / 1000;
  time_offset_ms_.store(redis_ms - clock_.Now().time_since_epoch().count(), std::memory_order_relaxed);
}

void RedisStore::Read(const EntityKey& key, Intent intent, ReadDone done) {
  auto reading = std::make_shared<Reading>();
  reading->key = key;
  reading->deadline = clock_.Now() + settings_.timeout;
  reading->may_wait = intent == Intent::kFetch;
  reading->done = std::move(done);
  ReadOnce(reading);
}

void RedisStore::ReadOnce(const ReadingPtr& reading) {
  reading->maintained = maintained_();
  const EntityKeyView view = reading->key.view();
  const RedisKeys& keys = writer_.keys();
  const std::string list = keys.List(view);
  RedisCommand command{"MGET", list, RedisKeys::Stamp(list), keys.Metadata(view), keys.Sibling(view), keys.Epoch()};
  if (!view.resource_id.empty()) command.push_back(RedisKeys::Stamp(keys.List({view.customer_id, ""})));
  client_.Call(std::move(command), reading->deadline, [this, reading](const absl::StatusOr<RedisReply>& reply) {
    if (!reply.ok()) return reading->Finish(reply.status());
    OnList(reading, *reply);
  });
}

void RedisStore::OnList(const ReadingPtr& reading, const RedisReply& reply) {
  const std::string* const list = reply.TextAt(kList);
  const std::string* const date = reply.TextAt(kListDate);
  if (list == nullptr || date == nullptr) return NotThere(reading);
  const std::optional<int64_t> list_ms = ParseNumber<int64_t>(*date);
  if (!list_ms.has_value()) return Unusable(reading, InvalidArgument("the date of the list is no number"));
  absl::StatusOr<CustomerEntitlements> decoded = DecodeList(*list);
  if (!decoded.ok()) return Unusable(reading, decoded.status());
  CustomerEntitlements& value = reading->record.entitlements;
  value = *std::move(decoded);
  reading->list_ms = *list_ms;
  if (*list_ms > 0) value.updated_at = WallTimeFromEpochMs(*list_ms);
  if (const std::string* const metadata = reply.TextAt(kMetadata)) {
    const absl::StatusOr<DeniedReason> reason = DecodeMetadata(*metadata);
    if (!reason.ok()) return Unusable(reading, reason.status());
    if (*reason != DeniedReason::kNone || !value.empty()) value.denied_reason = *reason;
  }
  reading->epoch_ms = NumberOr(reply.TextAt(kEpoch), 0);
  reading->customer_ms = NumberOr(reply.TextAt(kCustomerDate), -1);
  if (const std::string* const text = reply.TextAt(kSibling)) {
    absl::StatusOr<SiblingValue> sibling = DecodeSibling(reading->key.view(), *text);
    if (!sibling.ok()) return Unusable(reading, sibling.status());
    // That of another list: somebody else has written a new one since.
    if (sibling->list_ms == *list_ms) reading->sibling = *std::move(sibling);
  }

  RedisCommand command{"MGET"};
  for (size_t i = 0; i < value.features.size(); ++i) {
    if (!HasUsageKey(value.features[i])) continue;
    reading->metered.push_back(i);
    std::string name = writer_.keys().Usage(reading->key.view(), value.features[i].feature.id);
    command.push_back(RedisKeys::Stamp(name));
    command.push_back(std::move(name));
  }
  if (reading->metered.empty()) return Judge(reading);
  client_.Call(std::move(command), reading->deadline, [this, reading](const absl::StatusOr<RedisReply>& usage) {
    if (!usage.ok()) return reading->Finish(usage.status());
    OnUsage(reading, *usage);
  });
}

void RedisStore::OnUsage(const ReadingPtr& reading, const RedisReply& reply) {
  for (size_t i = 0; i < reading->metered.size(); ++i) {
    FeatureEntitlement& feature = reading->record.entitlements.features[reading->metered[i]];
    const std::string* const date = reply.TextAt(2 * i);
    const std::string* const usage = reply.TextAt(2 * i + 1);
    if (usage == nullptr) {
      reading->usage_missing = true;
      continue;
    }
    if (absl::Status status = DecodeUsage(*usage, feature); !status.ok()) return Unusable(reading, status);
    const int64_t at = NumberOr(date, 0);
    if (at > 1) feature.usage_updated_at = WallTimeFromEpochMs(at);
  }
  Judge(reading);
}

void RedisStore::Judge(const ReadingPtr& reading) {
  SharedRecord& record = reading->record;
  const bool maintained = reading->maintained && maintained_() && !reading->usage_missing;
  if (reading->sibling.has_value()) {
    record.entitlements.credits = std::move(reading->sibling->credits);
    for (const CreditChange& change : reading->sibling->changes) {
      std::visit([&](const auto& push) { ApplyChange(push, record.entitlements); }, change.push);
    }
    if (!maintained || reading->sibling->as_of_ms < reading->epoch_ms) {
      record.age = Millis(std::max<int64_t>(0, RedisTime(clock_.Now()) - reading->sibling->as_of_ms));
    }
  } else {
    const bool behind_customer =
        !reading->key.resource_id.empty() && (reading->customer_ms < 0 || reading->list_ms < reading->customer_ms);
    if (!maintained || !settings_.external_writer || behind_customer) record.age = settings_.unknown_age;
  }
  reading->Finish(std::move(record));
}

void RedisStore::NotThere(const ReadingPtr& reading) {
  if (!reading->may_wait) return reading->Finish(absl::NotFoundError("not there"));
  locks_.Acquire(reading->key, [this, reading](FetchLocks::Outcome outcome) {
    if (outcome == FetchLocks::Outcome::kMine) return reading->Finish(absl::NotFoundError("not there"));
    // Somebody else has fetched it, or is too slow about it.
    reading->may_wait = false;
    reading->deadline = clock_.Now() + settings_.timeout;
    ReadOnce(reading);
  });
}

void RedisStore::Unusable(const ReadingPtr& reading, const absl::Status& why) {
  metrics_.redis_malformed.Add();
  spdlog::debug("a record in Redis cannot be used: {}", Message(why));
  reading->Finish(why);
}

void RedisStore::Write(const EntityKey& key, const CustomerEntitlements& value, MonoTime started) {
  writer_.WriteRecord(key, value, started);
}

}  // namespace sidecar
