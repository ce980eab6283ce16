"""Holds responses until a test lets them go, so that tests about ordering need no sleeps."""

from threading import Condition


class Gate:
    """Closed until `release()`, then open for good. Thread-safe; may be used by several faults and servers.

    Example:

        gate = Gate()
        upstream.faults.inject(edge(), Hold(gate))
        ... start a check in the background ...
        gate.wait_until_held(1)     # upstream has computed the answer and keeps it back
        ... do what must happen in between ...
        gate.release()
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._open = False
        self._abandoned = False
        self._held = 0

    @property
    def held(self) -> int:
        """How many responses have ever been held here, those already released included."""
        with self._changed:
            return self._held

    def wait_until_held(self, count: int = 1, timeout: float = 5.0) -> None:
        """Raises TimeoutError unless `count` responses have been held within `timeout` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._held >= count, timeout):
                raise TimeoutError(f"{self._held} of {count} responses held after {timeout} s")

    def release(self) -> None:
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def hold(self) -> bool:
        """For the server: waits for release(). False when the server stops first. Bounded by Upstream.stop()."""
        with self._changed:
            self._held += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._open or self._abandoned)
            return self._open

    def abandon(self) -> None:
        """For the server: ends all holding because it stops."""
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()
