"""What upstream pushes, as values of the subscriptions' root fields (docs/protocol.md section 3.2).

    feed.publish("usageUpdatedV2", push.usage_v2("c", "seats", 4))
    feed.publish("entitlementsUpdatedV2", push.list_v2(upstream, "c"))
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from independent_upstream import Upstream
from independent_upstream.instants import to_epoch_ms, to_iso

Value = Mapping[str, Any]


def seconds_ago(seconds: float) -> datetime:
    """Negative: in the future."""
    return datetime.now(UTC) - timedelta(seconds=seconds)


def usage_v2(
    customer: str,
    id: str,
    usage: float,
    *,
    at: datetime | None = None,
    resource: str | None = None,
    credit: bool = False,
    period: tuple[datetime, datetime] | None = None,
) -> Value:
    """`at` is usageUpdatedAt, by default now."""
    return {
        "customerId": customer,
        "resourceId": resource,
        "entitlementReference": {"type": "CREDIT" if credit else "FEATURE", "id": id},
        "usage": {
            "currentUsage": usage,
            "usagePeriodStart": to_iso(period[0]) if period is not None else None,
            "usagePeriodEnd": to_iso(period[1]) if period is not None else None,
            "usageUpdatedAt": to_iso(at or datetime.now(UTC)),
        },
    }


def usage_v1(
    customer: str,
    feature: str,
    usage: float,
    *,
    resource: str | None = None,
    period: tuple[datetime, datetime] | None = None,
) -> Value:
    """Without a date of its own; those it has are epoch milliseconds."""
    return {
        "usage": {
            "customerId": customer,
            "resourceId": resource,
            "featureId": feature,
            "currentUsage": usage,
            "usagePeriodStart": to_epoch_ms(period[0]) if period is not None else None,
            "usagePeriodEnd": to_epoch_ms(period[1]) if period is not None else None,
        },
    }


def list_v2(upstream: Upstream, customer: str, resource: str | None = None) -> Value:
    """What the world has of this customer now. An unknown one: an empty list with a reason."""
    state = upstream.world.entitlements_state(customer, resource)
    return {
        "customerId": customer,
        "resourceId": resource,
        "accessDeniedReason": state["accessDeniedReason"],
        "entitlements": state["entitlementsV2"],
    }


def empty_v2(customer: str, reason: str | None = None) -> Value:
    return {"customerId": customer, "resourceId": None, "accessDeniedReason": reason, "entitlements": []}


def list_v1(upstream: Upstream, customer: str, resource: str | None = None) -> Value:
    entitlements = upstream.world.entitlements_v1(customer, resource)
    return {"customerId": customer, "resourceId": resource, "entitlements": entitlements}


def balance_v1(customer: str, currency: str, balance: float, *, resource: str | None = None) -> Value:
    return {
        "customerId": customer,
        "resourceId": resource,
        "currencyId": currency,
        "currency": {"currencyId": currency, "displayName": currency},
        "currentBalance": balance,
        "totalConsumed": 100 - balance,
        "totalGranted": 100,
        "validUntil": None,
    }


def package(migration: str) -> Value:
    """`migration` is ALL_CUSTOMERS or NEW_CUSTOMERS."""
    return {
        "accountId": "account",
        "environmentId": "environment",
        "packageType": "Plan",
        "packageRefId": "plan",
        "packageVersion": 2,
        "migrationType": migration,
    }
