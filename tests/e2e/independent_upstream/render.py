"""Neutral records as the objects of the protocol, member names and order as in tests/fixtures.

The same dictionaries are the Edge bodies and the source values of the GraphQL executor, which picks the selected
members; `__typename` is what tells it the member of a union. docs/protocol.md section 1.3.
"""

from datetime import datetime
from typing import Any

from .instants import to_epoch_ms, to_iso
from .records import CreditRecord, FeatureRecord
from .scope import Scope

Json = dict[str, Any]

_RESET_CONFIGURATION = {
    "WEEK": ("WeeklyResetPeriodConfig", "weeklyAccordingTo"),
    "MONTH": ("MonthlyResetPeriodConfig", "monthlyAccordingTo"),
    "YEAR": ("YearlyResetPeriodConfig", "yearlyAccordingTo"),
}


def entitlements_v1(scope: Scope, customer_id: str, now: datetime) -> list[Json]:
    return [_entitlement_v1(record, scope, customer_id, now) for record in scope.features.values()]


def entitlements_v2(scope: Scope, now: datetime) -> list[Json]:
    """Features first, then credits, each in order of definition."""
    features = [_feature_v2(record, scope, now) for record in scope.features.values()]
    return features + [_credit_v2(record) for record in scope.credits.values()]


def entitlements_state(scope: Scope | None, customer_id: str, reason: str | None, now: datetime) -> Json:
    return {
        "__typename": "EntitlementsState",
        "entitlements": entitlements_v1(scope, customer_id, now) if scope is not None else [],
        "entitlementsV2": entitlements_v2(scope, now) if scope is not None else [],
        "accessDeniedReason": reason,
    }


def _entitlement_v1(record: FeatureRecord, scope: Scope, customer_id: str, now: datetime) -> Json:
    usage = _usage_members(record, now)
    reason = _feature_reason(record, scope)
    return {
        "__typename": "Entitlement",
        "isGranted": _granted(record.granted, reason),
        "accessDeniedReason": reason,
        "customerId": customer_id,
        "resourceId": scope.resource_id,
        "usageLimit": record.limit,
        "hasUnlimitedUsage": record.unlimited,
        "hasSoftLimit": record.soft_limit,
        "currentUsage": record.usage_at(now),
        "requestedUsage": None,
        "requestedValues": None,
        "enumValues": _enum_values(record),
        "entitlementUpdatedAt": _iso(record.updated_at),
        **usage,
        "nextResetDate": usage["usagePeriodEnd"],
        **_reset_members(record),
        "feature": _feature(record),
        "creditRate": _credit_rate(record),
        "validUntil": to_epoch_ms(record.valid_until) if record.valid_until is not None else None,
    }


def _feature_v2(record: FeatureRecord, scope: Scope, now: datetime) -> Json:
    reason = _feature_reason(record, scope)
    return {
        "__typename": "FeatureEntitlement",
        "isGranted": _granted(record.granted, reason),
        "accessDeniedReason": reason,
        "usageLimit": record.limit,
        "hasUnlimitedUsage": record.unlimited,
        "hasSoftLimit": record.soft_limit,
        "currentUsage": record.usage_at(now),
        "enumValues": _enum_values(record),
        "entitlementUpdatedAt": _iso(record.updated_at),
        **_usage_members(record, now),
        **_reset_members(record),
        "feature": _feature(record),
        "creditRate": _credit_rate(record),
        "validUntil": _iso(record.valid_until),
    }


def _credit_v2(record: CreditRecord) -> Json:
    return {
        "__typename": "CreditEntitlement",
        "isGranted": _granted(record.granted, record.reason),
        "accessDeniedReason": record.reason,
        "currency": {
            "__typename": "EntitlementCurrency",
            "currencyId": record.currency_id,
            "displayName": record.display_name,
            "description": record.description,
            "unitSingular": record.unit_singular,
            "unitPlural": record.unit_plural,
            "additionalMetaData": record.additional_meta_data,
        },
        "usageLimit": record.limit,
        "currentUsage": record.usage.current,
        "hasSoftLimit": record.soft_limit,
        "usageUpdatedAt": _iso(record.usage.updated_at),
        "entitlementUpdatedAt": _iso(record.updated_at),
        "usagePeriodEnd": _iso(record.usage_period_end),
        "validUntil": _iso(record.valid_until),
    }


def _feature_reason(record: FeatureRecord, scope: Scope) -> str | None:
    """A feature paid with an exhausted credit is denied InsufficientCredits, as tests/fixtures show upstream to do."""
    if record.reason is not None or record.credit_rate is None or not record.derive_credit_reason:
        return record.reason
    credit = scope.credits.get(record.credit_rate.currency_id)
    return "InsufficientCredits" if credit is not None and credit.exhausted else None


def _granted(explicit: bool | None, reason: str | None) -> bool:
    return reason is None if explicit is None else explicit


def _usage_members(record: FeatureRecord, now: datetime) -> Json:
    period = record.period_at(now)
    return {
        "usageUpdatedAt": _iso(record.usage.updated_at) if record.usage is not None else None,
        "usagePeriodAnchor": _iso(record.anchor),
        "usagePeriodStart": _iso(period.start) if period is not None else None,
        "usagePeriodEnd": _iso(period.end) if period is not None else None,
    }


def _reset_members(record: FeatureRecord) -> Json:
    configuration = None
    if record.reset_period in _RESET_CONFIGURATION:
        typename, member = _RESET_CONFIGURATION[record.reset_period]
        configuration = {"__typename": typename, member: record.according_to}
    return {"resetPeriod": record.reset_period, "resetPeriodConfiguration": configuration}


def _feature(record: FeatureRecord) -> Json:
    return {
        "__typename": "EntitlementFeature",
        "featureType": record.kind,
        "meterType": record.meter_type,
        "featureUnits": record.units,
        "featureUnitsPlural": record.units_plural,
        "description": record.description,
        "displayName": record.display_name,
        "refId": record.id,
        "unitTransformation": None,
    }


def _credit_rate(record: FeatureRecord) -> Json | None:
    if record.credit_rate is None:
        return None
    rate = record.credit_rate
    return {"__typename": "CreditRate", "amount": rate.amount, "currencyId": rate.currency_id}


def _enum_values(record: FeatureRecord) -> list[str] | None:
    return list(record.enum_values) if record.enum_values is not None else None


def _iso(instant: datetime | None) -> str | None:
    return to_iso(instant) if instant is not None else None
