#include "adapters/world/world_data.h"

#include <utility>
#include <vector>

#include "adapters/json/json.h"
#include "adapters/json/json_position.h"
#include "adapters/world/data_reader.h"
#include "text/text.h"

namespace sidecar {
namespace {

template <typename Map>
std::string Names(const Map& map) {
  std::vector<std::string_view> names;  // not std::views::keys: clang 14 cannot read GCC 12's
  names.reserve(map.size());
  for (const auto& [name, value] : map) names.push_back(name);
  return Join(names, ", ");
}

class WorldReader {
 public:
  WorldData Read(const DataNode& document) {
    if (!document.IsObjectOf({"features", "credits", "plans", "customers"})) return {};
    ForEach(document, "features", [&](const std::string& id, const DataNode& node) { ReadFeature(id, node); });
    ForEach(document, "credits", [&](const std::string& id, const DataNode& node) { ReadCredit(id, node); });
    ForEach(document, "plans",
            [&](const std::string& id, const DataNode& node) { data_.plans[id] = ReadGrants(node); });
    ForEach(document, "customers", [&](const std::string& id, const DataNode& node) { ReadCustomer(id, node); });
    return std::move(data_);
  }

 private:
  template <typename Fn>
  static void ForEach(const DataNode& parent, std::string_view member, Fn fn) {
    if (!parent.Has(member)) return;
    const DataNode node = parent.Member(member);
    if (!node.IsObject()) return;
    for (const auto& [name, value] : node.value().items()) fn(name, node.Member(name));
  }

  void ReadFeature(const std::string& id, const DataNode& node) {
    if (!node.IsObjectOf({"type", "meter", "units", "unitsPlural", "countEvents"})) return;
    WorldFeature feature;
    feature.definition.id = id;
    feature.definition.units = node.Text("units");
    feature.definition.units_plural = node.Text("unitsPlural");
    const std::string type = node.Text("type");
    if (type == "boolean") {
      feature.definition.type = FeatureType::kBoolean;
    } else if (type == "enum") {
      feature.definition.type = FeatureType::kEnum;
    } else if (type == "numeric" || type == "metered") {
      feature.definition.type = FeatureType::kNumber;
    } else {
      (node.Has("type") ? node.Member("type") : node)
          .Fail(StrCat("type '", type, "' is not known; expected boolean, numeric, metered or enum"));
    }
    if (type == "metered") {
      const std::string meter = node.Text("meter");
      feature.definition.meter = meter == "fluctuating" ? MeterType::kFluctuating : MeterType::kIncremental;
      if (meter != "fluctuating" && meter != "incremental" && !meter.empty()) {
        node.Member("meter").Fail(StrCat("'", meter, "' is not known; expected fluctuating or incremental"));
      }
    }
    if (node.Has("countEvents")) feature.event_meter = ReadEventMeter(node.Member("countEvents"), type);
    data_.features[id] = std::move(feature);
  }

  static std::optional<EventMeter> ReadEventMeter(const DataNode& node, const std::string& type) {
    if (!node.IsObjectOf({"event", "distinct"})) return std::nullopt;
    if (type != "metered") node.Fail("only a metered feature counts events");
    EventMeter meter{.event_name = node.Text("event"), .distinct_dimension = node.Text("distinct")};
    if (meter.event_name.empty()) node.Fail("event is missing; expected the name of an event");
    return meter;
  }

  void ReadCredit(const std::string& id, const DataNode& node) {
    if (!node.IsObjectOf({"displayName", "unit", "unitPlural"})) return;
    if (data_.features.contains(id)) node.Fail("is a feature too; ids of features and credits must differ");
    CurrencyDefinition currency{.id = id, .display_name = node.Text("displayName")};
    if (node.Has("unit")) currency.unit_singular = node.Text("unit");
    if (node.Has("unitPlural")) currency.unit_plural = node.Text("unitPlural");
    data_.credits[id] = std::move(currency);
  }

  WorldGrants ReadGrants(const DataNode& node) {
    WorldGrants grants;
    if (!node.IsObject()) return grants;
    for (const auto& [id, value] : node.value().items()) grants.emplace_back(id, ReadGrant(id, node.Member(id)));
    return grants;
  }

  WorldGrant ReadGrant(const std::string& id, const DataNode& node) {
    WorldGrant grant;
    if (!node.IsObjectOf({"limit", "value", "values", "unlimited", "softLimit", "reset", "creditRate"})) return grant;
    const auto feature = data_.features.find(id);
    if (feature == data_.features.end() && !data_.credits.contains(id)) {
      node.Fail(StrCat("is neither a feature nor a credit; known are ", Names(data_.features),
                       data_.credits.empty() ? "" : ", ", Names(data_.credits)));
      return grant;
    }
    const EntitlementKind kind = feature == data_.features.end()
                                     ? EntitlementKind::kMetered
                                     : KindOf(feature->second.definition.type, feature->second.definition.meter);
    Refuse(node, "limit", kind != EntitlementKind::kMetered, "only metered features and credits have a limit");
    Refuse(node, "value", kind != EntitlementKind::kNumeric, "only numeric features have a value");
    Refuse(node, "values", kind != EntitlementKind::kEnum, "only enum features have values");
    Refuse(node, "reset", kind != EntitlementKind::kMetered || feature == data_.features.end(),
           "only metered features have a reset period");
    grant.limit = kind == EntitlementKind::kNumeric ? node.Number("value") : node.Number("limit");
    grant.unlimited = node.Bool("unlimited");
    grant.soft_limit = node.Bool("softLimit");
    grant.enum_values = node.Texts("values");
    if (node.Has("reset")) {
      const std::string reset = node.Text("reset");
      grant.reset = ResetPeriodFromName(ToUpper(reset));
      if (grant.reset == ResetPeriod::kNone) {
        node.Member("reset").Fail(StrCat("'", reset, "' is not known; expected hour, day, week, month or year"));
      }
    }
    if (node.Has("creditRate")) grant.credit_rate = ReadCreditRate(node.Member("creditRate"));
    return grant;
  }

