"""Expected messages, built as a test describes them. Equality of protobuf messages compares presence too.

Presence follows docs/protocol.md: units are set for every feature (section 4.1), a metered body always says
has_soft_limit and reset_period (sections 4.3 and 13.7), the other optional fields are set when upstream gave them.
"""

from datetime import datetime
from typing import Any

from .contract import pb

NO_UNITS = ("", "")
COUNT = ("unit", "units")
"""Units of what the independent upstream defines unless told otherwise: numbers have some, other kinds none."""


def reason(name: str | None) -> int | None:
    """`REVOKED` -> ACCESS_DENIED_REASON_REVOKED; None, which leaves the field unset, for access."""
    return None if name is None else int(pb.AccessDeniedReason.Value(f"ACCESS_DENIED_REASON_{name}"))


def feature(id: str, kind: str, meter: str = "NONE", units: tuple[str, str] = NO_UNITS) -> Any:
    """`kind` and `meter` are the names of the contract without their prefixes."""
    return pb.EntitlementFeature(
        id=id,
        feature_type=f"FEATURE_TYPE_{kind}",
        meter_type=f"METER_TYPE_{meter}",
        units=units[0],
        units_plural=units[1],
        is_metered=meter in ("FLUCTUATING", "INCREMENTAL"),
    )


def boolean(id: str) -> Any:
    return pb.BooleanEntitlement(feature=feature(id, "BOOLEAN"))


def numeric(id: str, value: int | None, *, unlimited: bool = False, units: tuple[str, str] = COUNT) -> Any:
    return pb.NumericEntitlement(feature=feature(id, "NUMBER", units=units), value=value, is_unlimited=unlimited)


def metered(
    id: str,
    *,
    limit: float | None = None,
    usage: float = 0,
    unlimited: bool = False,
    soft_limit: bool = False,
    meter: str = "FLUCTUATING",
    units: tuple[str, str] = COUNT,
    reset: str = "UNSPECIFIED",
    anchor: datetime | None = None,
    period: tuple[datetime, datetime] | None = None,
) -> Any:
    return pb.MeteredEntitlement(
        feature=feature(id, "NUMBER", meter, units),
        usage_limit=limit,
        is_unlimited=unlimited,
        current_usage=usage,
        has_soft_limit=soft_limit,
        reset_period=f"ENTITLEMENT_RESET_PERIOD_{reset}",
        usage_period_anchor=anchor,
        usage_period_start=period[0] if period is not None else None,
        usage_period_end=period[1] if period is not None else None,
        next_reset_date=period[1] if period is not None else None,
    )


def metered_without_feature(*, limit: float | None = None, unlimited: bool = False) -> Any:
    """Not entitled, or a fallback: nothing used, no soft limit (docs/protocol.md sections 4.3 and 5.2)."""
    return pb.MeteredEntitlement(
        usage_limit=limit,
        is_unlimited=unlimited,
        has_soft_limit=False,
        reset_period=pb.ENTITLEMENT_RESET_PERIOD_UNSPECIFIED,
    )


def enum(id: str, values: list[str]) -> Any:
    return pb.EnumEntitlement(feature=feature(id, "ENUM"), enum_values=values)


def credit(
    currency_id: str,
    *,
    limit: float,
    usage: float,
    soft_limit: bool = False,
    display_name: str | None = None,
    description: str | None = None,
    units: tuple[str, str] | None = ("credit", "credits"),
    metadata: dict[str, Any] | None = None,
    period_end: datetime | None = None,
) -> Any:
    """remaining = limit - usage (docs/protocol.md section 13.8)."""
    return pb.CreditEntitlement(
        currency=pb.EntitlementCurrency(
            currency_id=currency_id,
            display_name=display_name or currency_id,
            description=description,
            unit_singular=units[0] if units is not None else None,
            unit_plural=units[1] if units is not None else None,
            additional_meta_data=metadata,
        ),
        usage_limit=limit,
        current_usage=usage,
        remaining=limit - usage,
        usage_period_end=period_end,
        has_soft_limit=soft_limit,
    )
