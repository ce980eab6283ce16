"""Instants as the protocol writes them: ISO-8601, UTC, milliseconds (docs/protocol.md sections 1.3 and 9)."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Returns the wall time, zone-aware."""

_ISO_8601 = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})")


def system_clock() -> datetime:
    return datetime.now(UTC)


def to_iso(instant: datetime) -> str:
    """`2026-11-20T10:00:00.123Z`; a naive datetime is a mistake of the test and raises."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant!r} has no time zone")
    utc = instant.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def to_epoch_ms(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def from_iso(text: str) -> datetime:
    """Raises ValueError for anything but a full date, time and zone: stricter than most servers, on purpose."""
    if not _ISO_8601.fullmatch(text):
        raise ValueError(f"not an ISO-8601 instant with a zone: {text!r}")
    return datetime.fromisoformat(text).astimezone(UTC)


class Stamps:
    """Strictly increasing millisecond stamps, so that no two changes of one world share an update time.

    Not thread-safe; the world calls it under its lock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = datetime(1970, 1, 1, tzinfo=UTC)

    def next(self) -> datetime:
        now = self._clock().astimezone(UTC)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self._last = max(now, self._last + timedelta(milliseconds=1))
        return self._last
