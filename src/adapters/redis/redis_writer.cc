#include "adapters/redis/redis_writer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "adapters/redis/redis_scripts.h"
#include "text/text.h"

namespace sidecar {
namespace {

/// Times that a value is made again because somebody else was quicker.
constexpr int kAttemptsMax = 3;

/// Date of a usage key whose feature says none, and whose list says none either.
constexpr int64_t kUndated = 1;

std::string DateText(std::optional<WallTime> date, int64_t otherwise) {
  return std::to_string(date.has_value() ? ToEpochMs(*date) : otherwise);
}

}  // namespace

/// A record on its way, and what its sibling will be made of.
struct RedisWriter::Write {
  EntityKey key;
  SiblingValue sibling;
  bool update_only = false;
  std::string token;
  std::string former;  ///< the sibling that `sibling` was merged with
  int attempts = 0;
  std::vector<std::string> keys;
  std::vector<std::string> values;  ///< value and date in turn
};

void RedisWriter::Note(const absl::StatusOr<RedisReply>& reply, const std::string& token) {
  if (!reply.ok()) {
    metrics_.redis_failed_writes.Add();
    spdlog::debug("Redis: a write failed: {}", Message(reply.status()));
    if (!token.empty()) on_lost_push_();
  } else {
    (reply->is_text() ? metrics_.redis_unwritten : metrics_.redis_writes).Add();
  }
}

std::string RedisWriter::Ttl() const { return std::to_string(settings_.keys_ttl_secs); }

void RedisWriter::Run(std::string_view script, std::vector<std::string> keys, std::vector<std::string> arguments,
                      Done done) {
  queue_.Send(redis_scripts::Run(script, std::move(keys), std::move(arguments)), std::move(done));
}

void RedisWriter::WriteRecord(const EntityKey& key, const CustomerEntitlements& value, MonoTime started) {
  const int64_t as_of = redis_time_(started);
  // Nobody who is down is written to: what it would cost is the making of the text.
  if (as_of == 0 || !client_.up()) return metrics_.redis_failed_writes.Add();
  WriteValue(key, value, as_of, /*update_only=*/false, "");
}

void RedisWriter::WriteValue(const EntityKey& key, const CustomerEntitlements& value, int64_t as_of, bool update_only,
                             const std::string& token) {
  auto write = std::make_shared<Write>();
  write->key = key;
  write->update_only = update_only;
  write->token = token;
  // An empty list is dated 0, which anything may replace; one without a date is as old as its fetch.
  const int64_t list_ms = value.updated_at.has_value() ? ToEpochMs(*value.updated_at) : (value.empty() ? 0 : as_of);
  write->sibling = {.as_of_ms = as_of, .list_ms = list_ms, .credits = value.credits, .changes = {}};
  const std::string list_date = std::to_string(list_ms);
  const auto put = [&](std::string name, std::string text, std::string date) {
    write->keys.push_back(std::move(name));
    write->values.push_back(std::move(text));
    write->values.push_back(std::move(date));
  };
  const EntityKeyView view = key.view();
  put(keys_.List(view), EncodeList(view, value), list_date);
  put(keys_.Metadata(view), EncodeMetadata(value.denied_reason), list_date);
  for (const FeatureEntitlement& feature : value.features) {
    if (!HasUsageKey(feature)) continue;
    put(keys_.Usage(view, feature.feature.id),
        EncodeUsage(feature.current_usage, feature.period.start, feature.period.end),
        DateText(feature.usage_updated_at, list_ms > 0 ? list_ms : kUndated));
  }
  TryWrite(write);
}

void RedisWriter::TryWrite(const std::shared_ptr<Write>& write) {
  std::vector<std::string> keys{keys_.Leader(), keys_.List(write->key.view()), keys_.Sibling(write->key.view())};
  keys.insert(keys.end(), write->keys.begin(), write->keys.end());
  std::vector<std::string> arguments{write->token,
                                     write->update_only ? "1" : "0",
                                     Ttl(),
                                     std::to_string(write->sibling.as_of_ms),
                                     std::to_string(write->sibling.list_ms),
                                     EncodeSibling(write->sibling),
                                     write->former};
  arguments.insert(arguments.end(), write->values.begin(), write->values.end());
  Run(redis_scripts::kWriteRecord, std::move(keys), std::move(arguments),
      [this, write](const absl::StatusOr<RedisReply>& reply) {
        if (!reply.ok() || reply->text != "CHANGED" || ++write->attempts > kAttemptsMax) {
          return Note(reply, write->token);
        }
        client_.Call({"GET", keys_.Sibling(write->key.view())}, Deadline(),
                     [this, write](const absl::StatusOr<RedisReply>& held) {
                       if (!held.ok()) return Note(held, write->token);
                       if (!held->is_text()) return;
                       write->former = held->text;
                       if (auto former = DecodeSibling(write->key.view(), held->text); former.ok()) {
                         write->sibling.changes.clear();
                         for (CreditChange& change : former->changes) {
                           if (change.at_ms >= write->sibling.as_of_ms) write->sibling.Add(std::move(change));
                         }
                       }
                       TryWrite(write);
                     });
      });
}

void RedisWriter::WriteUsage(const EntityKey& key, const std::string& feature_id, double current,
                             std::optional<WallTime> start, std::optional<WallTime> end, std::optional<WallTime> at,
                             const std::string& token) {
  const EntityKeyView view = key.view();
  Run(redis_scripts::kWriteUsage, {keys_.Leader(), keys_.List(view), keys_.Usage(view, feature_id)},
      {token, Ttl(), EncodeUsage(current, start, end), at.has_value() ? std::to_string(ToEpochMs(*at)) : "now"},
      Noted(token));
}

void RedisWriter::AddChange(const EntityKey& key, const std::variant<UsagePush, BalancePush>& push,
                            const std::string& token, int attempts) {
  client_.Call({"GET", keys_.Sibling(key.view())}, Deadline(),
               [this, key, push, token, attempts](const absl::StatusOr<RedisReply>& held) {
                 if (!held.ok()) return Note(held, token);
                 if (!held->is_text()) return;
                 absl::StatusOr<SiblingValue> sibling = DecodeSibling(key.view(), held->text);
                 if (!sibling.ok()) return;
                 sibling->Add({.at_ms = redis_time_(clock_.Now()), .push = push});
                 Run(redis_scripts::kReplaceSibling, {keys_.Leader(), keys_.Sibling(key.view())},
                     {token, Ttl(), held->text, EncodeSibling(*sibling)},
                     [this, key, push, token, attempts](const absl::StatusOr<RedisReply>& reply) {
                       if (reply.ok() && reply->text == "CHANGED" && attempts < kAttemptsMax) {
                         return AddChange(key, push, token, attempts + 1);
                       }
                       Note(reply, token);
                     });
               });
}

void RedisWriter::Apply(const UsageReceipt& receipt) {
  if (!client_.up()) return;
  if (receipt.current_usage.has_value()) {
    WriteUsage(receipt.key, receipt.feature_id, *receipt.current_usage, receipt.period_start, receipt.period_end,
               receipt.timestamp, "");
  }
  if (receipt.credit.has_value()) {
    AddChange(receipt.key,
              UsagePush{.key = receipt.key,
                        .id = receipt.credit->currency_id,
                        .credit = true,
                        .current_usage = receipt.credit->current_usage,
                        .period_end = receipt.credit->usage_period_end,
                        .updated_at = receipt.credit->timestamp},
              "", 1);
  }
}

void RedisWriter::Apply(const Push& push, const std::string& token) {
  if (const auto* const list = std::get_if<ListPush>(&push)) {
    if (list->entitlements.empty() && list->entitlements.denied_reason == DeniedReason::kNone) {
      // It says only that something changed: whoever reads next fetches.
      return Delete(list->key, token);
    }
    return WriteValue(list->key, list->entitlements, redis_time_(clock_.Now()), settings_.update_only, token);
  }
  if (const auto* const usage = std::get_if<UsagePush>(&push)) {
    if (usage->credit) return AddChange(usage->key, *usage, token, 1);
    return WriteUsage(usage->key, usage->id, usage->current_usage, usage->period_start, usage->period_end,
                      usage->updated_at, token);
  }
  if (const auto* const balance = std::get_if<BalancePush>(&push)) return AddChange(balance->key, *balance, token, 1);
  StampTime(keys_.Epoch(), Millis(0), token, Noted(token));
}

void RedisWriter::Delete(const EntityKey& key, const std::string& token) {
  const std::string list = keys_.List(key.view());
  const std::string metadata = keys_.Metadata(key.view());
  Run(redis_scripts::kDelete,
      {keys_.Leader(), list, RedisKeys::Stamp(list), metadata, RedisKeys::Stamp(metadata), keys_.Sibling(key.view())},
      {token}, Noted(token));
}

void RedisWriter::StampTime(const std::string& key, Millis lives, const std::string& token, Done done) {
  client_.Call(
      redis_scripts::Run(redis_scripts::kStampTime, {keys_.Leader(), key}, {token, std::to_string(lives.count())}),
      Deadline(), std::move(done));
}

void RedisWriter::DeleteNow(std::vector<std::string> keys, const std::string& token) {
  keys.insert(keys.begin(), keys_.Leader());
  client_.Call(redis_scripts::Run(redis_scripts::kDelete, std::move(keys), {token}), Deadline(), Noted(""));
}

}  // namespace sidecar
