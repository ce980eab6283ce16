"""grpc.health.v1, as its clients know it; what becomes of it in the drain is in test_lifecycle.py too."""

import signal
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from harness.contract import SERVICE, health_pb2, health_pb2_grpc
from harness.daemon import Daemon, Daemons
from harness.failures import refusal
from harness.waiting import PATIENCE_SECONDS

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


def test_watch_says_not_serving_when_the_daemon_drains(daemon: Daemons) -> None:
    draining = daemon(OFFLINE=1, DRAIN_SETTLE_MS=500)
    stream: Iterator[Any] = watch(health_pb2_grpc.HealthStub(draining.client.channel), "")
    assert next(stream).status == SERVING
    draining.process.signal(signal.SIGTERM)
    assert next(stream).status == NOT_SERVING
    assert draining.process.wait() == 0


def test_check_says_not_serving_while_the_daemon_drains(daemon: Daemons) -> None:
    draining = daemon(OFFLINE=1, DRAIN_SETTLE_MS=1000)
    stub = health_pb2_grpc.HealthStub(draining.client.channel)
    stream: Iterator[Any] = watch(stub, "")
    next(stream)
    draining.process.signal(signal.SIGTERM)
    next(stream)
    assert stub.Check(health_pb2.HealthCheckRequest(), timeout=5).status == NOT_SERVING
    assert draining.process.wait() == 0


def test_watchers_that_leave_are_forgotten(offline: Daemon, stub: Any) -> None:
    """More than may watch at once (1000), one after the other."""
    for _ in range(1100):
        stream = watch(stub, "")
        assert next(stream).status == SERVING
        stream.cancel()


def test_watchers_beyond_the_bound_are_refused(daemon: Daemons) -> None:
    """1000 (docs/architecture.md, bounds); those who watch stay."""
    busy = daemon(OFFLINE=1)
    channels = [busy.client.channel, *(grpc.insecure_channel(busy.target, [("grpc.use_local_subchannel_pool", 1)]) for _ in range(2))]
    streams = [watch(health_pb2_grpc.HealthStub(channels[i % len(channels)]), "") for i in range(1000)]
    assert all(next(stream).status == SERVING for stream in streams)
    refused = refusal(lambda: next(watch(health_pb2_grpc.HealthStub(channels[0]), "")))
    assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    streams[0].cancel()
    for channel in channels:
        channel.close()
