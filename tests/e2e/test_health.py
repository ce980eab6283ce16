"""grpc.health.v1, as its clients know it."""

import signal
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from harness.client import Client
from harness.contract import SERVICE, health_pb2, health_pb2_grpc
from harness.daemon import Daemon, Daemons
from harness.failures import refusal
from harness.waiting import PATIENCE_SECONDS, timed

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN

KNOWN = ["", SERVICE, "grpc.health.v1.Health"]


@pytest.fixture(scope="module")
def offline(shared_daemons: Daemons) -> Daemon:
    return shared_daemons(OFFLINE=1)


@pytest.fixture
def stub(offline: Daemon) -> Any:
    return health_pb2_grpc.HealthStub(offline.client.channel)


def watch(stub: Any, service: str) -> Any:
    return stub.Watch(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE_SECONDS)


@pytest.mark.parametrize("service", KNOWN)
def test_check_says_serving(stub: Any, service: str) -> None:
    assert stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5).status == SERVING


def test_check_of_an_unknown_service_is_not_found(stub: Any) -> None:
    refused = refusal(lambda: stub.Check(health_pb2.HealthCheckRequest(service="somebody.Else"), timeout=5))
    assert refused.code is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("service", KNOWN)
def test_watch_begins_with_serving(stub: Any, service: str) -> None:
    stream = watch(stub, service)
    assert next(stream).status == SERVING
    stream.cancel()


def test_watch_of_an_unknown_service_says_so_and_goes_on(stub: Any) -> None:
    """The protocol forbids ending the stream: the service might appear."""
    stream = watch(stub, "somebody.Else")
    assert next(stream).status == SERVICE_UNKNOWN
    assert stream.is_active()
    stream.cancel()


class TestDrain:
    """SIGTERM: clients are to see NOT_SERVING and move away (design section 13)."""

    @staticmethod
    def watched(daemon: Daemon) -> tuple[Any, Iterator[Any]]:
        stub = health_pb2_grpc.HealthStub(daemon.client.channel)
        stream: Any = watch(stub, "")
        assert next(stream).status == SERVING
        return stub, stream

    def test_watch_says_not_serving(self, daemon: Daemons) -> None:
        draining = daemon(OFFLINE=1, DRAIN_SETTLE_MS=500)
        _, stream = self.watched(draining)
        draining.process.signal(signal.SIGTERM)
        assert next(stream).status == NOT_SERVING
        stream.cancel()
        assert draining.process.wait() == 0

    def test_check_says_not_serving(self, daemon: Daemons) -> None:
        draining = daemon(OFFLINE=1, DRAIN_SETTLE_MS=1000)
        stub, stream = self.watched(draining)
        draining.process.signal(signal.SIGTERM)
        next(stream)
        assert stub.Check(health_pb2.HealthCheckRequest(), timeout=5).status == NOT_SERVING
        stream.cancel()
        assert draining.process.wait() == 0

    def test_watchers_do_not_hold_up_the_end(self, daemon: Daemons) -> None:
        """A watcher never leaves by itself: it is no call to wait for."""
        draining = daemon(OFFLINE=1, DRAIN_TIMEOUT_MS=8000)
        watching = self.watched(draining)
        draining.process.signal(signal.SIGTERM)
        _, seconds = timed(draining.process.wait)
        assert seconds < 4
        del watching

    def test_watchers_that_stay_to_the_last_do_no_harm(self, daemon: Daemons) -> None:
        for _ in range(8):
            draining = daemon(OFFLINE=1, DRAIN_TIMEOUT_MS=300)
            watching = [self.watched(draining) for _ in range(100)]
            draining.process.signal(signal.SIGTERM)
            assert draining.process.wait() == 0
            del watching

    def test_watchers_that_leave_in_the_last_moment_do_no_harm(self, daemon: Daemons) -> None:
        for _ in range(5):
            draining = daemon(OFFLINE=1)
            watching = [self.watched(draining)[1] for _ in range(500)]
            for stream in watching:
                stream.cancel()
            draining.process.signal(signal.SIGTERM)
            assert draining.process.wait() == 0


def test_watchers_that_leave_are_forgotten(offline: Daemon, stub: Any) -> None:
    """More than may watch at once (1000), one after the other."""
    for _ in range(1100):
        stream = watch(stub, "")
        assert next(stream).status == SERVING
        stream.cancel()


def test_watchers_beyond_the_bound_are_refused(daemon: Daemons) -> None:
    """1000 (docs/architecture.md, bounds). A connection has at most 1000 calls, so there are two."""
    busy = daemon(OFFLINE=1)
    with Client(busy.target) as other:
        stubs = [health_pb2_grpc.HealthStub(client.channel) for client in (busy.client, other)]
        streams = [watch(stubs[i % 2], "") for i in range(1000)]
        assert all(next(stream).status == SERVING for stream in streams)
        refused = refusal(lambda: next(watch(stubs[0], "")))
        assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        busy.process.kill()  # the end of a daemon with watchers is the subject of TestDrain
