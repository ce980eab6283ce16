"""Waiting on conditions, and time measured with the tolerance that a busy machine needs."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 15.0
"""For what happens at once on an idle machine: long enough that only a defect reaches it."""

SLACK_SECONDS = 0.25
"""What a busy two-core machine may add to any measured duration."""

_LOOK_EVERY_SECONDS = 0.02


def eventually(look: Callable[[], T], until: Callable[[T], object] = bool, within: float = PATIENCE_SECONDS) -> T:
    """The first result of `look` that satisfies `until`. AssertionError with the last one after `within` seconds."""
    deadline = time.monotonic() + within
    while not until(seen := look()):
        assert time.monotonic() < deadline, f"not within {within} s; last seen: {seen!r}"
        time.sleep(_LOOK_EVERY_SECONDS)
    return seen


def timed(action: Callable[[], T]) -> tuple[T, float]:
    """The result of `action` and how many seconds it took."""
    start = time.monotonic()
    result = action()
    return result, time.monotonic() - start
