"""The rules of model.py, played check by check for a fleet that is small enough: what the model's expectations are checked
against."""

import collections
import random
import typing

from model import Fleet


class Counted(typing.NamedTuple):
    upstream: int
    redis: int
    waiting: int
    checks: int


class Sidecar:
    """Memory: least recently used first."""

    def __init__(self, capacity: float) -> None:
        self.capacity = capacity
        self.held: collections.OrderedDict = collections.OrderedDict()  # customer -> when it was fetched

    def look(self, customer: int) -> float | None:
        if customer in self.held:
            self.held.move_to_end(customer)
        return self.held.get(customer)

    def keep(self, customer: int, fetched: float) -> None:
        self.held[customer] = fetched
        self.held.move_to_end(customer)
        if len(self.held) > self.capacity:
            self.held.popitem(last=False)


def play(fleet: Fleet, seconds: float, count_from: float, restarts: dict | None = None, seed: int = 1) -> Counted:
    """All begin empty; what happens from `count_from` on is counted. `restarts`: sidecar -> when it starts empty again."""
    random.seed(seed)
    sidecars = [Sidecar(fleet.capacity) for _ in range(fleet.sidecars)]
    shared: dict = {}
    due = sorted((when, which) for which, when in (restarts or {}).items())
    weights = [(rank + 1) ** -fleet.exponent for rank in range(fleet.customers)]
    total = int(fleet.checks * seconds)
    whom = random.choices(range(fleet.customers), weights, k=total)
    upstream = redis = waiting = checks = 0
    for number, customer in enumerate(whom):
        now = number / fleet.checks
        counts = now >= count_from
        checks += counts
        while due and due[0][0] <= now:
            sidecars[due.pop(0)[1]] = Sidecar(fleet.capacity)
        sidecar = sidecars[customer % fleet.sidecars if fleet.affinity else random.randrange(fleet.sidecars)]
        fetched = sidecar.look(customer)
        if fetched is not None and (fleet.feed or now - fetched < fleet.ttl):
            continue
        waiting += counts
        if fleet.redis:
            redis += counts
            there = shared.get(customer)
            if there is not None and (fleet.feed or now - there < fleet.ttl):
                sidecar.keep(customer, there)
                continue
            redis += counts
            shared[customer] = now
        upstream += counts
        sidecar.keep(customer, now)
    return Counted(upstream, redis, waiting, checks)
