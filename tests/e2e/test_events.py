"""ReportEvents: what is sent, how it is split, and what is refused before anything is sent.

docs/protocol.md sections 2.2 and 9: each event carries an idempotency key, a call has at most 1000 of them.
"""

from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty

from harness.client import Client, event
from harness.daemon import Daemon
from harness.failures import invalid_argument, refusal
from independent_upstream import Request, Status, Upstream, graphql, operation


@pytest.fixture
def client(sidecar: Daemon) -> Client:
    return sidecar.client


def events_of(request: Request) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = request.variables["input"]["usageEvents"]
    return events


def sent(upstream: Upstream) -> list[list[dict[str, Any]]]:
    return [events_of(request) for request in upstream.recorder.requests(operation("ReportEvent"))]


def test_the_least(client: Client, upstream: Upstream) -> None:
    assert client.report_events([event("login", "c", "key-1")]) == Empty()
    assert sent(upstream) == [[{"eventName": "login", "customerId": "c", "idempotencyKey": "key-1"}]]


def test_everything(client: Client, upstream: Upstream) -> None:
    client.report_events(
        [
            event(
                "login",
                "c",
                "key-1",
                resource="r",
                dimensions={"user": "anna", "seconds": 1.5, "first": True, "again": False},
                timestamp=datetime(2026, 3, 4, 17, 40, 11, 512000, tzinfo=UTC),
            )
        ]
    )
    assert sent(upstream) == [
        [
            {
                "eventName": "login",
                "customerId": "c",
                "resourceId": "r",
                "idempotencyKey": "key-1",
                "dimensions": {"user": "anna", "seconds": 1.5, "first": True, "again": False},
                "timestamp": "2026-03-04T17:40:11.512Z",
            }
        ]
    ]


def test_events_of_several_customers_go_in_one_call_and_in_order(client: Client, upstream: Upstream) -> None:
    client.report_events(event("login", f"c{i}", f"key-{i}") for i in range(5))
    assert [[each["customerId"] for each in call] for call in sent(upstream)] == [[f"c{i}" for i in range(5)]]


def test_an_empty_list_is_ok_without_a_call(client: Client, upstream: Upstream) -> None:
    assert client.report_events([]) == Empty()
    assert upstream.recorder.count(graphql()) == 0


@pytest.mark.parametrize(("size", "parts"), [(1000, [1000]), (1001, [1000, 1]), (2500, [1000, 1000, 500])])
def test_more_than_1000_events_are_split(size: int, parts: list[int], client: Client, upstream: Upstream) -> None:
    client.report_events(event("login", "c", f"key-{i}") for i in range(size))
    assert [len(call) for call in sent(upstream)] == parts
    assert [each.idempotency_key for each in upstream.world.events] == [f"key-{i}" for i in range(size)]


def test_a_failing_part_stops_the_rest_and_the_message_says_how_many_counted(
    client: Client, upstream: Upstream
) -> None:
    def is_second_part(request: Request) -> bool:
        return request.operation == "ReportEvent" and events_of(request)[0]["idempotencyKey"] == "key-1000"

    upstream.faults.inject(is_second_part, Status(400), times=None)
    refused = refusal(lambda: client.report_events(event("login", "c", f"key-{i}") for i in range(2500)))
    assert refused.message.startswith("Failed to report events: ")
    assert "1000 of 2500" in refused.message
    assert [len(call) for call in sent(upstream)] == [1000, 1000]
    assert len(upstream.world.events) == 1000


def test_a_call_may_be_repeated_with_the_same_keys(client: Client, upstream: Upstream) -> None:
    """What an application does after a failure: upstream removes the duplicates."""
    for _ in range(2):
        client.report_events([event("login", "c", "key-1"), event("login", "c", "key-2")])
    assert len(upstream.world.events) == 2
    assert upstream.world.event_repeats == 2


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_passing_failure_is_retried_with_the_same_keys(status: int, client: Client, upstream: Upstream) -> None:
    upstream.faults.inject(operation("ReportEvent"), Status(status))
    client.report_events([event("login", "c", "key-1")])
    first, second = sent(upstream)
    assert first == second
    assert len(upstream.world.events) == 1


BAD_EVENTS = [
    pytest.param(event("login", "c", ""), "events[1].idempotency_key", id="no key"),
    pytest.param(event("", "c", "key"), "events[1].event_name", id="no name"),
    pytest.param(event("login", "", "key"), "events[1].customer_id", id="no customer"),
    pytest.param(event("login", "c", "k" * 1025), "events[1].idempotency_key", id="key too long"),
    pytest.param(event("login", "c", "key", resource="r\x00"), "events[1].resource_id", id="NUL in the resource"),
    pytest.param(
        event("login", "c", "key", dimensions={"size": float("nan")}), "events[1].dimensions[size]", id="NaN dimension"
    ),
    pytest.param(
        event("login", "c", "key", dimensions={str(i): i for i in range(101)}),
        "events[1].dimensions",
        id="101 dimensions",
    ),
]


@pytest.mark.parametrize(("bad", "field"), BAD_EVENTS)
def test_a_bad_event_refuses_the_whole_call_and_is_named(
    bad: Any, field: str, client: Client, upstream: Upstream
) -> None:
    message = invalid_argument(lambda: client.report_events([event("login", "c", "fine"), bad]))
    assert message.startswith(field)
    assert upstream.recorder.count(graphql()) == 0


def test_a_hundred_dimensions_are_accepted(client: Client, upstream: Upstream) -> None:
    dimensions = {f"d{i}": float(i) for i in range(100)}
    client.report_events([event("login", "c", "key", dimensions=dimensions)])
    assert upstream.world.events[0].dimensions == dimensions


def test_events_touch_no_cache(client: Client, upstream: Upstream) -> None:
    """Section 6: what they change arrives later."""
    upstream.world.customer("c").metered("seats", limit=5, usage=3)
    client.metered("c", "seats")
    client.report_events([event("login", "c", "key-1")])
    answer = client.traced.metered("c", "seats")
    assert (answer.source, answer.message.entitlement.current_usage) == ("memory", 3)


def test_a_refusal_by_upstream_reaches_the_caller(client: Client, upstream: Upstream) -> None:
    upstream.faults.inject(operation("ReportEvent"), Status(403), times=None)
    refused = refusal(lambda: client.report_events([event("login", "c", "key-1")]))
    assert refused.code is grpc.StatusCode.PERMISSION_DENIED
    assert refused.message.startswith("Failed to report events: ")
