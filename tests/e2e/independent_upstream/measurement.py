"""What a usage report is and what the upstream keeps and answers for it (docs/protocol.md section 2.2)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .instants import to_iso
from .periods import Period


@dataclass(frozen=True)
class UsageReport:
    """One `ReportUsageInput`, coerced by the GraphQL library."""

    customer_id: str
    feature_id: str
    value: float
    resource_id: str | None = None
    update_behavior: str = "DELTA"
    created_at: datetime | None = None
    dimensions: dict[str, Any] | None = None
    idempotency_key: str | None = None

    @staticmethod
    def from_input(item: dict[str, Any]) -> "UsageReport":
        return UsageReport(
            customer_id=item["customerId"],
            feature_id=item["featureId"],
            value=item["value"],
            resource_id=item.get("resourceId"),
            update_behavior=item.get("updateBehavior") or "DELTA",
            created_at=item.get("createdAt"),
            dimensions=item.get("dimensions"),
            idempotency_key=item.get("idempotencyKey"),
        )


@dataclass(frozen=True)
class CreditMeasurement:
    currency_id: str
    current_usage: float
    consumed: float
    usage_period_end: datetime | None


@dataclass(frozen=True)
class Measurement:
    """One accepted report, in the order of acceptance; repeats of an idempotency key make no new one."""

    id: str
    report: UsageReport
    current_usage: float
    period: Period | None
    timestamp: datetime
    credit: CreditMeasurement | None

    def as_json(self) -> dict[str, Any]:
        """`UsageMeasurementWithCurrentUsage`. A V1 schema does not know `credit`, so nobody can select it there."""
        end = to_iso(self.period.end) if self.period is not None else None
        return {
            "__typename": "UsageMeasurementWithCurrentUsage",
            "id": self.id,
            "featureId": self.report.feature_id,
            "customerId": self.report.customer_id,
            "resourceId": self.report.resource_id,
            "currentUsage": self.current_usage,
            "credit": self._credit_json(),
            "usagePeriodStart": to_iso(self.period.start) if self.period is not None else None,
            "usagePeriodEnd": end,
            "nextResetDate": end,
            "timestamp": to_iso(self.timestamp),
        }

    def _credit_json(self) -> dict[str, Any] | None:
        if self.credit is None:
            return None
        end = self.credit.usage_period_end
        return {
            "__typename": "UsageMeasurementCredit",
            "currencyId": self.credit.currency_id,
            "currentUsage": self.credit.current_usage,
            "usagePeriodEnd": to_iso(end) if end is not None else None,
            "timestamp": to_iso(self.timestamp),
            "consumed": self.credit.consumed,
        }
