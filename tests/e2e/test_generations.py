"""Which of upstream's two generations the daemon speaks, and how it finds out (docs/protocol.md section 0).

Each channel keeps a choice of its own: the Edge, GraphQL reads, and writes (the `idempotencyKey` input).
"""

from typing import Any

import grpc
import pytest

from harness import expected
from harness.client import Client, usage_report
from harness.daemon import Daemon, Daemons
from harness.failures import refusal
from independent_upstream import FOREVER, Request, Status, Upstream, edge

V1_CHOSEN = "speaks protocol generation V1"
"""In the one line of the log that tells of the switch."""


@pytest.fixture
def upstream_of_v1(upstream: Upstream) -> Upstream:
    upstream.generations.only_v1()
    return upstream


def labels(upstream: Upstream) -> list[str]:
    """What was asked of upstream after the start-up check."""
    checks = ("edge:config", "GetSdkConfiguration")
    return [request.label for request in upstream.recorder.requests() if request.label not in checks]


def define(upstream: Upstream, *customers: str) -> None:
    for each in customers:
        upstream.world.customer(each).metered("seats", limit=5, usage=3)


def switch_lines(daemon: Daemon) -> list[str]:
    return [line for line in daemon.process.stderr.lines if V1_CHOSEN in line]


class TestForced:
    """UPSTREAM_API=v1 or v2: nothing else is tried."""

    @pytest.mark.parametrize("generation", ["v1", "v2"])
    def test_only_that_document_of_the_edge_is_fetched(
        self, generation: str, upstream: Upstream, daemon: Daemons
    ) -> None:
        define(upstream, "c")
        assert daemon(upstream, UPSTREAM_API=generation).client.metered("c", "seats").has_access
        assert labels(upstream) == [f"edge:{generation}"]

    @pytest.mark.parametrize("generation", ["v1", "v2"])
    def test_a_generation_that_upstream_does_not_serve_is_a_failure(
        self, generation: str, upstream: Upstream, daemon: Daemons
    ) -> None:
        define(upstream, "c")
        {"v1": upstream.generations.only_v2, "v2": upstream.generations.only_v1}[generation]()
        assert daemon(upstream, UPSTREAM_API=generation).client.metered("c", "seats").is_fallback
        assert set(labels(upstream)) == {f"edge:{generation}"}

    @pytest.mark.parametrize(("generation", "query"), [("v1", "GetEntitlements"), ("v2", "GetEntitlementsState")])
    def test_only_that_query_of_graphql_is_sent(
        self, generation: str, query: str, upstream: Upstream, daemon: Daemons
    ) -> None:
        define(upstream, "c")
        client = daemon(upstream, UPSTREAM_API=generation, EDGE_ENABLED=0).client
        assert client.metered("c", "seats").has_access
        assert labels(upstream) == [query]

    @pytest.mark.parametrize(("generation", "carries_key"), [("v1", False), ("v2", True)])
    def test_only_v2_reports_carry_an_idempotency_key(
        self, generation: str, carries_key: bool, upstream: Upstream, daemon: Daemons
    ) -> None:
        define(upstream, "c")
        client = daemon(upstream, UPSTREAM_API=generation).client
        client.report_usage("c", "seats", 1)
        client.report_bulk([usage_report("c", "seats", 1) for _ in range(2)])
        items = [item for request in upstream.recorder.requests() for item in reported(request)]
        assert len(items) == 3
        assert [bool(item.get("idempotencyKey")) for item in items] == [carries_key] * 3

    def test_the_setting_is_taken_in_any_case(self, upstream: Upstream, daemon: Daemons) -> None:
        define(upstream, "c")
        assert daemon(upstream, UPSTREAM_API="V1").client.metered("c", "seats").has_access
        assert labels(upstream) == ["edge:v1"]


def reported(request: Request) -> list[dict[str, Any]]:
    """The usage items of a mutation."""
    given = request.variables.get("input", {})
    items: list[dict[str, Any]] = given.get("usages") or ([given] if "featureId" in given else [])
    return items


