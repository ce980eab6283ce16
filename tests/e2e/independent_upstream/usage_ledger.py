"""Counts usage: DELTA and SET, credits consumed, idempotency keys remembered for ever (docs/protocol.md 2.2, 2.4)."""

import uuid
from collections.abc import Callable
from dataclasses import replace

from .dimensions import require_scalar_dimensions
from .errors import UpstreamError
from .measurement import CreditMeasurement, Measurement, UsageReport
from .records import CreditRecord, FeatureRecord, Usage
from .scope import Scope, Shared

USAGES_PER_BULK_MAX = 100
"""docs/protocol.md section 2.5."""

FindScope = Callable[[str, str | None], Scope]
"""(customer id, resource id) -> the scope to count in; raises UpstreamError when there is none to write to."""

FeatureExists = Callable[[str], bool]


class UsageLedger:
    """Thread-safe. A bulk is atomic here: one refused item and nothing of that bulk is counted (our choice)."""

    def __init__(self, shared: Shared, find_scope: FindScope, feature_exists: FeatureExists) -> None:
        self._shared = shared
        self._find_scope = find_scope
        self._feature_exists = feature_exists
        self._accepted: list[Measurement] = []
        self._by_key: dict[str, Measurement] = {}

    @property
    def accepted(self) -> list[Measurement]:
        with self._shared.lock:
            return list(self._accepted)

    def report(self, report: UsageReport) -> Measurement:
        """A repeated key answers the first measurement again and counts nothing.

        Keys are one space for the whole world: a client that reuses one for other usage loses it, and its test fails.
        """
        with self._shared.lock:
            key = report.idempotency_key
            if key is not None and key in self._by_key:
                return self._by_key[key]
            measurement = self._count(report)
            self._accepted.append(measurement)
            if key is not None:
                self._by_key[key] = measurement
            return measurement

    def report_bulk(self, reports: list[UsageReport]) -> list[Measurement]:
        """One measurement per report, in request order. 1 to USAGES_PER_BULK_MAX reports, else BadUserInput."""
        if not 1 <= len(reports) <= USAGES_PER_BULK_MAX:
            raise UpstreamError("BadUserInput", f"usages must hold 1 to {USAGES_PER_BULK_MAX} items")
        with self._shared.lock:
            undo = self._undo_point(reports)
            try:
                return [self.report(report) for report in reports]
            except UpstreamError:
                undo()
                raise

    def _count(self, report: UsageReport) -> Measurement:
        require_scalar_dimensions(report.dimensions)
        scope = self._find_scope(report.customer_id, report.resource_id)
        record = self._metered_record(scope, report.feature_id)
        timestamp = self._shared.stamps.next()
        before = record.usage_at(timestamp) or 0.0
        after = report.value if report.update_behavior == "SET" else before + report.value
        _require_in_range(record, after)
        period = record.period_at(timestamp)
        usage = Usage(after, timestamp, period.start if period is not None else None)
        scope.features[record.id] = replace(record, usage=usage)
        credit = self._consume_credit(scope, record, after - before, usage)
        return Measurement(str(uuid.uuid4()), report, after, period, timestamp, credit)

    def _metered_record(self, scope: Scope, feature_id: str) -> FeatureRecord:
        record = scope.features.get(feature_id)
        if record is None:
            if self._feature_exists(feature_id):
                raise UpstreamError(
                    "NoFeatureEntitlementInSubscription", "Subscription has no entitlement for this feature"
                )
            raise UpstreamError("FeatureNotFound", "Feature not found")
        if not record.metered:
            raise UpstreamError("MeteringNotAvailableForFeatureType", "Feature is not metered")
        return record

    def _consume_credit(
        self, scope: Scope, record: FeatureRecord, units: float, usage: Usage
    ) -> CreditMeasurement | None:
        """A negative change gives credits back at the same rate."""
        rate = record.credit_rate
        if rate is None or rate.currency_id not in scope.credits:
            return None
        credit = scope.credits[rate.currency_id]
        consumed = units * rate.amount
        balance = Usage(credit.usage.current + consumed, usage.updated_at)
        scope.credits[rate.currency_id] = replace(credit, usage=balance)
        return CreditMeasurement(rate.currency_id, balance.current, consumed, credit.usage_period_end)

    def _undo_point(self, reports: list[UsageReport]) -> Callable[[], None]:
        """Records are immutable, so shallow copies of the maps are a complete snapshot."""
        accepted, by_key = list(self._accepted), dict(self._by_key)
        saved: list[tuple[Scope, dict[str, FeatureRecord], dict[str, CreditRecord]]] = []
        for report in reports:
            try:
                scope = self._find_scope(report.customer_id, report.resource_id)
            except UpstreamError:
                continue
            saved.append((scope, dict(scope.features), dict(scope.credits)))

        def undo() -> None:
            self._accepted, self._by_key = accepted, by_key
            for scope, features, credits in saved:
                scope.features, scope.credits = features, credits

        return undo


def _require_in_range(record: FeatureRecord, after: float) -> None:
    if after < 0:
        raise UpstreamError("EntitlementUsageOutOfRangeError", "Usage cannot become negative")
    if record.reject_over_limit and not record.unlimited and not record.soft_limit and after > (record.limit or 0):
        raise UpstreamError("EntitlementLimitExceededError", "Usage exceeds the entitlement limit")
