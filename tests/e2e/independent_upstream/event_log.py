"""Accepts events and drops repeats by idempotency key (docs/protocol.md sections 2.2 and 9)."""

from dataclasses import dataclass
from datetime import datetime
from threading import RLock
from typing import Any

from .dimensions import require_scalar_dimensions
from .errors import UpstreamError

EVENTS_PER_REPORT_MAX = 1000
"""docs/protocol.md section 9."""


@dataclass(frozen=True)
class Event:
    name: str
    customer_id: str
    idempotency_key: str
    resource_id: str | None
    dimensions: dict[str, Any] | None
    timestamp: datetime | None

    @staticmethod
    def from_input(item: dict[str, Any]) -> "Event":
        return Event(
            name=item["eventName"],
            customer_id=item["customerId"],
            idempotency_key=item["idempotencyKey"],
            resource_id=item.get("resourceId"),
            dimensions=item.get("dimensions"),
            timestamp=item.get("timestamp"),
        )


class EventLog:
    """Thread-safe; the lock is the world's. Customers are not looked up: events are processed later upstream."""

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._by_key: dict[str, Event] = {}
        self._repeats = 0

    @property
    def events(self) -> list[Event]:
        """Every distinct event, in order of first arrival."""
        with self._lock:
            return list(self._by_key.values())

    @property
    def repeats(self) -> int:
        """How many events arrived under a key already known."""
        with self._lock:
            return self._repeats

    def report(self, events: list[Event]) -> None:
        """All or nothing: 1 to EVENTS_PER_REPORT_MAX events, each with a non-empty key, else BadUserInput."""
        if not 1 <= len(events) <= EVENTS_PER_REPORT_MAX:
            raise UpstreamError("BadUserInput", f"usageEvents must hold 1 to {EVENTS_PER_REPORT_MAX} items")
        for event in events:
            if not event.idempotency_key:
                raise UpstreamError("BadUserInput", "idempotencyKey must not be empty")
            require_scalar_dimensions(event.dimensions)
        with self._lock:
            for event in events:
                if event.idempotency_key in self._by_key:
                    self._repeats += 1
                else:
                    self._by_key[event.idempotency_key] = event
