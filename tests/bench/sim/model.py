"""What a fleet of sidecars asks of the cloud and of Redis: expected values, for any number of sidecars and customers.

Customers are taken together by rank (a zipf law), sidecars by age, and each quantity is the expectation of a Poisson stream of
checks. `events.py` plays the same rules check by check; test_sim.py compares. The rules are the daemon's:

- a customer that is not in memory is a miss; the least recently used are evicted at a limit (by Che's approximation: those
  not asked for in `window` seconds);
- with a live feed what is in memory stays current; without, a fetch serves `ttl` seconds;
- with Redis a miss asks Redis first. Redis has whoever was asked for by any sidecar since it was filled, kept current by
  the leader; without a feed for `ttl` seconds after the fetch;
  (Where memory evicts within `ttl`, this counts too few: some of what is held was fetched before that.)
- a change reaches memory by a push to each sidecar, or with Redis by an invalidation to each, and a read by those that hold it.
"""

import functools
import math
import typing

ZIPF = 0.99


class Bucket(typing.NamedTuple):
    """Customers of about the same share of all checks."""

    customers: float
    share: float  # of each


@functools.cache
def zipf(customers: int, exponent: float = ZIPF, step: float = 1.04) -> list:
    """Ranks 1, 2, 3, … in ever wider buckets. Shares add up to 1."""
    if exponent == 1:
        raise ValueError("the integral of 1/x is another one")

    def mass(low: float, high: float) -> float:
        """Of the ranks low + 1 to high: the integral, shifted by half a rank."""
        return ((high + 0.5) ** (1 - exponent) - (low + 0.5) ** (1 - exponent)) / (1 - exponent)

    buckets, low = [], 0
    while low < customers:
        high = min(customers, max(low + 1, int(low * step)))
        weight = sum((rank + 1) ** -exponent for rank in range(low, high)) if high < 1_000 else mass(low, high)
        buckets.append((high - low, weight))
        low = high
    total = sum(weight for _, weight in buckets)
    return [Bucket(count, weight / total / count) for count, weight in buckets]


class Fleet(typing.NamedTuple):
    sidecars: int
    customers: int
    checks: float  # a second, of all sidecars together
    changes: float  # a second, of all customers together
    feed: bool = True
    redis: bool = False
    ttl: float = 30.0  # seconds
    capacity: float = math.inf  # customers that fit into one sidecar
    exponent: float = ZIPF
    affinity: bool = False  # whoever calls sends a customer's checks to one sidecar, always the same

    @property
    def askers(self) -> int:
        """Sidecars that are asked for one customer."""
        return 1 if self.affinity else self.sidecars

    @property
    def each(self) -> float:
        """Checks a second, of those customers who are asked for at one sidecar, if all were."""
        return self.checks / self.askers

    @property
    def stays(self) -> float:
        return window(self.customers, self.exponent, self.each, self.capacity * self.sidecars / self.askers)


class Load(typing.NamedTuple):
    upstream: float  # requests a second
    redis: float  # commands a second: reads, writes and invalidations
    pushes: float  # messages a second that the cloud sends
    waiting: float  # share of checks that wait for a fetch
    age: float  # mean, seconds, of what is answered


@functools.cache
def window(customers: int, exponent: float, rate: float, capacity: float) -> float:
    """Seconds that a customer stays in memory without being asked for; infinite when all fit. `rate`: of all checks."""
    buckets = zipf(customers, exponent)
    if sum(bucket.customers for bucket in buckets) <= capacity:
        return math.inf
    low, high = 0.0, 1.0

    def held(seconds: float) -> float:
        return sum(b.customers * -math.expm1(-rate * b.share * seconds) for b in buckets)

    while held(high) < capacity:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if held(middle) < capacity else (low, middle)
    return high


def load(fleet: Fleet, ages: list, since_filled: float) -> Load:
    """At one moment. `ages`: (share of the sidecars, seconds since they started empty); `since_filled`: seconds since Redis was
    empty."""
    buckets = zipf(fleet.customers, fleet.exponent)
    each, stays, askers = fleet.each, fleet.stays, fleet.askers
    upstream = redis = waits = aged = 0.0
    for bucket in buckets:
        rate = each * bucket.share  # of one customer at one sidecar
        whole = fleet.checks * bucket.share  # of one customer at all
        missed = held = 0.0  # per customer, at the average sidecar
        for share, age in ages:
            reach = min(age, stays)
            missed += share * math.exp(-rate * reach)
            held += share * -math.expm1(-rate * reach)
        asks = rate * missed  # misses of one sidecar a second
        if not fleet.feed:
            # Of what is held, the first check after `ttl` refreshes it.
            asks += rate * held / (1 + rate * fleet.ttl)
            asker = whole if fleet.redis else rate
            aged += bucket.customers * whole * (asker * fleet.ttl * fleet.ttl / 2) / (1 + asker * fleet.ttl)
        waits += bucket.customers * askers * asks
        if not fleet.redis:
            upstream += bucket.customers * askers * asks
        else:
            redis += bucket.customers * askers * asks
            new = whole * math.exp(-whole * since_filled)
            if not fleet.feed:
                new += whole * -math.expm1(-whole * since_filled) / (1 + whole * fleet.ttl)
            new = min(new, askers * asks)
            upstream += bucket.customers * new
            redis += bucket.customers * new  # what was fetched is written
    if fleet.redis:
        # The leader writes a change; everybody hears of it, and reads it where it is held.
        redis += fleet.changes * (1 + fleet.sidecars + askers * held_share(fleet, buckets, ages))
    pushes = fleet.changes * (1 if fleet.redis else fleet.sidecars) if fleet.feed else 0.0
    return Load(upstream, redis, pushes, waits / fleet.checks, aged / fleet.checks)


def held_share(fleet: Fleet, buckets: list, ages: list) -> float:
    """Share of the askers that hold a customer who changes. Customers change as often as they are asked for."""
    each, stays = fleet.each, fleet.stays
    return sum(
        bucket.customers * bucket.share * share * -math.expm1(-each * bucket.share * min(age, stays))
        for bucket in buckets
        for share, age in ages
    )


def rolling(elapsed: float, duration: float, before: float, parts: int = 60) -> list:
    """Ages `elapsed` seconds into a deploy that restarts every sidecar once in `duration`, the last one was `before` ago."""
    done = min(1.0, elapsed / duration)
    ages = [(1 - done, before + elapsed)] if done < 1 else []
    if done > 0:
        latest = max(0.0, elapsed - duration)
        span = min(elapsed, duration)
        ages += [(done / parts, latest + span * (part + 0.5) / parts) for part in range(parts)]
    return ages
