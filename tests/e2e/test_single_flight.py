"""However many callers ask for one cold customer: one upstream request, and all are answered.

Design section 5. Every test holds upstream's answer until the daemon itself says that the callers are waiting.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from harness.client import Client
from harness.daemon import Daemon
from harness.waiting import PATIENCE_SECONDS, eventually
from independent_upstream import Gate, Hold, Status, Upstream, customer, edge, resource

CALLERS = 500
CONNECTIONS = 5

COALESCED = "sidecar_upstream_coalesced_total"
"""Reads that waited for a fetch which another read had started."""


@pytest.fixture
def clients(sidecar: Daemon) -> Iterator[list[Client]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Client(sidecar.target)) for _ in range(CONNECTIONS)]


@pytest.fixture
def gate(upstream: Upstream) -> Gate:
    """Closed before every answer about customer c."""
    gate = Gate()
    upstream.faults.inject(edge() & customer("c"), Hold(gate), times=None)
    return gate


def results(calls: list[Any]) -> list[Any]:
    return [call.result(timeout=PATIENCE_SECONDS) for call in calls]


def test_500_concurrent_checks_of_a_cold_customer_make_one_request(
    sidecar: Daemon, clients: list[Client], gate: Gate, upstream: Upstream
) -> None:
    upstream.world.customer("c").metered("seats", limit=5, usage=3)
    calls = [clients[i % CONNECTIONS].background.metered("c", "seats") for i in range(CALLERS)]
    gate.wait_until_held()
    eventually(lambda: sidecar.metrics()[COALESCED] == CALLERS - 1)
    gate.release()
    answers = results(calls)
    assert [(each.has_access, each.is_fallback, each.entitlement.current_usage) for each in answers] == [
        (True, False, 3)
    ] * CALLERS
    assert upstream.recorder.count(edge()) == 1


def test_all_kinds_of_reads_share_the_request(
    sidecar: Daemon, clients: list[Client], gate: Gate, upstream: Upstream
) -> None:
    upstream.world.customer("c").boolean("flag").metered("seats", limit=5).enum("region", ["eu"]).numeric("size", 1)
    calls = []
    for client in clients:
        ask = client.background
        calls += [
            ask.boolean("c", "flag"), ask.metered("c", "seats"), ask.enum("c", "region"), ask.numeric("c", "size"),
            ask.generic("c", "flag"), ask.v2("c", "seats"), ask.entitlements("c"), ask.state("c"),
        ]  # fmt: skip
    gate.wait_until_held()
    eventually(lambda: sidecar.metrics()[COALESCED] == len(calls) - 1)
    gate.release()
    assert len(results(calls)) == len(calls)
    assert upstream.recorder.count(edge()) == 1


def test_a_customer_and_its_resources_are_asked_for_apart(
    sidecar: Daemon, clients: list[Client], gate: Gate, upstream: Upstream
) -> None:
    upstream.world.customer("c").boolean("flag").resource("r").boolean("flag")
    calls = [client.background.boolean("c", "flag", resource=which) for client in clients for which in (None, "r")]
    gate.wait_until_held(2)
    eventually(lambda: sidecar.metrics()[COALESCED] == len(calls) - 2)
    gate.release()
    assert all(answer.has_access for answer in results(calls))
    assert upstream.recorder.count(edge() & resource(None)) == 1
    assert upstream.recorder.count(edge() & resource("r")) == 1


def test_a_failure_is_shared_too(sidecar: Daemon, clients: list[Client], upstream: Upstream) -> None:
    gate = Gate()
    upstream.faults.inject(edge(), Hold(gate), Status(403))
    calls = [client.background.boolean("c", "flag", fallback={"has_access": True}) for client in clients]
    gate.wait_until_held()
    eventually(lambda: sidecar.metrics()[COALESCED] == len(calls) - 1)
    gate.release()
    assert all((answer.has_access, answer.is_fallback) == (True, True) for answer in results(calls))
    assert upstream.recorder.count(edge()) == 1


def test_the_others_are_answered_when_the_first_caller_leaves(
    sidecar: Daemon, clients: list[Client], gate: Gate, upstream: Upstream
) -> None:
    upstream.world.customer("c").boolean("flag")
    first = clients[0].background.boolean("c", "flag")
    gate.wait_until_held()
    others = [client.background.boolean("c", "flag") for client in clients]
    eventually(lambda: sidecar.metrics()[COALESCED] == len(others))
    first.cancel()
    gate.release()
    assert all(answer.has_access for answer in results(others))
    assert upstream.recorder.count(edge()) == 1


def test_an_answer_fills_the_cache_when_every_caller_has_left(sidecar: Daemon, gate: Gate, upstream: Upstream) -> None:
    upstream.world.customer("c").boolean("flag")
    call = sidecar.client.background.boolean("c", "flag")
    gate.wait_until_held()
    call.cancel()
    gate.release()
    upstream.recorder.wait_for(
        lambda request: request.is_edge and request.outcome.finished and bool(request.customer_id)
    )
    answer = eventually(lambda: sidecar.client.traced.boolean("c", "flag"), until=lambda each: each.source == "memory")
    assert answer.message.has_access
    assert upstream.recorder.count(edge()) == 1


def test_one_slow_customer_holds_up_no_other(sidecar: Daemon, gate: Gate, upstream: Upstream) -> None:
    upstream.world.customer("c").boolean("flag")
    upstream.world.customer("other").boolean("flag")
    slow = sidecar.client.background.boolean("c", "flag")
    gate.wait_until_held()
    assert sidecar.client.boolean("other", "flag", timeout=5).has_access
    assert not slow.done()
    gate.release()
    assert slow.result(timeout=PATIENCE_SECONDS).has_access


def test_upstream_concurrency_is_bounded_and_all_are_answered(
    sidecar: Daemon, clients: list[Client], upstream: Upstream
) -> None:
    """64 fetches at once (design section 5); the rest queue."""
    customers = [f"c{i}" for i in range(200)]
    for each in customers:
        upstream.world.customer(each).boolean("flag")
    gate = Gate()
    upstream.faults.inject(edge(), Hold(gate), times=None)
    calls = [clients[i % CONNECTIONS].background.boolean(each, "flag") for i, each in enumerate(customers)]
    gate.wait_until_held(64)
    eventually(lambda: sidecar.metrics()["sidecar_cache_misses_total"] == len(customers))
    assert upstream.recorder.count(edge()) == 64
    gate.release()
    assert all(answer.has_access for answer in results(calls))
    assert upstream.recorder.count(edge()) == len(customers)
