"""What upstream has said of each customer, and when: the model that every answer is held against. Thread-safe.

An answer may be as old as it says of itself (trailer x-entitlement-age-ms), and older by the time that news takes: `SPREAD`
when all is well, `BLIND` after faults that the daemon can only find by their silence (docs/reliability.md, row 17).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

SPREAD = 2.0
BLIND = 25.0


@dataclass
class Version:
    """Valid from some moment of its change until some moment of the next one, in seconds of one monotonic clock."""

    value: float
    since: float
    until: float = float("inf")


class History:
    def __init__(self) -> None:
        self._lock = Lock()
        self._versions: dict[str, list[Version]] = {}
        self._reported: dict[str, float] = {}

    @contextmanager
    def change(self, customer: str, value: float) -> Iterator[None]:
        """What is done within makes the change: until it ends, the former value is right too."""
        version = Version(value, time.monotonic())
        with self._lock:
            versions = self._versions.setdefault(customer, [])
            former = versions[-1] if versions else None
            versions.append(version)
            del versions[:-64]
        yield
        if former is not None:
            former.until = time.monotonic()

    def reports(self, customer: str, amount: float) -> None:
        """Before it is sent: from now on upstream may count it."""
        with self._lock:
            self._reported[customer] = self._reported.get(customer, 0) + amount

    def now(self, customer: str) -> float:
        with self._lock:
            return self._versions[customer][-1].value

    def fault_of_value(self, customer: str, value: float, earliest: float, latest: float) -> str | None:
        """What is wrong with an answer of `value` that may speak of any moment in between."""
        with self._lock:
            versions = list(self._versions[customer])
        if any(each.value == value and each.since <= latest and each.until >= earliest for each in versions):
            return None
        current = [each.value for each in versions if each.since <= latest and each.until >= earliest]
        return f"{customer}: {value:g}, but it was {' or '.join(f'{each:g}' for each in current)}"

    def fault_of_usage(self, customer: str, usage: float) -> str | None:
        with self._lock:
            most = self._reported.get(customer, 0)
        return None if 0 <= usage <= most else f"{customer}: usage {usage:g}, but {most:g} was reported"


class Sight:
    """How late news may be, by the faults there were."""

    def __init__(self) -> None:
        self._blind_until = 0.0

    def blinded(self, now: float) -> None:
        self._blind_until = max(self._blind_until, now + BLIND)

    def allowance(self, asked: float) -> float:
        return SPREAD if asked > self._blind_until else BLIND
