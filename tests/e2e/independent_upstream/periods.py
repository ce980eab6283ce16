"""Usage periods: which period of an anchor an instant falls into (docs/protocol.md section 4.4)."""

import calendar
from datetime import datetime, timedelta
from typing import NamedTuple

_FIXED = {"HOUR": timedelta(hours=1), "DAY": timedelta(days=1), "WEEK": timedelta(weeks=1)}
_MONTHS = {"MONTH": 1, "YEAR": 12}

RESET_PERIODS = (*_FIXED, *_MONTHS)


class Period(NamedTuple):
    """Half-open: `start` belongs to the period, `end` to the next one."""

    start: datetime
    end: datetime


def period_containing(anchor: datetime, reset_period: str, now: datetime) -> Period:
    """The period n with anchor + n <= now < anchor + (n + 1); the first one when `now` is before the anchor."""
    n = max(0, _guess(anchor, reset_period, now))
    while n > 0 and _step(anchor, reset_period, n) > now:
        n -= 1
    return Period(_step(anchor, reset_period, n), _step(anchor, reset_period, n + 1))


def _guess(anchor: datetime, reset_period: str, now: datetime) -> int:
    """The right n, or one too many (a clamped month that has not come round yet)."""
    if reset_period in _FIXED:
        return (now - anchor) // _FIXED[reset_period]
    months = (now.year - anchor.year) * 12 + now.month - anchor.month
    return months // _MONTHS[reset_period]


def _step(anchor: datetime, reset_period: str, n: int) -> datetime:
    if reset_period in _FIXED:
        return anchor + n * _FIXED[reset_period]
    return _add_months(anchor, n * _MONTHS[reset_period])


def _add_months(anchor: datetime, months: int) -> datetime:
    """Calendar step from the anchor, clamped to the month's length: the 31st becomes 28 Feb, then 31 Mar again."""
    index = anchor.year * 12 + anchor.month - 1 + months
    year, month = divmod(index, 12)
    last_day = calendar.monthrange(year, month + 1)[1]
    return anchor.replace(year=year, month=month + 1, day=min(anchor.day, last_day))
