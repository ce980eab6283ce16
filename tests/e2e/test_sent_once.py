"""A report is counted once, whatever becomes of its answer.

docs/protocol.md section 2.4: the vendor's engine sends a DELTA again without a key, and it is counted twice. Here V2
reports are repeated under one idempotency key, V1 reports are not repeated once they may have been processed. HTTP
clients replay requests on pooled connections by themselves, so the connection is a warm one in these tests.
"""

from collections.abc import Callable
from typing import Any

import pytest
from grpc import StatusCode as Code

from harness.client import Client, event, usage_report
from harness.daemon import Daemon, Daemons
from harness.failures import refusal
from harness.waiting import eventually
from independent_upstream import (
    FOREVER,
    DropAfterProcessing,
    Gate,
    GraphqlError,
    HalfBody,
    Hold,
    Request,
    Reset,
    Silent,
    Status,
    Upstream,
    edge,
    operation,
    reused_connection,
)

LOST_ANSWERS: dict[str, Any] = {
    "dropped after processing": DropAfterProcessing(),
    "reset after processing": Reset(processes=True),
    "502 after processing": Status(502, processes=True),
    "half an answer": HalfBody(),
}

SEATS = 3
"""What c has used before every report."""


@pytest.fixture
def seats(upstream: Upstream) -> Upstream:
    upstream.world.customer("c").metered("seats", limit=100, usage=SEATS)
    upstream.world.customer("warm").metered("seats", limit=100)
    return upstream


def warm_up(client: Client) -> None:
    """Leaves connections in the pool: several, since the last one used may be on its way back into it."""
    for call in [client.background.report_usage("warm", "seats", 1) for _ in range(5)]:
        call.result()


def copies(upstream: Upstream, name: str) -> list[Request]:
    """Every copy of the report in question that reached upstream."""
    return [request for request in upstream.recorder.requests(operation(name)) if "warm" not in request.body.decode()]


def keys(request: Request) -> list[str | None]:
    given = request.variables["input"]
    items = given.get("usages") or given.get("usageEvents") or [given]
    return [item.get("idempotencyKey") for item in items]


REPORTS: dict[str, tuple[str, float, Callable[[Client], Any]]] = {
    "single": ("ReportUsage", 1, lambda client: client.report_usage("c", "seats", 1)),
    "release": ("ReportUsage", -1, lambda client: client.report_usage("c", "seats", -1)),
    "bulk": ("ReportUsageBulk", 2, lambda client: client.report_bulk([usage_report("c", "seats", 1)] * 2)),
}
"""GraphQL operation, change of usage, call."""


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("fault", LOST_ANSWERS)
class TestV2:
    """Copies carry the same key, the world counts once, and the caller gets its answer."""

    def test_a_lost_answer_is_asked_for_again_under_the_same_key(
        self, fault: str, report: str, seats: Upstream, sidecar: Daemon
    ) -> None:
        name, change, call = REPORTS[report]
        warm_up(sidecar.client)
        lost = seats.faults.inject(operation(name) & reused_connection(), LOST_ANSWERS[fault])
        call(sidecar.client)
        assert lost.hits == 1
        sent = copies(seats, name)
        assert len(sent) >= 2
        assert all(keys(each) == keys(sent[0]) for each in sent)
        assert all(keys(sent[0]))
        assert len(set(keys(sent[0]))) == len(keys(sent[0]))
        assert seats.world.usage("c", "seats") == SEATS + change


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("fault", LOST_ANSWERS)
class TestV1:
    """Exactly one copy reaches upstream, and the caller hears that it cannot be known."""

    def test_a_lost_answer_is_not_asked_for_again(
        self, fault: str, report: str, seats: Upstream, daemon: Daemons
    ) -> None:
        name, change, call = REPORTS[report]
        client = daemon(seats, UPSTREAM_API="v1").client
        warm_up(client)
        lost = seats.faults.inject(operation(name) & reused_connection(), LOST_ANSWERS[fault])
        refused = refusal(lambda: call(client))
        assert refused.code is Code.UNAVAILABLE
        assert refused.message.startswith("Failed to report usage: ")
        assert lost.hits == 1
        assert len(copies(seats, name)) == 1
        assert seats.world.usage("c", "seats") == SEATS + change


