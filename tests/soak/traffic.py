"""What applications do: checks, usage reports and events, each answer held against the history."""

import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from threading import Event, Lock, Thread

import grpc

from harness.client import event, usage_report
from harness.contract import pb, pb_grpc
from harness.daemon import Daemon
from truth import History, Sight

DEADLINE_SECONDS = 5.0
_TRACE = (("x-entitlement-trace", "1"),)
_DURABLE = (("x-accept-durable", "1"),)


@dataclass
class Tally:
    """What came of it all. Thread-safe through `note`."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    usages: list[str] = field(default_factory=list)
    """Names of reports that a caller was told are taken."""
    events: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def note(self, *names: str, wrong: str | None = None) -> None:
        with self._lock:
            self.counts.update(names)
            if wrong is not None:
                self.wrong.append(wrong)


class Target:
    """A daemon that may be another process from one moment to the next."""

    def __init__(self, name: str, daemon: Daemon, mortal: bool) -> None:
        self.name = name
        self.daemon = daemon
        self.mortal = mortal
        self.stub = pb_grpc.SidecarServiceStub(daemon.client.channel)
        self.born = time.monotonic()


class Traffic:
    """`rate`: checks a second and target; reports are a tenth of that."""

    def __init__(self, targets: list[Target], customers: list[str], history: History, sight: Sight, tally: Tally,
                 rate: float, seed: int) -> None:
        self.calm = Event()
        """While set, a fallback is a wrong answer, as it always is of a daemon that is never ended."""
        self.quiet = Event()
        """While set, nothing is reported."""
        self._targets = targets
        self._customers = customers
        self._history = history
        self._sight = sight
        self._tally = tally
        self._stop = Event()
        checkers, reporters = 3, 1
        self._threads = [
            Thread(target=self._run, args=(self._check, target, rate / checkers, seed + i), daemon=True)
            for target in targets
            for i in range(checkers)
        ] + [
            Thread(target=self._run, args=(self._report, target, rate / 10 / reporters, seed + 100 + i), daemon=True)
            for target in targets
            for i in range(reporters)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a call does not end"

    def _run(self, act, target: Target, rate: float, seed: int) -> None:
        chance = Random(f"{seed} {target.name}")
        due = time.monotonic()
        number = 0
        while not self._stop.is_set():
            number += 1
            due = max(due + 1 / rate, time.monotonic() - 1)  # what a fault held up is not made up for
            self._stop.wait(max(0.0, due - time.monotonic()))
            try:
                act(target, chance, f"{target.name}-{seed}-{number}")
            except ValueError:  # grpcio's word for a channel that was closed meanwhile
                assert target.mortal
            except grpc.RpcError as error:
                self._tally.note(f"refused {error.code().name}")
                if not target.mortal and act == self._check:
                    self._tally.note(wrong=f"{target.name} refused a check: {error.code().name} {error.details()}")

    def _customer(self, chance: Random) -> str:
        return self._customers[min(int(chance.paretovariate(0.5)) - 1, len(self._customers) - 1)]

    def _check(self, target: Target, chance: Random, _: str) -> None:
        customer = self._customer(chance)
        asked = time.monotonic()
        must_know = self.calm.is_set() or not target.mortal
        kind = chance.random()
        if kind < 0.6:
            fault = self._level(target, customer, asked)
        elif kind < 0.9:
            fault = self._usage(target, customer)
        else:
            fault = self._list(target, customer)
        if fault == "fallback":
            self._tally.note("fallback", wrong=f"{target.name}: a fallback for {customer}" if must_know else None)
        elif fault is not None:
            self._tally.note("wrong", wrong=f"{target.name}: {fault}")

    def _level(self, target: Target, customer: str, asked: float) -> str | None:
        request = pb.GetNumericEntitlementRequest(customer_id=customer, feature_id="level")
        message, call = target.stub.GetNumericEntitlement.with_call(request, timeout=DEADLINE_SECONDS, metadata=_TRACE)
        answered = time.monotonic()
        trailers = dict(call.trailing_metadata())
        source = trailers.get("x-entitlement-source", "none")
        self._tally.note("check", f"from {source}")
        if message.is_fallback:
            return "fallback"
        age = int(trailers.get("x-entitlement-age-ms", 0)) / 1000
        earliest = asked - age - self._sight.allowance(asked)
        fault = self._history.fault_of_value(customer, message.entitlement.value, earliest, answered)
        return fault and f"{fault}; from {source}, {age:.1f} s old"

    def _usage(self, target: Target, customer: str) -> str | None:
        request = pb.GetMeteredEntitlementRequest(customer_id=customer, feature_id="calls")
        message = target.stub.GetMeteredEntitlement(request, timeout=DEADLINE_SECONDS)
        self._tally.note("check")
        if message.is_fallback:
            return "fallback"
        return self._history.fault_of_usage(customer, message.entitlement.current_usage)

    def _list(self, target: Target, customer: str) -> str | None:
        message = target.stub.GetEntitlements(pb.GetEntitlementsRequest(customer_id=customer), timeout=DEADLINE_SECONDS)
        self._tally.note("check")
        return None if len(message.entitlements) in (0, 3) else f"{customer}: {len(message.entitlements)} entitlements"

    def _report(self, target: Target, chance: Random, name: str) -> None:
        if self.quiet.is_set():
            return
        customer = self._customer(chance)
        self._history.reports(customer, 1)
        request = usage_report(customer, "calls", 1, dimensions={"name": name})
        target.stub.ReportUsage(request, timeout=DEADLINE_SECONDS, metadata=_DURABLE)
        self._tally.usages.append(name)
        events = pb.ReportEventsRequest(events=[event("login", customer, name)])
        target.stub.ReportEvents(events, timeout=DEADLINE_SECONDS)
        self._tally.events.append(name)
