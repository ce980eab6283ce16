"""The script of faults: which requests meet which fault, and how often.

Examples:

    upstream.faults.inject(edge(), Status(503, {"Retry-After": "30"}), times=2)
    upstream.faults.inject(operation("ReportUsage"), DropAfterProcessing())
    upstream.faults.inject(edge("v2") & customer("c1"), Delay(0.2), GraphqlError("UnexpectedError"), times=FOREVER)
    upstream.faults.inject_on_accept(Reset())
"""

from threading import Condition, Lock

from .fault_steps import Delay, DropBeforeReading, Ending, Hold, Reset, Silent, Wait
from .gate import Gate
from .match import Predicate
from .request import Request

FOREVER = None
"""For `times`: until removed."""


class Fault:
    """One line of the script. Handed to the test to watch or remove it. Thread-safe."""

    def __init__(
        self, where: Predicate, waits: list[Wait], ending: Ending | None, times: int | None, wait_first: bool
    ) -> None:
        self.where = where
        self.waits = waits
        self.ending = ending
        self.wait_first = wait_first
        self._changed = Condition()
        self._remaining = times
        self._hits = 0

    @property
    def hits(self) -> int:
        """How many requests have met this fault; each was on the record before it was counted here."""
        with self._changed:
            return self._hits

    def wait_for_hits(self, count: int = 1, timeout: float = 5.0) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._hits >= count, timeout):
                raise TimeoutError(f"{self} hit {self._hits} of {count} times within {timeout} s")

    def remove(self) -> None:
        """Later requests pass; one that has met the fault already goes through with it."""
        with self._changed:
            self._remaining = 0

    def take(self) -> bool:
        """For the script: uses the fault up by one, if anything is left of it."""
        with self._changed:
            if self._remaining == 0:
                return False
            if self._remaining is not None:
                self._remaining -= 1
            return True

    def met(self) -> None:
        """For the server: the request that took the fault is recorded and now meets it."""
        with self._changed:
            self._hits += 1
            self._changed.notify_all()

    def __str__(self) -> str:
        return f"{self.where}: {[*self.waits, self.ending]}"


class FaultScript:
    """Faults are tried in the order of injection and the first that matches and is not used up applies. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._faults: list[Fault] = []
        self._accept_faults: list[Fault] = []
        self._gates: list[Gate] = []

    def inject(
        self, where: Predicate, *steps: Wait | Ending, times: int | None = 1, wait_before_processing: bool = False
    ) -> Fault:
        """`steps`: Delays and Holds, then at most one ending. `times`: how many requests meet it, or FOREVER.

        Waits come between processing and answering, so an answer tells the state of before the wait;
        `wait_before_processing` turns that round.
        """
        waits, ending = _split(steps)
        fault = Fault(where, waits, ending, times, wait_before_processing)
        with self._lock:
            self._faults.append(fault)
            self._gates += [wait.gate for wait in waits if isinstance(wait, Hold)]
        return fault

    def inject_on_accept(self, ending: DropBeforeReading | Reset | Silent, *, times: int | None = 1) -> Fault:
        """Hits connections instead of requests, before a byte is read."""
        fault = Fault(_on_accept, [], ending, times, False)
        with self._lock:
            self._accept_faults.append(fault)
        return fault

    def clear(self) -> None:
        """Removes every fault. Gates stay as they are: what they hold, they hold."""
        with self._lock:
            for fault in self._faults + self._accept_faults:
                fault.remove()
            self._faults.clear()
            self._accept_faults.clear()

    # For the server.

    def take_on_accept(self) -> Fault | None:
        with self._lock:
            return next((fault for fault in self._accept_faults if fault.take()), None)

    def take(self, request: Request, *, body_read: bool) -> Fault | None:
        """The fault for this request at this stage: DropBeforeReading strikes before the body, all others after."""
        with self._lock:
            for fault in self._faults:
                strikes_before_body = isinstance(fault.ending, DropBeforeReading)
                if strikes_before_body is not body_read and fault.where(request) and fault.take():
                    return fault
        return None

    def abandon_gates(self) -> None:
        """Lets every holding thread end, those of removed faults included."""
        with self._lock:
            for gate in self._gates:
                gate.abandon()


def _split(steps: tuple[Wait | Ending, ...]) -> tuple[list[Wait], Ending | None]:
    waits = [step for step in steps if isinstance(step, Delay | Hold)]
    endings = [step for step in steps if not isinstance(step, Delay | Hold)]
    if len(endings) > 1 or list(steps) != [*waits, *endings] or not steps:
        raise ValueError("a fault is any number of Delay and Hold, then at most one ending")
    return waits, endings[0] if endings else None


def _on_accept(_request: Request) -> bool:
    return True
