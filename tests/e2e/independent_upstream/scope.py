"""One (customer, resource-or-none): the unit in which entitlements are fetched (docs/protocol.md section 4.1).

Scopes are never merged: a resource holds its own entitlements, exactly as the protocol has it. Every method that
defines something returns the scope, so that a test reads as a description:

    world.customer("c1").boolean("feature-sso").metered("feature-seats", limit=5, usage=3)
    world.customer("c1").resource("site-1").metered("feature-seats", limit=2)
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import RLock
from typing import Any, Literal, Self, TypedDict, Unpack

from .instants import Stamps
from .periods import RESET_PERIODS, Period
from .records import CreditRate, CreditRecord, FeatureRecord, Usage

Generation = Literal["v1", "v2"]
When = datetime | Literal["now"] | None
"""An update time to serve: an instant, the moment of the definition, or null."""

DEFAULT_ANCHOR = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Shared:
    """What all scopes of one world share. `lock` guards every scope, record map and log of that world."""

    lock: RLock
    stamps: Stamps


class Common(TypedDict, total=False):
    """Options of every feature definition."""

    display_name: str
    description: str | None
    granted: bool
    reason: str | None
    valid_until: datetime | None
    updated_at: When


class Scope:
    """Thread-safe: every method takes the world's lock."""

    def __init__(self, shared: Shared, resource_id: str | None = None) -> None:
        self._shared = shared
        self.resource_id = resource_id
        self.features: dict[str, FeatureRecord] = {}
        self.credits: dict[str, CreditRecord] = {}
        self.raw_edge_bodies: dict[Generation, bytes] = {}

    # Definitions. Defining an id again replaces it, with a new `entitlementUpdatedAt`.

    def boolean(self, feature_id: str, **common: Unpack[Common]) -> Self:
        return self._define(feature_id, "BOOLEAN", "None", common, {})

    def numeric(
        self,
        feature_id: str,
        value: float | None,
        *,
        unlimited: bool = False,
        units: tuple[str, str] = ("unit", "units"),
        meter: str | None = "None",
        **common: Unpack[Common],
    ) -> Self:
        """A configured number. `meter=None` serves a null meter type (docs/protocol.md section 4.2)."""
        own = {"limit": value, "unlimited": unlimited, "units": units[0], "units_plural": units[1]}
        return self._define(feature_id, "NUMBER", meter, common, own)

    def enum(self, feature_id: str, values: list[str], **common: Unpack[Common]) -> Self:
        return self._define(feature_id, "ENUM", "None", common, {"enum_values": tuple(values)})

    def metered(
        self,
        feature_id: str,
        *,
        limit: float | None = None,
        usage: float = 0,
        unlimited: bool = False,
        soft_limit: bool = False,
        meter: str | None = "Fluctuating",
        units: tuple[str, str] = ("unit", "units"),
        reset: str | None = None,
        according_to: str = "SubscriptionStart",
        anchor: datetime = DEFAULT_ANCHOR,
        period: tuple[datetime, datetime] | None = None,
        credit_rate: tuple[float, str] | None = None,
        derive_credit_reason: bool = True,
        reject_over_limit: bool = False,
        usage_updated_at: When = "now",
        **common: Unpack[Common],
    ) -> Self:
        """`reset` is an EntitlementResetPeriod: usage then belongs to the period of `anchor` around the world's now.

        `period` fixes start and end instead, also in the past; `credit_rate` is (amount per unit, currency id).
        """
        if reset is not None and reset not in RESET_PERIODS:
            raise ValueError(f"reset must be one of {RESET_PERIODS}, not {reset!r}")
        own = {
            "limit": limit, "unlimited": unlimited, "soft_limit": soft_limit,
            "units": units[0], "units_plural": units[1],
            "reset_period": reset,
            "according_to": according_to if reset is not None else None,
            "anchor": anchor if reset is not None else None,
            "fixed_period": Period(*period) if period is not None else None,
            "credit_rate": CreditRate(*credit_rate) if credit_rate is not None else None,
            "derive_credit_reason": derive_credit_reason,
            "reject_over_limit": reject_over_limit,
        }  # fmt: skip
        with self._shared.lock:
            self._define(feature_id, "NUMBER", meter, common, own)
            return self.set_usage(feature_id, usage, updated_at=usage_updated_at)

    def credit(
        self,
        currency_id: str,
        *,
        limit: float,
        usage: float = 0,
        soft_limit: bool = False,
        display_name: str | None = None,
        description: str | None = None,
        units: tuple[str, str] = ("credit", "credits"),
        metadata: dict[str, Any] | None = None,
        usage_period_end: datetime | None = None,
        granted: bool | None = None,
        reason: str | None = None,
        valid_until: datetime | None = None,
        updated_at: When = "now",
        usage_updated_at: When = "now",
    ) -> Self:
        """A credit entitlement: an element of its own in V2, only a denial reason on features in V1 (section 0)."""
        with self._shared.lock:
            self.credits[currency_id] = CreditRecord(
                currency_id=currency_id, display_name=display_name or currency_id, description=description,
                limit=limit, soft_limit=soft_limit, usage=Usage(usage, self._when(usage_updated_at)),
                granted=granted, reason=reason, unit_singular=units[0], unit_plural=units[1],
                additional_meta_data=metadata, usage_period_end=usage_period_end, valid_until=valid_until,
                updated_at=self._when(updated_at),
            )  # fmt: skip
        return self

    # Changes.

    def set_usage(self, feature_id: str, usage: float, *, updated_at: When = "now") -> Self:
        """Changes usage as another client's report would. KeyError if the feature is not defined here."""
        with self._shared.lock:
            record, stamp = self.features[feature_id], self._shared.stamps.next()
            period = record.period_at(stamp)
            when = stamp if updated_at == "now" else updated_at
            state = Usage(usage, when, period.start if period is not None else None)
            self.features[feature_id] = replace(record, usage=state)
        return self

    def set_credit_usage(self, currency_id: str, usage: float, *, updated_at: When = "now") -> Self:
        with self._shared.lock:
            record = self.credits[currency_id]
            self.credits[currency_id] = replace(record, usage=Usage(usage, self._when(updated_at)))
        return self

    def deny(self, entitlement_id: str, reason: str | None) -> Self:
        """Puts an upstream denial reason (section 4.6) on a feature or currency; None lifts it."""
        with self._shared.lock:
            stamp = self._shared.stamps.next()
            if entitlement_id in self.features:
                feature = self.features[entitlement_id]
                self.features[entitlement_id] = replace(feature, reason=reason, updated_at=stamp)
            else:
                credit = self.credits[entitlement_id]
                self.credits[entitlement_id] = replace(credit, reason=reason, updated_at=stamp)
        return self

    def remove(self, entitlement_id: str) -> Self:
        with self._shared.lock:
            if self.features.pop(entitlement_id, None) is None and self.credits.pop(entitlement_id, None) is None:
                raise KeyError(entitlement_id)
        return self

    def raw_edge_body(self, body: bytes | None, *, generation: Generation | None = None) -> Self:
        """Makes the Edge serve exactly these bytes with status 200 for this scope; None ends it.

        Without `generation` both Edge documents are replaced. GraphQL is not affected.
        """
        generations: tuple[Generation, ...] = ("v1", "v2") if generation is None else (generation,)
        with self._shared.lock:
            for each in generations:
                self.raw_edge_bodies.pop(each, None)
                if body is not None:
                    self.raw_edge_bodies[each] = body
        return self

    def copy_entitlements_from(self, other: "Scope") -> Self:
        """Adds or replaces, with a new `entitlementUpdatedAt`."""
        with self._shared.lock:
            stamp = self._shared.stamps.next()
            self.features |= {key: replace(each, updated_at=stamp) for key, each in other.features.items()}
            self.credits |= {key: replace(each, updated_at=stamp) for key, each in other.credits.items()}
        return self

    def _define(self, feature_id: str, kind: str, meter: str | None, common: Common, own: dict[str, Any]) -> Self:
        with self._shared.lock:
            options: dict[str, Any] = {"display_name": feature_id, **common}
            options["updated_at"] = self._when(common.get("updated_at", "now"))
            self.features[feature_id] = FeatureRecord(id=feature_id, kind=kind, meter_type=meter, **options, **own)
        return self

    def _when(self, when: When) -> datetime | None:
        return self._shared.stamps.next() if when == "now" else when
