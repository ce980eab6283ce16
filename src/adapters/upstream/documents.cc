#include "adapters/upstream/documents.h"

namespace sidecar {
namespace {

#define SIDECAR_FEATURE_FIELDS                                                                                   \
  "isGranted accessDeniedReason usageLimit hasUnlimitedUsage hasSoftLimit currentUsage enumValues "              \
  "entitlementUpdatedAt usageUpdatedAt usagePeriodAnchor usagePeriodStart usagePeriodEnd resetPeriod "           \
  "resetPeriodConfiguration { __typename ... on MonthlyResetPeriodConfig { monthlyAccordingTo } "                \
  "... on WeeklyResetPeriodConfig { weeklyAccordingTo } ... on YearlyResetPeriodConfig { yearlyAccordingTo } } " \
  "feature { refId featureType meterType featureUnits featureUnitsPlural displayName description } "             \
  "creditRate { amount currencyId } validUntil "

#define SIDECAR_CREDIT_FIELDS                                                                              \
  "isGranted accessDeniedReason usageLimit currentUsage hasSoftLimit usageUpdatedAt entitlementUpdatedAt " \
  "usagePeriodEnd validUntil "                                                                             \
  "currency { currencyId displayName description unitSingular unitPlural additionalMetaData } "

#define SIDECAR_MEASUREMENT_FIELDS \
  "id featureId customerId resourceId currentUsage usagePeriodStart usagePeriodEnd timestamp "

#define SIDECAR_MEASUREMENT_CREDIT "credit { currencyId currentUsage usagePeriodEnd timestamp consumed } "

constexpr GraphqlOperation kGetEntitlementsV1{
    "GetEntitlements",
    "query GetEntitlements($query: FetchEntitlementsQuery!) { "
    "entitlements: cachedEntitlements(query: $query) { " SIDECAR_FEATURE_FIELDS "} }"};

constexpr GraphqlOperation kGetEntitlementsV2{
    "GetEntitlementsState",
    "query GetEntitlementsState($query: FetchEntitlementsQuery!) { "
    "entitlementsState(query: $query) { accessDeniedReason entitlementsV2 { __typename "
    "... on FeatureEntitlement { " SIDECAR_FEATURE_FIELDS
    "} "
    "... on CreditEntitlement { " SIDECAR_CREDIT_FIELDS "} } } }"};

constexpr GraphqlOperation kReportUsageV1{"ReportUsage",
                                          "mutation ReportUsage($input: ReportUsageInput!) { "
                                          "reportUsage(input: $input) { " SIDECAR_MEASUREMENT_FIELDS "} }"};

constexpr GraphqlOperation kReportUsageV2{
    "ReportUsage",
    "mutation ReportUsage($input: ReportUsageInput!) { "
    "reportUsage(input: $input) { " SIDECAR_MEASUREMENT_FIELDS SIDECAR_MEASUREMENT_CREDIT "} }"};

constexpr GraphqlOperation kReportUsageBulkV1{"ReportUsageBulk",
                                              "mutation ReportUsageBulk($input: ReportUsageBulkInput!) { "
                                              "reportUsageBulk(input: $input) { " SIDECAR_MEASUREMENT_FIELDS "} }"};

constexpr GraphqlOperation kReportUsageBulkV2{
    "ReportUsageBulk",
    "mutation ReportUsageBulk($input: ReportUsageBulkInput!) { "
    "reportUsageBulk(input: $input) { " SIDECAR_MEASUREMENT_FIELDS SIDECAR_MEASUREMENT_CREDIT "} }"};

constexpr GraphqlOperation kReportEvent{
    "ReportEvent", "mutation ReportEvent($input: UsageEventsReportInput!) { reportEvent(events: $input) }"};

constexpr GraphqlOperation kGetSdkConfiguration{
    "GetSdkConfiguration", "query GetSdkConfiguration { sdkConfiguration { sentryDsn isWidgetWatermarkEnabled } }"};

constexpr GraphqlOperation kOnEntitlementsUpdatedV1{
    "OnEntitlementsUpdated",
    "subscription OnEntitlementsUpdated { entitlementsUpdated { customerId resourceId "
    "entitlements { " SIDECAR_FEATURE_FIELDS "} } }"};

constexpr GraphqlOperation kOnEntitlementsUpdatedV2{
    "OnEntitlementsUpdatedV2",
    "subscription OnEntitlementsUpdatedV2 { entitlementsUpdatedV2 { customerId resourceId accessDeniedReason "
    "entitlements { __typename ... on FeatureEntitlement { " SIDECAR_FEATURE_FIELDS
    "} "
    "... on CreditEntitlement { " SIDECAR_CREDIT_FIELDS "} } } }"};

constexpr GraphqlOperation kOnUsageUpdatedV1{
    "OnUsageUpdated",
    "subscription OnUsageUpdated { usageUpdated { usage { customerId resourceId featureId currentUsage "
    "usagePeriodStart usagePeriodEnd } } }"};

constexpr GraphqlOperation kOnUsageUpdatedV2{
    "OnUsageUpdatedV2",
    "subscription OnUsageUpdatedV2 { usageUpdatedV2 { customerId resourceId entitlementReference { type id } "
    "usage { currentUsage usagePeriodStart usagePeriodEnd usageUpdatedAt } } }"};

constexpr GraphqlOperation kOnPackagePublished{
    "OnPackagePublished",
    "subscription OnPackagePublished { packagePublished { packageType packageRefId packageVersion migrationType } }"};

constexpr GraphqlOperation kOnCreditBalanceUpdated{
    "OnCreditBalanceUpdated",
    "subscription OnCreditBalanceUpdated { creditBalanceUpdated { customerId resourceId currencyId "
    "currency { currencyId } currentBalance totalConsumed totalGranted validUntil } }"};

#undef SIDECAR_FEATURE_FIELDS
#undef SIDECAR_CREDIT_FIELDS
#undef SIDECAR_MEASUREMENT_FIELDS
#undef SIDECAR_MEASUREMENT_CREDIT

}  // namespace

GraphqlOperation GetEntitlementsOperation(Generation generation) {
  return generation == Generation::kV2 ? kGetEntitlementsV2 : kGetEntitlementsV1;
}

GraphqlOperation ReportUsageOperation(Generation generation) {
  return generation == Generation::kV2 ? kReportUsageV2 : kReportUsageV1;
}

GraphqlOperation ReportUsageBulkOperation(Generation generation) {
  return generation == Generation::kV2 ? kReportUsageBulkV2 : kReportUsageBulkV1;
}

GraphqlOperation ReportEventOperation() { return kReportEvent; }
GraphqlOperation GetSdkConfigurationOperation() { return kGetSdkConfiguration; }

GraphqlOperation OnEntitlementsUpdatedOperation(Generation generation) {
  return generation == Generation::kV2 ? kOnEntitlementsUpdatedV2 : kOnEntitlementsUpdatedV1;
}

GraphqlOperation OnUsageUpdatedOperation(Generation generation) {
  return generation == Generation::kV2 ? kOnUsageUpdatedV2 : kOnUsageUpdatedV1;
}

GraphqlOperation OnPackagePublishedOperation() { return kOnPackagePublished; }
GraphqlOperation OnCreditBalanceUpdatedOperation() { return kOnCreditBalanceUpdated; }

}  // namespace sidecar
