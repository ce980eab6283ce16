"""The GraphQL documents of docs/protocol.md sections 2.2 and 3.2, restated: what a correct client may send."""

_FEATURE = "feature { refId featureType meterType featureUnits featureUnitsPlural displayName description }"

_RESET_CONFIGURATION = """resetPeriodConfiguration { __typename
    ... on MonthlyResetPeriodConfig { monthlyAccordingTo }
    ... on WeeklyResetPeriodConfig { weeklyAccordingTo }
    ... on YearlyResetPeriodConfig { yearlyAccordingTo } }"""

_ENTITLEMENT_V1 = f"""
    isGranted accessDeniedReason resourceId usageLimit hasUnlimitedUsage hasSoftLimit currentUsage enumValues
    entitlementUpdatedAt usageUpdatedAt usagePeriodAnchor usagePeriodStart usagePeriodEnd resetPeriod
    {_RESET_CONFIGURATION} {_FEATURE} creditRate {{ amount currencyId }} validUntil"""

_ENTITLEMENT_V2 = f"""__typename
    ... on FeatureEntitlement {{
      isGranted accessDeniedReason usageLimit hasUnlimitedUsage hasSoftLimit currentUsage enumValues
      entitlementUpdatedAt usageUpdatedAt usagePeriodAnchor usagePeriodStart usagePeriodEnd resetPeriod
      {_FEATURE} creditRate {{ amount currencyId }} validUntil }}
    ... on CreditEntitlement {{
      isGranted accessDeniedReason usageLimit currentUsage hasSoftLimit usageUpdatedAt entitlementUpdatedAt
      usagePeriodEnd validUntil
      currency {{ currencyId displayName description unitSingular unitPlural additionalMetaData }} }}"""

_MEASUREMENT = "id featureId customerId resourceId currentUsage usagePeriodStart usagePeriodEnd timestamp"
_MEASUREMENT_V2 = _MEASUREMENT + " credit { currencyId currentUsage usagePeriodEnd timestamp consumed }"


def _report_usage(selection: str) -> str:
    return f"mutation ReportUsage($input: ReportUsageInput!) {{ reportUsage(input: $input) {{ {selection} }} }}"


def _report_usage_bulk(selection: str) -> str:
    return (
        "mutation ReportUsageBulk($input: ReportUsageBulkInput!) "
        f"{{ reportUsageBulk(input: $input) {{ {selection} }} }}"
    )


GET_ENTITLEMENTS = f"""query GetEntitlements($query: FetchEntitlementsQuery!) {{
  entitlements: cachedEntitlements(query: $query) {{ {_ENTITLEMENT_V1} }} }}"""

GET_ENTITLEMENTS_STATE = f"""query GetEntitlementsState($query: FetchEntitlementsQuery!) {{
  entitlementsState(query: $query) {{ accessDeniedReason entitlementsV2 {{ {_ENTITLEMENT_V2} }} }} }}"""

REPORT_USAGE = _report_usage(_MEASUREMENT)
REPORT_USAGE_V2 = _report_usage(_MEASUREMENT_V2)
REPORT_USAGE_BULK = _report_usage_bulk(_MEASUREMENT)
REPORT_USAGE_BULK_V2 = _report_usage_bulk(_MEASUREMENT_V2)

REPORT_EVENT = "mutation ReportEvent($input: UsageEventsReportInput!) { reportEvent(events: $input) }"

GET_SDK_CONFIGURATION = "query GetSdkConfiguration { sdkConfiguration { sentryDsn isWidgetWatermarkEnabled } }"

PROVISION_CUSTOMER = """mutation ProvisionCustomer($input: ProvisionCustomerInput!) {
  provisionCustomer(input: $input) { customer { customerId name email } } }"""

PROVISION_SUBSCRIPTION = """mutation ProvisionSubscription($input: ProvisionSubscriptionInput!) {
  provisionSubscription(input: $input) { status } }"""

SUBSCRIPTIONS_V1 = (
    f"""subscription OnEntitlementsUpdated {{ entitlementsUpdated {{
      customerId resourceId entitlements {{ {_ENTITLEMENT_V1} }} }} }}""",
    """subscription OnUsageUpdated { usageUpdated { usage {
      customerId resourceId featureId currentUsage usagePeriodStart usagePeriodEnd } } }""",
    """subscription OnCreditBalanceUpdated { creditBalanceUpdated { customerId resourceId currencyId
      currency { currencyId } currentBalance totalConsumed totalGranted validUntil } }""",
)
SUBSCRIPTIONS_V2 = (
    f"""subscription OnEntitlementsUpdatedV2 {{ entitlementsUpdatedV2 {{
      customerId resourceId accessDeniedReason entitlements {{ {_ENTITLEMENT_V2} }} }} }}""",
    """subscription OnUsageUpdatedV2 { usageUpdatedV2 { customerId resourceId entitlementReference { type id }
      usage { currentUsage usagePeriodStart usagePeriodEnd usageUpdatedAt } } }""",
)
SUBSCRIPTIONS_COMMON = (
    "subscription OnPackagePublished { packagePublished { packageType packageRefId packageVersion migrationType } }",
)