@pytest.mark.parametrize("generation", ["v1", "v2"])
@pytest.mark.parametrize("fault", LOST_ANSWERS)
def test_events_carry_keys_in_both_generations(fault: str, generation: str, seats: Upstream, daemon: Daemons) -> None:
    client = daemon(seats, UPSTREAM_API=generation).client
    warm_up(client)
    seats.faults.inject(operation("ReportEvent") & reused_connection(), LOST_ANSWERS[fault])
    client.report_events([event("login", "c", "key-1"), event("login", "c", "key-2")])
    assert {tuple(keys(each)) for each in copies(seats, "ReportEvent")} == {("key-1", "key-2")}
    assert [each.idempotency_key for each in seats.world.events] == ["key-1", "key-2"]


def test_a_v2_report_that_never_gets_through_ends_unavailable(seats: Upstream, sidecar: Daemon) -> None:
    seats.faults.inject(operation("ReportUsage"), DropAfterProcessing(), times=FOREVER)
    refused = refusal(lambda: sidecar.client.report_usage("c", "seats", 1))
    assert refused.code is Code.UNAVAILABLE
    assert len({tuple(keys(each)) for each in copies(seats, "ReportUsage")}) == 1
    assert seats.world.usage("c", "seats") == SEATS + 1


@pytest.mark.parametrize("generation", ["v1", "v2"])
def test_a_refused_report_is_sent_once(generation: str, seats: Upstream, daemon: Daemons) -> None:
    client = daemon(seats, UPSTREAM_API=generation).client
    seats.faults.inject(operation("ReportUsage"), GraphqlError("UnexpectedError"), times=FOREVER)
    assert refusal(lambda: client.report_usage("c", "seats", 1)).code is Code.UNKNOWN
    assert len(copies(seats, "ReportUsage")) == 1


@pytest.mark.parametrize("generation", ["v1", "v2"])
def test_a_report_without_an_answer_is_sent_once(generation: str, seats: Upstream, daemon: Daemons) -> None:
    """A time-out is final (section 2.4)."""
    client = daemon(seats, UPSTREAM_API=generation, REPORT_TIMEOUT_MS=300).client
    warm_up(client)
    seats.faults.inject(operation("ReportUsage"), Silent(processes=True), times=FOREVER)
    refused = refusal(lambda: client.report_usage("c", "seats", 1))
    assert refused.code is Code.DEADLINE_EXCEEDED
    assert len(copies(seats, "ReportUsage")) == 1


def open_connections(client: Client, upstream: Upstream, count: int) -> None:
    """Leaves `count` idle connections in the pool: reads that were under way at once."""
    gate = Gate()
    upstream.faults.inject(edge(), Hold(gate), times=count)
    calls = [client.background.boolean(f"reader-{i}", "flag") for i in range(count)]
    gate.wait_until_held(count)
    gate.release()
    for call in calls:
        call.result()


@pytest.mark.parametrize("generation", ["v1", "v2"])
def test_connections_that_upstream_closed_while_idle_never_double_a_report(
    generation: str, seats: Upstream, daemon: Daemons
) -> None:
    """OK and counted, or UNAVAILABLE and not processed: the caller may repeat it."""
    client = daemon(seats, UPSTREAM_API=generation).client
    open_connections(client, seats, 5)
    seats.drop_connections()
    heard = client.background.report_usage("c", "seats", 1).code()
    assert heard in (Code.OK, Code.UNAVAILABLE)
    assert seats.world.usage("c", "seats") == SEATS + (heard is Code.OK)


@pytest.mark.parametrize("count", [1, 20])
def test_a_v2_report_survives_connections_that_upstream_closed_while_idle(
    count: int, seats: Upstream, sidecar: Daemon
) -> None:
    """What a load balancer does every few minutes; upstream itself is well."""
    open_connections(sidecar.client, seats, count)
    seats.drop_connections()
    assert sidecar.client.report_usage("c", "seats", 1).current_usage == SEATS + 1


@pytest.mark.parametrize("generation", ["v1", "v2"])
def test_a_report_while_upstream_is_away_is_not_sent_later(generation: str, seats: Upstream, daemon: Daemons) -> None:
    """An error answer is final: there is no queue behind the caller's back (section 9)."""
    client = daemon(seats, UPSTREAM_API=generation).client
    warm_up(client)
    seats.stop()
    assert refusal(lambda: client.report_usage("c", "seats", 1)).code is Code.UNAVAILABLE
    seats.start()
    eventually(lambda: client.background.report_usage("warm", "seats", 1).code() is Code.OK)
    assert seats.world.usage("c", "seats") == SEATS