  std::optional<CreditRate> ReadCreditRate(const DataNode& node) const {
    if (!node.IsObjectOf({"credit", "amount"})) return std::nullopt;
    CreditRate rate{.amount = node.Number("amount").value_or(0), .currency_id = node.Text("credit")};
    if (!data_.credits.contains(rate.currency_id)) {
      node.Fail(StrCat("'", rate.currency_id, "' is not a credit; known are ", Names(data_.credits)));
    }
    if (!(rate.amount > 0)) node.Fail("amount must be more than 0");
    return rate;
  }

  static void Refuse(const DataNode& node, std::string_view member, bool refuse, std::string_view why) {
    if (refuse && node.Has(member)) node.Member(member).Fail(why);
  }

  void ReadCustomer(const std::string& id, const DataNode& node) {
    if (id.empty()) node.Fail("a customer id must not be empty");
    if (!node.IsObjectOf({"plan", "archived", "overrides", "usage", "resources"})) return;
    WorldCustomer customer{.self = ReadSubscriber(node)};
    ForEach(node, "resources", [&](const std::string& resource_id, const DataNode& resource) {
      if (resource_id.empty()) resource.Fail("a resource id must not be empty");
      if (!resource.IsObjectOf({"plan", "overrides", "usage"})) return;
      customer.resources[resource_id] = ReadSubscriber(resource);
    });
    data_.customers[id] = std::move(customer);
  }

  WorldSubscriber ReadSubscriber(const DataNode& node) {
    WorldSubscriber subscriber{.plan = node.Text("plan"), .archived = node.Bool("archived")};
    if (!subscriber.plan.empty() && !data_.plans.contains(subscriber.plan)) {
      node.Member("plan").Fail(StrCat("'", subscriber.plan, "' is not a plan; known are ", Names(data_.plans)));
    }
    if (node.Has("overrides")) subscriber.overrides = ReadGrants(node.Member("overrides"));
    ForEach(node, "usage", [&](const std::string& id, const DataNode& value) {
      if (!data_.features.contains(id) && !data_.credits.contains(id)) {
        value.Fail("is neither a feature nor a credit");
      } else if (!value.value().is_number()) {
        value.Fail(StrCat("expected a number, got ", JsonTypeName(value.value())));
      } else {
        subscriber.usage[id] = value.value().get<double>();
      }
    });
    return subscriber;
  }

  WorldData data_;
};

}  // namespace

absl::StatusOr<WorldData> ParseWorld(std::string_view text, const std::string& file_name) {
  const absl::StatusOr<Json> document = ParseJson(text);
  if (!document.ok()) {
    const absl::Status syntax = DescribeSyntaxError(text);
    return absl::InvalidArgumentError(StrCat(file_name, ": ", Message(syntax.ok() ? document.status() : syntax)));
  }
  ViolationList violations(text, file_name);
  violations.AddRepeatedMembers();
  WorldData data = WorldReader().Read(DataNode(*document, "", "", violations));
  if (!violations.empty()) return absl::InvalidArgumentError(violations.text());
  return data;
}

std::string_view BuiltInWorld() {
  return R"json({
  "features": {
    "feature-01-templates": {"type": "metered", "meter": "fluctuating", "units": "template", "unitsPlural": "templates"},
    "feature-02-campaigns": {"type": "metered", "meter": "incremental", "units": "campaign", "unitsPlural": "campaigns"},
    "feature-03-custom-domain": {"type": "boolean"},
    "feature-04-analytics": {"type": "boolean"},
    "feature-06-max-file-size": {"type": "numeric", "units": "MB", "unitsPlural": "MB"},
    "feature-07-active-users": {
      "type": "metered", "meter": "incremental", "units": "active user", "unitsPlural": "active users",
      "countEvents": {"event": "user_login", "distinct": "user_id"}
    },
    "feature-08-regions": {"type": "enum"}
  },
  "credits": {
    "cred-type-ai-tokens": {"displayName": "AI tokens", "unit": "token", "unitPlural": "tokens"}
  },
  "plans": {
    "plan-revvenu-essentials": {
      "feature-01-templates": {"limit": 6},
      "feature-02-campaigns": {"limit": 32, "reset": "month"},
      "feature-03-custom-domain": {},
      "feature-04-analytics": {},
      "feature-06-max-file-size": {"value": 100},
      "feature-07-active-users": {"limit": 25000, "reset": "month"},
      "feature-08-regions": {"values": ["eu", "us"]},
      "cred-type-ai-tokens": {"limit": 500}
    }
  },
  "customers": {
    "customer-demo-01": {
      "plan": "plan-revvenu-essentials",
      "usage": {"feature-01-templates": 3, "feature-07-active-users": 1, "cred-type-ai-tokens": 120},
      "resources": {
        "site-01": {
          "plan": "plan-revvenu-essentials",
          "usage": {"feature-01-templates": 3, "feature-07-active-users": 1, "cred-type-ai-tokens": 120}
        }
      }
    }
  }
}
)json";
}

}  // namespace sidecar
