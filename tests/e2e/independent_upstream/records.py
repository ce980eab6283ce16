"""What a customer is entitled to, held once and neutrally; render.py writes it as V1 or V2.

Records are immutable: a change replaces the record in its scope, so a reader never sees half of one.
Figures are floats because the protocol's are (docs/protocol.md section 2.2).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .periods import Period, period_containing


@dataclass(frozen=True)
class Usage:
    current: float
    updated_at: datetime | None
    """None is served as null: an upstream slip that clients must survive."""
    period_start: datetime | None = None
    """Start of the period that `current` was counted in; None without a reset period."""


@dataclass(frozen=True)
class CreditRate:
    """One unit of the feature costs `amount` units of the currency."""

    amount: float
    currency_id: str


@dataclass(frozen=True)
class FeatureRecord:
    id: str
    kind: str
    """FeatureType: BOOLEAN, NUMBER or ENUM."""
    meter_type: str | None
    display_name: str
    updated_at: datetime | None
    units: str = ""
    units_plural: str = ""
    description: str | None = None
    granted: bool | None = None
    """None: isGranted is served as "there is no reason against it"."""
    reason: str | None = None
    limit: float | None = None
    unlimited: bool = False
    soft_limit: bool = False
    enum_values: tuple[str, ...] | None = None
    usage: Usage | None = None
    reset_period: str | None = None
    according_to: str | None = None
    anchor: datetime | None = None
    fixed_period: Period | None = None
    """Served as it is, also when it has passed, for clients that must roll over by themselves (section 4.4)."""
    credit_rate: CreditRate | None = None
    derive_credit_reason: bool = True
    """False: an exhausted currency is not turned into InsufficientCredits here; the client must do it."""
    reject_over_limit: bool = False
    """True: a report that would pass `limit` is refused with EntitlementLimitExceededError."""
    valid_until: datetime | None = None

    @property
    def metered(self) -> bool:
        return self.kind == "NUMBER" and self.meter_type in ("Incremental", "Fluctuating")

    def period_at(self, now: datetime) -> Period | None:
        if self.fixed_period is not None:
            return self.fixed_period
        if self.reset_period is None or self.anchor is None:
            return None
        return period_containing(self.anchor, self.reset_period, now)

    def usage_at(self, now: datetime) -> float | None:
        """Zero once a new period has begun since the last report; None for what is not metered."""
        if self.usage is None:
            return None
        period = self.period_at(now)
        if period is not None and self.usage.period_start is not None and self.usage.period_start < period.start:
            return 0.0
        return self.usage.current


@dataclass(frozen=True)
class CreditRecord:
    currency_id: str
    display_name: str
    limit: float
    usage: Usage
    updated_at: datetime | None
    soft_limit: bool = False
    granted: bool | None = None
    reason: str | None = None
    unit_singular: str = "credit"
    unit_plural: str = "credits"
    description: str | None = None
    additional_meta_data: dict[str, Any] | None = None
    usage_period_end: datetime | None = None
    valid_until: datetime | None = None

    @property
    def exhausted(self) -> bool:
        return not self.soft_limit and self.limit - self.usage.current <= 0