class TestEdgeChoosesByItself:
    def test_v2_is_taken_where_it_is_served(self, sidecar: Daemon, upstream: Upstream) -> None:
        define(upstream, "c1", "c2")
        assert all(sidecar.client.metered(each, "seats").has_access for each in ("c1", "c2"))
        assert sidecar.client.metered("nobody", "seats").access_denied_reason == expected.reason("CUSTOMER_NOT_FOUND")
        assert labels(upstream) == ["edge:v2"] * 3
        assert not switch_lines(sidecar)

    def test_a_404_and_a_v1_list_that_is_not_empty_switch_to_v1(
        self, sidecar: Daemon, upstream_of_v1: Upstream
    ) -> None:
        define(upstream_of_v1, "c1", "c2", "c3")
        assert all(sidecar.client.metered(each, "seats").has_access for each in ("c1", "c2", "c3"))
        assert labels(upstream_of_v1) == ["edge:v2", "edge:v1", "edge:v1", "edge:v1"]

    def test_the_switch_is_logged_once(self, sidecar: Daemon, upstream_of_v1: Upstream) -> None:
        define(upstream_of_v1, "c1", "c2")
        for each in ("c1", "c2"):
            sidecar.client.metered(each, "seats")
        sidecar.stop()
        assert len(switch_lines(sidecar)) == 1

    def test_an_empty_v1_list_proves_nothing(self, sidecar: Daemon, upstream_of_v1: Upstream) -> None:
        """The customer is unknown either way; the next one is asked for in V2 first again."""
        define(upstream_of_v1, "c1")
        unknown = sidecar.client.metered("nobody", "seats")
        assert (unknown.is_fallback, unknown.access_denied_reason) == (False, expected.reason("CUSTOMER_NOT_FOUND"))
        assert sidecar.client.metered("c1", "seats").has_access
        assert labels(upstream_of_v1) == ["edge:v2", "edge:v1", "edge:v2", "edge:v1"]

    @pytest.mark.parametrize("status", [400, 403, 500])
    def test_other_failures_are_no_reason_to_try_v1(self, status: int, sidecar: Daemon, upstream: Upstream) -> None:
        define(upstream, "c")
        upstream.faults.inject(edge("v2"), Status(status), times=FOREVER)
        assert sidecar.client.metered("c", "seats").is_fallback
        assert set(labels(upstream)) == {"edge:v2"}

    @pytest.mark.parametrize("body", [b"", b"Not Found", b"{}", b'{"message":"no Route matched"}'])
    def test_whatever_the_body_of_the_404(self, body: bytes, sidecar: Daemon, upstream: Upstream) -> None:
        define(upstream, "c")
        upstream.faults.inject(edge("v2"), Status(404, body=body), times=FOREVER)
        assert sidecar.client.metered("c", "seats").has_access


class TestGraphqlReadsChooseByThemselves:
    @pytest.fixture
    def client(self, upstream: Upstream, daemon: Daemons) -> Client:
        define(upstream, "c1", "c2")
        client: Client = daemon(upstream, EDGE_ENABLED=0).client
        return client

    def test_v2_is_taken_where_it_is_served(self, client: Client, upstream: Upstream) -> None:
        assert all(client.metered(each, "seats").has_access for each in ("c1", "c2"))
        assert labels(upstream) == ["GetEntitlementsState"] * 2

    def test_a_rejected_query_switches_to_v1_at_once(self, client: Client, upstream_of_v1: Upstream) -> None:
        assert all(client.metered(each, "seats").has_access for each in ("c1", "c2"))
        assert labels(upstream_of_v1) == ["GetEntitlementsState", "GetEntitlements", "GetEntitlements"]
        assert len(upstream_of_v1.recorder.take_graphql_rejections()) == 1


class TestWritesChooseByThemselves:
    def test_v2_is_taken_where_it_is_served(self, sidecar: Daemon, upstream: Upstream) -> None:
        define(upstream, "c")
        sidecar.client.report_usage("c", "seats", 1)
        assert upstream.world.measurements[0].report.idempotency_key

    def test_a_rejected_key_switches_to_v1_and_the_report_counts_once(
        self, sidecar: Daemon, upstream_of_v1: Upstream
    ) -> None:
        define(upstream_of_v1, "c")
        assert sidecar.client.report_usage("c", "seats", 1).current_usage == 4
        assert sidecar.client.report_usage("c", "seats", 1).current_usage == 5
        assert labels(upstream_of_v1) == ["ReportUsage"] * 3
        assert len(upstream_of_v1.recorder.take_graphql_rejections()) == 1
        assert upstream_of_v1.world.usage("c", "seats") == 5

    def test_a_bulk_switches_too(self, sidecar: Daemon, upstream_of_v1: Upstream) -> None:
        define(upstream_of_v1, "c")
        answer = sidecar.client.report_bulk([usage_report("c", "seats", 1) for _ in range(2)])
        assert [each.current_usage for each in answer.usages] == [4, 5]
        assert len(upstream_of_v1.recorder.take_graphql_rejections()) == 1

    def test_a_refused_report_is_no_reason_to_switch(self, sidecar: Daemon, upstream: Upstream) -> None:
        define(upstream, "c")
        assert refusal(lambda: sidecar.client.report_usage("nobody", "seats", 1)).code is grpc.StatusCode.NOT_FOUND
        sidecar.client.report_usage("c", "seats", 1)
        assert upstream.world.measurements[0].report.idempotency_key

    def test_v2_alone_without_the_key_is_not_given_up_when_forced(
        self, upstream_of_v1: Upstream, daemon: Daemons
    ) -> None:
        define(upstream_of_v1, "c")
        client = daemon(upstream_of_v1, UPSTREAM_API="v2").client
        refused = refusal(lambda: client.report_usage("c", "seats", 1))
        assert refused.message.startswith("Failed to report usage: ")
        assert upstream_of_v1.world.usage("c", "seats") == 3
        assert upstream_of_v1.recorder.take_graphql_rejections()


def test_the_choices_of_the_channels_are_independent(sidecar: Daemon, upstream: Upstream) -> None:
    """An Edge of V1 says nothing about GraphQL."""
    define(upstream, "c")
    upstream.generations.edge_v2 = False
    assert sidecar.client.metered("c", "seats").has_access
    assert sidecar.client.reload("c").entitled_entity_exists
    sidecar.client.report_usage("c", "seats", 1)
    assert labels(upstream) == ["edge:v2", "edge:v1", "GetEntitlementsState", "ReportUsage"]
    assert upstream.world.measurements[0].report.idempotency_key
