#include "adapters/feed/push_codec.h"

#include <string>
#include <utility>

#include "domain/types.h"
#include "text/text.h"

namespace sidecar {
namespace {

EntityKey ReadKey(JsonObject& object) {
  EntityKey key(object.TextOrEmpty("customerId"), object.TextOrEmpty("resourceId"));
  if (key.customer_id.empty()) object.Fail("customerId", "expected the id of a customer, got none");
  return key;
}

/// A number that must be there.
double ReadNumber(JsonObject& object, std::string_view name) {
  const std::optional<double> number = object.Number(name);
  if (!number.has_value()) object.Fail(name, "expected a number, got none");
  return number.value_or(0);
}

std::string ReadId(JsonObject& object, std::string_view name) {
  std::string id = object.TextOrEmpty(name);
  if (id.empty()) object.Fail(name, "expected an id, got none");
  return id;
}

/// A reader of the object `name`, which must be there.
JsonObject Enter(JsonObject& object, std::string_view name, absl::Status& error) {
  static const Json kNone = Json::object();
  const Json* const member = object.Object(name);
  if (member == nullptr) object.Fail(name, "expected an object, got none");
  return JsonObject(member == nullptr ? kNone : *member, object.PathOf(name), error);
}

absl::StatusOr<DecodedPush> DecodeList(JsonObject& data, std::string_view root, absl::Status& error) {
  const Json* const update_json = data.Object(root);
  JsonObject update = Enter(data, root, error);
  EntityKey key = ReadKey(update);
  if (!error.ok()) return error;
  // Both generations carry the list under this name, and their elements tell what they are.
  absl::StatusOr<DecodedEntitlements> list = DecodeEntitlementsV1(*update_json);
  if (!list.ok()) return list.status();
  const std::string* const reason = update.Text("accessDeniedReason");
  list->entitlements.denied_reason = reason == nullptr ? DeniedReason::kNone : DeniedReasonFromName(*reason);
  if (!error.ok()) return error;
  return DecodedPush{.push = ListPush{std::move(key), std::move(list->entitlements)}, .skipped = list->skipped};
}

UsagePush DecodeUsageV1(JsonObject& data, absl::Status& error) {
  JsonObject update = Enter(data, "usageUpdated", error);
  JsonObject usage = Enter(update, "usage", error);
  return {.key = ReadKey(usage),
          .id = ReadId(usage, "featureId"),
          .current_usage = ReadNumber(usage, "currentUsage"),
          .period_start = usage.Date("usagePeriodStart"),
          .period_end = usage.Date("usagePeriodEnd")};
}

UsagePush DecodeUsageV2(JsonObject& data, absl::Status& error) {
  JsonObject update = Enter(data, "usageUpdatedV2", error);
  JsonObject reference = Enter(update, "entitlementReference", error);
  JsonObject usage = Enter(update, "usage", error);
  const std::string type = reference.TextOrEmpty("type");
  if (type != "FEATURE" && type != "CREDIT") reference.Fail("type", "expected FEATURE or CREDIT");
  return {.key = ReadKey(update),
          .id = ReadId(reference, "id"),
          .credit = type == "CREDIT",
          .current_usage = ReadNumber(usage, "currentUsage"),
          .period_start = usage.Date("usagePeriodStart"),
          .period_end = usage.Date("usagePeriodEnd"),
          .updated_at = usage.Date("usageUpdatedAt")};
}

BalancePush DecodeBalance(JsonObject& data, absl::Status& error) {
  JsonObject update = Enter(data, "creditBalanceUpdated", error);
  JsonObject currency = Enter(update, "currency", error);
  return {.key = ReadKey(update),
          .currency_id = ReadId(currency, "currencyId"),
          .balance = ReadNumber(update, "currentBalance"),
          .valid_until = update.Date("validUntil")};
}

std::optional<Push> DecodePackage(JsonObject& data, absl::Status& error) {
  JsonObject update = Enter(data, "packagePublished", error);
  const std::string migration = update.TextOrEmpty("migrationType");
  if (migration == "ALL_CUSTOMERS") return CatalogPush{};
  if (migration != "NEW_CUSTOMERS") update.Fail("migrationType", "expected ALL_CUSTOMERS or NEW_CUSTOMERS");
  return std::nullopt;
}

}  // namespace

GraphqlOperation OperationOf(Subscription subscription, Generation generation) {
  switch (subscription) {
    case Subscription::kEntitlements:
      return OnEntitlementsUpdatedOperation(generation);
    case Subscription::kUsage:
      return OnUsageUpdatedOperation(generation);
    case Subscription::kPackage:
      return OnPackagePublishedOperation();
    case Subscription::kBalance:
      break;
  }
  return OnCreditBalanceUpdatedOperation();
}

absl::StatusOr<DecodedPush> DecodePush(Subscription subscription, Generation generation, const Json& data_json) {
  const bool v2 = generation == Generation::kV2;
  absl::Status error;
  JsonObject data(data_json, "data", error);
  DecodedPush decoded;
  switch (subscription) {
    case Subscription::kEntitlements:
      return DecodeList(data, v2 ? "entitlementsUpdatedV2" : "entitlementsUpdated", error);
    case Subscription::kUsage:
      decoded.push = v2 ? DecodeUsageV2(data, error) : DecodeUsageV1(data, error);
      break;
    case Subscription::kPackage:
      decoded.push = DecodePackage(data, error);
      break;
    case Subscription::kBalance:
      decoded.push = DecodeBalance(data, error);
      break;
  }
  if (!error.ok()) return error;
  return decoded;
}

std::optional<Push> DoubtOf(Subscription subscription, const Json& data) {
  if (subscription == Subscription::kPackage) return CatalogPush{};
  if (!data.is_object()) return std::nullopt;
  for (const Json& update : data) {
    if (!update.is_object()) continue;
    const auto usage = update.find("usage");
    for (const Json* const place : {&update, usage == update.end() ? nullptr : &*usage}) {
      if (place == nullptr || !place->is_object()) continue;
      absl::Status ignored;
      JsonObject object(*place, "", ignored);
      EntityKey key(object.TextOrEmpty("customerId"), object.TextOrEmpty("resourceId"));
      if (!key.customer_id.empty()) return ListPush{.key = std::move(key)};
    }
  }
  return std::nullopt;
}

}  // namespace sidecar
