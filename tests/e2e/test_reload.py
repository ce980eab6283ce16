"""ReloadEntitlements: always through GraphQL, always replaces, never an error (docs/protocol.md section 6)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from harness import expected
from harness.client import Client
from harness.contract import pb
from harness.daemon import Daemon, Daemons
from harness.waiting import PATIENCE_SECONDS
from independent_upstream import (
    FOREVER,
    Body,
    Gate,
    GraphqlError,
    Hold,
    Status,
    Upstream,
    edge,
    graphql,
    operation,
)

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

EXISTS = pb.ReloadEntitlementsResponse(entitled_entity_exists=True)
DOES_NOT = pb.ReloadEntitlementsResponse(entitled_entity_exists=False)


@pytest.fixture
def client(sidecar: Daemon, upstream: Upstream) -> Client:
    """c has used 3 of 5 seats, of its resource r 1 of 2."""
    upstream.world.customer("c").metered("seats", limit=5, usage=3).resource("r").metered("seats", limit=2, usage=1)
    return sidecar.client


def test_it_asks_graphql_although_the_edge_is_there(client: Client, upstream: Upstream) -> None:
    assert client.reload("c") == EXISTS
    assert upstream.recorder.count(operation("GetEntitlementsState")) == 1
    assert upstream.recorder.count(edge()) == 0


def test_what_it_fetched_answers_the_next_checks(client: Client, upstream: Upstream) -> None:
    client.reload("c")
    answer = client.traced.metered("c", "seats")
    assert (answer.source, answer.message.entitlement.current_usage) == ("memory", 3)
    assert upstream.recorder.count(edge()) == 0


def test_it_replaces_what_is_cached(client: Client, upstream: Upstream) -> None:
    assert client.metered("c", "seats").entitlement.current_usage == 3
    upstream.world.customer("c").metered("seats", limit=50, usage=40).boolean("flag")
    assert client.reload("c") == EXISTS
    assert client.metered("c", "seats").entitlement == expected.metered("seats", limit=50, usage=40)
    assert client.boolean("c", "flag").has_access


def test_it_replaces_newer_data_with_older(client: Client, upstream: Upstream) -> None:
    """Whoever asks for a reload wants what upstream says now, whatever its dates."""
    client.metered("c", "seats")
    client.report_usage("c", "seats", 1)
    upstream.world.customer("c").metered("seats", limit=7, usage=2, updated_at=LONG_AGO, usage_updated_at=LONG_AGO)
    assert client.reload("c") == EXISTS
    assert client.metered("c", "seats").entitlement == expected.metered("seats", limit=7, usage=2)


def test_it_replaces_each_scope_by_itself(client: Client, upstream: Upstream) -> None:
    client.metered("c", "seats")
    client.metered("c", "seats", resource="r")
    upstream.world.customer("c").set_usage("seats", 5).resource("r").set_usage("seats", 2)
    assert client.reload("c", resource="r") == EXISTS
    assert client.metered("c", "seats", resource="r").entitlement.current_usage == 2
    assert client.metered("c", "seats").entitlement.current_usage == 3
    assert upstream.recorder.requests(graphql())[-1].variables == {"query": {"customerId": "c", "resourceId": "r"}}


@pytest.mark.parametrize("who", ["nobody", "archived", "unsubscribed"])
def test_a_customer_without_entitlements_does_not_exist(who: str, client: Client, upstream: Upstream) -> None:
    upstream.world.customer("archived").archive()
    upstream.world.customer("unsubscribed").no_subscription()
    assert client.reload(who) == DOES_NOT


def test_a_customer_that_is_gone_is_forgotten(client: Client, upstream: Upstream) -> None:
    assert client.metered("c", "seats").has_access
    upstream.world.remove_customer("c")
    assert client.reload("c") == DOES_NOT
    assert client.metered("c", "seats").access_denied_reason == expected.reason("CUSTOMER_NOT_FOUND")


FAILURES: dict[str, Any] = {
    "403": Status(403),
    "401": Status(401),
    "errors in a 200": GraphqlError("UnexpectedError", keep_data=True),
    "not JSON": Body(b"<html>"),
    "no data": Body(b'{"data":null}'),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_answers_false_and_keeps_what_is_cached(failure: str, client: Client, upstream: Upstream) -> None:
    before = client.metered("c", "seats")
    upstream.faults.inject(graphql(), FAILURES[failure], times=FOREVER)
    assert client.reload("c") == DOES_NOT
    assert client.metered("c", "seats") == before


def test_without_upstream_it_answers_false(client: Client, upstream: Upstream) -> None:
    upstream.stop()
    assert client.reload("c") == DOES_NOT


def test_a_passing_failure_is_not_seen(client: Client, upstream: Upstream) -> None:
    upstream.faults.inject(graphql(), Status(503))
    assert client.reload("c") == EXISTS


@pytest.mark.parametrize(("generation", "query"), [("v1", "GetEntitlements"), ("v2", "GetEntitlementsState")])
def test_it_speaks_the_generation_in_use(generation: str, query: str, upstream: Upstream, daemon: Daemons) -> None:
    upstream.world.customer("c").boolean("flag")
    assert daemon(upstream, UPSTREAM_API=generation).client.reload("c") == EXISTS
    assert [request.label for request in upstream.recorder.requests(graphql())] == [query]


def test_reads_go_on_meanwhile(client: Client, upstream: Upstream) -> None:
    client.metered("c", "seats")
    gate = Gate()
    upstream.faults.inject(graphql(), Hold(gate))
    reload = client.background.reload("c")
    gate.wait_until_held()
    assert client.metered("c", "seats").has_access
    gate.release()
    assert reload.result(timeout=PATIENCE_SECONDS) == EXISTS
