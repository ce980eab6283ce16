"""Remembers every request, connection and GraphQL rejection, in order, and lets tests wait for them."""

import itertools
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Condition
from typing import Any

from .match import Predicate, any_request
from .request import Request

DEFAULT_TIMEOUT_SECONDS = 5.0

EVERY_REQUEST = any_request()


@dataclass(frozen=True)
class Rejection:
    """A GraphQL request that reached no resolver: a defect of the client, unless the test provoked it."""

    request: Request
    code: str
    messages: list[str]

    def __str__(self) -> str:
        return f"{self.request.operation}: {self.code}: {'; '.join(self.messages)}"


class Recorder:
    """Thread-safe. Unbounded: it lives as long as one test."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._requests: list[Request] = []
        self._numbers = itertools.count(1)
        self._connections = 0
        self._header_names: set[str] = set()
        self._rejections: list[Rejection] = []
        self._malformed: list[str] = []
        self._internal_errors: list[BaseException] = []

    # What tests read.

    def requests(self, where: Predicate = EVERY_REQUEST) -> list[Request]:
        with self._changed:
            return [request for request in self._requests if where(request)]

    def count(self, where: Predicate = EVERY_REQUEST) -> int:
        return len(self.requests(where))

    @property
    def counters(self) -> Counter[str]:
        """Requests per `Request.label`: GraphQL operation names, edge:v1, edge:v2, edge:config, …"""
        return Counter(request.label for request in self.requests())

    @property
    def connections(self) -> int:
        """Connections accepted so far, those that sent nothing included."""
        with self._changed:
            return self._connections

    @property
    def header_names(self) -> set[str]:
        """Every distinct header name seen, in lower case."""
        with self._changed:
            return set(self._header_names)

    def wait_for(self, where: Predicate, timeout: float = DEFAULT_TIMEOUT_SECONDS) -> Request:
        """The first request, past or future, for which `where` holds; it may look at `outcome` too.

        Raises TimeoutError, naming what did arrive, after `timeout` seconds.
        """
        return self.wait_for_count(1, where, timeout)[0]

    def wait_for_count(
        self, count: int, where: Predicate = EVERY_REQUEST, timeout: float = DEFAULT_TIMEOUT_SECONDS
    ) -> list[Request]:
        """All matching requests once there are at least `count` of them."""
        found: list[Request] = []

        def enough() -> bool:
            found[:] = [request for request in self._requests if where(request)]
            return len(found) >= count

        self._wait(enough, f"{count} request(s) where {where}", timeout)
        return found

    def wait_for_connections(self, count: int, timeout: float = DEFAULT_TIMEOUT_SECONDS) -> None:
        self._wait(lambda: self._connections >= count, f"{count} connection(s)", timeout)

    def take_graphql_rejections(self) -> list[Rejection]:
        """Returns the rejections so far and forgets them: for tests that provoke some on purpose."""
        with self._changed:
            taken, self._rejections = self._rejections, []
            return taken

    def assert_clean(self) -> None:
        """Fails if a GraphQL request was rejected, if bytes came that are not HTTP, or if this server itself broke."""
        with self._changed:
            rejections = [str(each) for each in self._rejections]
            malformed, errors = list(self._malformed), [repr(each) for each in self._internal_errors]
        assert not malformed, f"not HTTP: {malformed}"
        assert not rejections, f"GraphQL requests were rejected: {rejections}"
        assert not errors, f"the independent upstream itself failed: {errors}"

    def clear(self) -> None:
        """Forgets requests and header names; numbering, connections and rejections go on."""
        with self._changed:
            self._requests.clear()
            self._header_names.clear()

    # What the server writes.

    def connection_opened(self) -> int:
        with self._changed:
            self._connections += 1
            self._changed.notify_all()
            return self._connections

    def arrived(self, draft: Request) -> Request:
        """Numbers the request and records it; from here on tests see it."""
        with self._changed:
            request = replace(draft, number=next(self._numbers), arrived_monotonic=time.monotonic())
            self._requests.append(request)
            self._header_names.update(request.headers)
            self._changed.notify_all()
            return request

    def note(self, request: Request, **outcome: Any) -> None:
        """Sets members of the request's Outcome."""
        with self._changed:
            for member, value in outcome.items():
                setattr(request.outcome, member, value)
            self._changed.notify_all()

    def rejected(self, rejection: Rejection) -> None:
        with self._changed:
            self._rejections.append(rejection)

    def malformed(self, description: str) -> None:
        """Bytes that are not an HTTP request, or a body without usable framing. There is no Request for them."""
        with self._changed:
            self._malformed.append(description)

    def internal_error(self, error: BaseException) -> None:
        with self._changed:
            self._internal_errors.append(error)

    def _wait(self, condition: Callable[[], bool], wanted: str, timeout: float) -> None:
        with self._changed:
            if not self._changed.wait_for(condition, timeout):
                seen = "\n  ".join(str(request) for request in self._requests[-20:]) or "nothing"
                raise TimeoutError(f"no {wanted} within {timeout} s; the last that arrived:\n  {seen}")
