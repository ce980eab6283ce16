#include "dev/subscriptions.h"

#include "text/text.h"

namespace sidecar::dev {
namespace {

/// Takes one name off the front of the text, white space and commas before it included.
std::string_view TakeName(std::string_view& text) {
  const auto is_name = [](char c) { return IsAlphanumeric(c) || c == '_'; };
  while (!text.empty() && (text.front() == ',' || static_cast<unsigned char>(text.front()) <= ' ')) {
    text.remove_prefix(1);
  }
  size_t end = 0;
  while (end < text.size() && is_name(text[end])) ++end;
  const std::string_view name = text.substr(0, end);
  text.remove_prefix(end);
  return name;
}

}  // namespace

std::string_view RootField(Subscription subscription) {
  switch (subscription) {
    case Subscription::kEntitlements:
      return "entitlementsUpdated";
    case Subscription::kUsage:
      return "usageUpdated";
    case Subscription::kPackage:
      return "packagePublished";
    case Subscription::kCreditBalance:
      return "creditBalanceUpdated";
    case Subscription::kEntitlementsV2:
      return "entitlementsUpdatedV2";
    case Subscription::kUsageV2:
      return "usageUpdatedV2";
  }
  return "";
}

std::optional<Subscription> SubscriptionNamed(std::string_view name) {
  for (const Subscription subscription : kSubscriptions) {
    const std::string_view field = RootField(subscription);
    // The operation is "On" and the root field with a capital.
    if (name == field || (name.starts_with("On") && EqualsIgnoreCase(name.substr(2), field))) return subscription;
  }
  return std::nullopt;
}

std::string_view RootFieldOf(std::string_view document) {
  const size_t brace = document.find('{');
  if (brace == std::string_view::npos) return "";
  document.remove_prefix(brace + 1);
  const std::string_view name = TakeName(document);
  while (!document.empty() && static_cast<unsigned char>(document.front()) <= ' ') document.remove_prefix(1);
  if (!document.starts_with(':')) return name;
  document.remove_prefix(1);  // `name` is an alias
  return TakeName(document);
}

}  // namespace sidecar::dev
