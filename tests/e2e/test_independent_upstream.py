"""Tests of the independent upstream itself, without the daemon: standard library clients only.

Nothing here sleeps except inside an injected delay, and every wait ends by itself (probe.TIMEOUT_SECONDS).
"""

import gzip
import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from graphql import parse, validate

from independent_upstream import (
    FOREVER,
    Body,
    Delay,
    DropAfterProcessing,
    DropBeforeReading,
    Gate,
    Generations,
    GraphqlError,
    Gzipped,
    HalfBody,
    Hold,
    HugeBody,
    Request,
    Reset,
    Silent,
    Status,
    Trickle,
    Upstream,
    World,
    customer,
    documents,
    edge,
    graphql,
    js_json,
    operation,
    path_contains,
    resource,
    reused_connection,
    sdk_configuration,
)
from independent_upstream.match import Predicate
from independent_upstream.periods import period_containing
from independent_upstream.probe import Answer, Probe
from independent_upstream.schema import schema_for

pytest_plugins = ["independent_upstream.pytest_fixtures"]

FIXTURES = Path(__file__).parent.parent / "fixtures"
PROTOCOL = Path(__file__).parent.parent.parent / "docs" / "protocol.md"

NORTHWIND_QUERY = {"query": {"customerId": "cust-northwind"}}

REPORT = {"customerId": "c1", "featureId": "feature-seats", "value": 1}


CLOSED_OR_RESET = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)
"""Which of them a client sees depends on what it had still in flight."""


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_bytes())


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.fixture
def probe(upstream: Upstream) -> Iterator[Probe]:
    with Probe(upstream) as client:
        yield client


@pytest.fixture
def world(upstream: Upstream) -> World:
    """Customer c1 with one metered feature (3 of 5) and one boolean feature."""
    upstream.world.customer("c1").metered("feature-seats", limit=5, usage=3).boolean("feature-sso")
    return upstream.world


@pytest.fixture
def background() -> Iterator[Callable[..., "Future[Any]"]]:
    """Runs a call on another thread; the test asks for its result with a timeout."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        yield pool.submit


def report_usage(probe: Probe, document: str = documents.REPORT_USAGE_V2, **report: Any) -> Answer:
    return probe.graphql(document, {"input": {**REPORT, **report}})


def northwind(world: World) -> None:
    """The customer of tests/fixtures/edge-entitlements*.json."""
    updated = instant("2026-03-02T09:15:30.250Z")
    used = instant("2026-03-04T17:40:11.512Z")
    common: Any = {"updated_at": updated}
    meter: Any = {"updated_at": updated, "usage_updated_at": used}
    scope = world.customer("cust-northwind")
    scope.boolean("feature-sso", display_name="Single sign-on", **common)
    scope.numeric("feature-upload-size", 250, units=("MB", "MB"), display_name="Max upload size", **common)
    scope.metered(
        "feature-api-calls", limit=1000, usage=420, meter="Incremental", units=("call", "calls"), reset="MONTH",
        anchor=instant("2025-11-01T00:00:00Z"), display_name="API calls",
        period=(instant("2026-11-01T00:00:00Z"), instant("2096-12-01T00:00:00Z")), **meter,
    )  # fmt: skip
    scope.metered("feature-seats", limit=5, usage=5, units=("seat", "seats"), display_name="Seats", **meter)
    scope.metered("feature-storage", unlimited=True, usage=98765.5, units=("GB", "GB"), display_name="Storage", **meter)
    scope.metered(
        "feature-exports", limit=10, usage=25, soft_limit=True, meter="Incremental", units=("export", "exports"),
        reset="WEEK", according_to="EveryMonday", anchor=instant("2026-01-05T00:00:00Z"), display_name="Exports",
        period=(instant("2026-01-05T00:00:00Z"), instant("2026-01-12T00:00:00Z")), **meter,
    )  # fmt: skip
    scope.enum("feature-regions", ["eu-central", "us-east"], display_name="Regions", **common)
    scope.metered(
        "feature-ai-drafts", unlimited=True, usage=12, meter="Incremental", units=("draft", "drafts"),
        credit_rate=(2.5, "credits-ai"), display_name="AI drafts", **meter,
    )  # fmt: skip
    scope.boolean("feature-beta-lab", display_name="Beta lab", reason="Revoked", **common)
    scope.credit(
        "credits-ai", limit=500, usage=500, display_name="AI credits",
        usage_period_end=instant("2096-12-01T00:00:00Z"), **meter,
    )  # fmt: skip
    site = scope.resource("site-eu-1")
    site.metered("feature-seats", limit=3, usage=1, units=("seat", "seats"), display_name="Seats", **meter)
    site.boolean("feature-sso", display_name="Single sign-on", **common)


def upstream_body(world: World) -> bytes:
    return js_json.dumps({"data": {"entitlements": world.entitlements_v1("c1", None)}})


def in_same_order(body: Any) -> str:
    """Text that differs when any member, value or order differs."""
    return json.dumps(body, indent=1)


class TestEdge:
    @pytest.mark.parametrize(
        ("generation", "customer_id", "resource_id", "expected"),
        [
            ("v1", "cust-northwind", None, "edge-entitlements"),
            ("v1", "cust-northwind", "site-eu-1", "edge-entitlements-resource"),
            ("v1", "nobody", None, "edge-entitlements-empty"),
            ("v2", "cust-northwind", None, "edge-entitlements-state"),
            ("v2", "nobody", None, "edge-entitlements-state-customer-not-found"),
            ("v2", "lapsed", None, "edge-entitlements-state-no-subscription"),
        ],
    )
    def test_answers_are_the_fixtures(
        self, probe: Probe, upstream: Upstream, generation: str, customer_id: str, resource_id: str, expected: str
    ) -> None:
        northwind(upstream.world)
        upstream.world.customer("lapsed").boolean("feature-sso").no_subscription()
        answer = probe.entitlements(generation, customer_id, resource_id)
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("application/json")
        assert in_same_order(answer.json) == in_same_order(fixture(expected))

    def test_start_up_check_is_the_fixture(self, probe: Probe) -> None:
        assert probe.get("/v1/config/server-sdk-configuration.json").json == fixture("edge-sdk-configuration")

    def test_whole_numbers_have_no_fraction(self, probe: Probe, world: World) -> None:
        world.customer("c1").metered("feature-gb", limit=2.5, usage=1.0)
        body = probe.entitlements("v1", "c1").body
        assert b'"usageLimit":2.5' in body
        assert b'"currentUsage":1,' in body

    def test_valid_until_is_a_number_in_v1_and_a_date_in_v2(self, probe: Probe, world: World) -> None:
        world.customer("c2").boolean("feature-trial", valid_until=instant("2026-11-20T10:00:00.123Z"))
        (v1,) = probe.entitlements("v1", "c2").json["data"]["entitlements"]
        (v2,) = probe.entitlements("v2", "c2").json["data"]["entitlementsState"]["entitlementsV2"]
        assert (v1["validUntil"], v2["validUntil"]) == (1795168800123, "2026-11-20T10:00:00.123Z")

    @pytest.mark.parametrize("customer_id", ["a b", "a/b?c#d", "ünï", "100%", "a+b", "a&b=c", ":r_x", "."])
    def test_ids_are_percent_decoded(self, probe: Probe, world: World, customer_id: str) -> None:
        world.customer(customer_id).resource(customer_id).boolean("feature-sso")
        answer = probe.entitlements("v1", customer_id, customer_id)
        (entitlement,) = answer.json["data"]["entitlements"]
        assert (entitlement["customerId"], entitlement["resourceId"]) == (customer_id, customer_id)

    @pytest.mark.parametrize("target", ["/v1/c/%ff/entitlements.json", "/v1/c/c1/entitlements.json?resourceId=%ff"])
    def test_ids_that_are_not_utf8_are_refused(self, probe: Probe, target: str) -> None:
        assert probe.get(target).status == 400

    @pytest.mark.parametrize("target", ["/", "/v1/c//entitlements.json", "/v1/c/a/b/entitlements.json", "/v2/c/a/x"])
    def test_other_paths_are_404(self, probe: Probe, target: str) -> None:
        assert probe.get(target).status == 404

    def test_a_post_is_405(self, probe: Probe) -> None:
        answer = probe.send("POST", "/v1/c/c1/entitlements.json")
        assert (answer.status, answer.headers["allow"]) == (405, "GET")

    def test_raw_body_is_served_byte_for_byte(self, probe: Probe, world: World) -> None:
        body = b'{"data":{"entitlements":[{"usageLimit":1e400}]}} \n'
        world.customer("c1").raw_edge_body(body, generation="v1")
        assert probe.entitlements("v1", "c1").body == body
        assert probe.entitlements("v2", "c1").json["data"]["entitlementsState"]["accessDeniedReason"] is None
        world.customer("c1").raw_edge_body(None)
        assert len(probe.entitlements("v1", "c1").json["data"]["entitlements"]) == 2

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda world: world.customer("c1").archive(), "CustomerIsArchived"),
            (lambda world: world.customer("c1").no_subscription(), "NoActiveSubscription"),
            (lambda world: world.remove_customer("c1"), "CustomerNotFound"),
        ],
    )
    def test_an_empty_state_says_why(
        self, probe: Probe, world: World, change: Callable[[World], Any], reason: str
    ) -> None:
        change(world)
        state = probe.entitlements("v2", "c1").json["data"]["entitlementsState"]
        assert (state["entitlementsV2"], state["accessDeniedReason"]) == ([], reason)
        assert probe.entitlements("v1", "c1").json["data"]["entitlements"] == []

    def test_an_unknown_resource_is_not_its_customer(self, probe: Probe, world: World) -> None:
        state = probe.entitlements("v2", "c1", "elsewhere").json["data"]["entitlementsState"]
        assert (state["entitlementsV2"], state["accessDeniedReason"]) == ([], "CustomerResourceNotFound")


class TestApiKey:
    def test_a_wrong_key_is_401_with_a_body(self, upstream: Upstream) -> None:
        with Probe(upstream, api_key="wrong") as probe:
            for answer in (probe.entitlements("v2", "c1"), probe.graphql(documents.GET_SDK_CONFIGURATION)):
                assert (answer.status, answer.error_code) == (401, "Unauthenticated")
                assert len(answer.json["errors"][0]["extensions"]["traceId"]) == 32

    def test_the_key_can_be_rotated_while_running(self, upstream: Upstream, probe: Probe) -> None:
        assert probe.entitlements("v2", "c1").status == 200
        upstream.api_key = "next"
        assert probe.entitlements("v2", "c1").status == 401
        probe.api_key = "next"
        assert probe.entitlements("v2", "c1").status == 200


class TestGraphqlDocuments:
    """Every document of docs/protocol.md section 2.2."""

    def test_get_entitlements(self, upstream: Upstream, probe: Probe) -> None:
        northwind(upstream.world)
        entitlements = probe.graphql(documents.GET_ENTITLEMENTS, NORTHWIND_QUERY).json["data"]["entitlements"]
        expected = fixture("graphql-entitlements")["data"]["entitlements"]
        for got, want in zip(entitlements, expected, strict=True):
            assert got["feature"]["refId"] == want["feature"]["refId"]
            assert all(want[name] == got[name] for name in got.keys() - {"feature", "creditRate"})

    def test_get_entitlements_state(self, upstream: Upstream, probe: Probe) -> None:
        northwind(upstream.world)
        state = probe.graphql(documents.GET_ENTITLEMENTS_STATE, NORTHWIND_QUERY).json["data"]["entitlementsState"]
        expected = fixture("edge-entitlements-state")["data"]["entitlementsState"]["entitlementsV2"]
        assert state["accessDeniedReason"] is None
        assert [each["__typename"] for each in state["entitlementsV2"]] == ["FeatureEntitlement"] * 9 + [
            "CreditEntitlement"
        ]
        assert state["entitlementsV2"][-1] == {
            **expected[-1],
            "currency": {name: v for name, v in expected[-1]["currency"].items() if name != "__typename"},
        }

    def test_resource_scope(self, upstream: Upstream, probe: Probe) -> None:
        northwind(upstream.world)
        answer = probe.send(
            "POST",
            "/graphql",
            (FIXTURES / "request-graphql-get-entitlements.json").read_bytes(),
            {"Content-Type": "application/json"},
        )
        assert [each["resourceId"] for each in answer.json["data"]["entitlements"]] == ["site-eu-1", "site-eu-1"]

    def test_report_usage_v1_selection(self, probe: Probe, world: World) -> None:
        answer = report_usage(probe, documents.REPORT_USAGE, value=2).json["data"]["reportUsage"]
        assert answer.keys() <= fixture("graphql-report-usage")["data"]["reportUsage"].keys()
        assert (answer["currentUsage"], answer["customerId"], answer["resourceId"]) == (5, "c1", None)

    def test_recorded_report_usage_request(self, upstream: Upstream, probe: Probe) -> None:
        site = upstream.world.customer("cust-northwind").resource("site-eu-1")
        site.metered("feature-api-calls", limit=10, meter="Incremental", reset="MONTH")
        body = (FIXTURES / "request-graphql-report-usage.json").read_bytes()
        answer = probe.post_graphql(body).json["data"]["reportUsage"]
        assert (answer["currentUsage"], answer["resourceId"]) == (3, "site-eu-1")
        (measurement,) = upstream.world.measurements
        assert measurement.report.dimensions == {"region": "eu", "n": 2, "ok": True}
        assert measurement.report.created_at == instant("2026-11-20T10:00:00Z")

    def test_report_usage_with_credit(self, upstream: Upstream, probe: Probe) -> None:
        scope = upstream.world.customer("c1").credit("credits-ai", limit=500, usage=410)
        scope.metered("feature-ai-drafts", unlimited=True, usage=12, credit_rate=(2.5, "credits-ai"))
        answer = report_usage(probe, featureId="feature-ai-drafts").json["data"]["reportUsage"]
        expected = fixture("graphql-report-usage-with-credit")["data"]["reportUsage"]
        assert answer["credit"].keys() == expected["credit"].keys() - {"__typename"}
        assert (answer["credit"]["currentUsage"], answer["credit"]["consumed"]) == (412.5, 2.5)

    def test_report_usage_bulk_answers_in_request_order(self, probe: Probe, world: World) -> None:
        world.customer("c2").metered("feature-seats", limit=9)
        usages = [{**REPORT, "customerId": each} for each in ("c2", "c1", "c2")]
        answer = probe.graphql(documents.REPORT_USAGE_BULK_V2, {"input": {"usages": usages}}).json["data"]
        assert [(m["customerId"], m["currentUsage"]) for m in answer["reportUsageBulk"]] == [
            ("c2", 1), ("c1", 4), ("c2", 2),
        ]  # fmt: skip

    def test_recorded_report_event_request(self, upstream: Upstream, probe: Probe) -> None:
        body = (FIXTURES / "request-graphql-report-event.json").read_bytes()
        assert probe.post_graphql(body).json == fixture("graphql-report-event")
        first, second = upstream.world.events
        assert (first.idempotency_key, first.dimensions) == ("k-1", {"model": "m1", "tokens": 12.5, "ok": True})
        assert (second.resource_id, second.timestamp) == ("site-eu-1", None)

    def test_get_sdk_configuration(self, probe: Probe) -> None:
        answer = probe.graphql(documents.GET_SDK_CONFIGURATION)
        assert answer.json == {"data": {"sdkConfiguration": {"sentryDsn": None, "isWidgetWatermarkEnabled": False}}}

    def test_provisioning_gives_a_customer_the_plan(self, upstream: Upstream, probe: Probe) -> None:
        upstream.world.plan("plan-growth").metered("feature-seats", limit=10)
        created = probe.graphql(
            documents.PROVISION_CUSTOMER, {"input": {"customerId": "c9", "name": "Nine", "email": "nine@example.com"}}
        )
        assert created.json["data"]["provisionCustomer"]["customer"]["name"] == "Nine"
        assert probe.entitlements("v2", "c9").json["data"]["entitlementsState"]["accessDeniedReason"] == (
            "NoActiveSubscription"
        )
        order = {"customerId": "c9", "planId": "plan-growth", "billingPeriod": "MONTHLY", "unitQuantity": 1}
        subscribed = probe.graphql(documents.PROVISION_SUBSCRIPTION, {"input": order})
        assert subscribed.json == {"data": {"provisionSubscription": {"status": "SUCCESS"}}}
        assert len(probe.entitlements("v1", "c9").json["data"]["entitlements"]) == 1

    def test_every_document_in_the_protocol_notes_validates(self) -> None:
        blocks = re.findall(r"^```graphql\n(.*?)^```", PROTOCOL.read_text("utf-8"), re.DOTALL | re.MULTILINE)
        assert len(blocks) >= 3
        for block in blocks:
            assert validate(schema_for(v1=True, v2=True), parse(block)) == [], block

    @pytest.mark.parametrize(("v1", "v2"), [(True, True), (True, False), (False, True), (False, False)])
    def test_subscriptions_validate_in_their_generation(self, v1: bool, v2: bool) -> None:
        schema = schema_for(v1=v1, v2=v2)
        for served, subscriptions in (
            (v1, documents.SUBSCRIPTIONS_V1),
            (v2, documents.SUBSCRIPTIONS_V2),
            (True, documents.SUBSCRIPTIONS_COMMON),
        ):
            for document in subscriptions:
                assert (validate(schema, parse(document)) == []) is served, document


class TestGenerations:
    def rejected(self, upstream: Upstream, answer: Answer) -> bool:
        """True for a validation error, which is also taken off the record."""
        if answer.status == 200:
            return False
        assert (answer.status, answer.error_code) == (400, "GRAPHQL_VALIDATION_FAILED")
        (rejection,) = upstream.recorder.take_graphql_rejections()
        assert rejection.code == "GRAPHQL_VALIDATION_FAILED"
        return True

    def test_v2_off_rejects_v2_documents_only(self, upstream: Upstream, probe: Probe, world: World) -> None:
        upstream.generations.only_v1()
        query = {"query": {"customerId": "c1"}}
        assert self.rejected(upstream, probe.graphql(documents.GET_ENTITLEMENTS_STATE, query))
        assert self.rejected(upstream, report_usage(probe, documents.REPORT_USAGE_V2))
        assert not self.rejected(upstream, probe.graphql(documents.GET_ENTITLEMENTS, query))
        assert not self.rejected(upstream, report_usage(probe, documents.REPORT_USAGE))
        assert (probe.entitlements("v1", "c1").status, probe.entitlements("v2", "c1").status) == (200, 404)

    def test_v2_off_refuses_the_idempotency_key(self, upstream: Upstream, probe: Probe, world: World) -> None:
        upstream.generations.only_v1()
        answer = report_usage(probe, documents.REPORT_USAGE, idempotencyKey="k")
        assert (answer.status, answer.error_code) == (400, "BAD_USER_INPUT")
        assert "idempotencyKey" in upstream.recorder.take_graphql_rejections()[0].messages[0]
        assert world.measurements == []

    def test_v1_off_rejects_v1_documents_only(self, upstream: Upstream, probe: Probe, world: World) -> None:
        upstream.generations.only_v2()
        query = {"query": {"customerId": "c1"}}
        assert self.rejected(upstream, probe.graphql(documents.GET_ENTITLEMENTS, query))
        assert not self.rejected(upstream, probe.graphql(documents.GET_ENTITLEMENTS_STATE, query))
        assert (probe.entitlements("v1", "c1").status, probe.entitlements("v2", "c1").status) == (404, 200)

    def test_switching_takes_effect_on_the_next_request(self, upstream: Upstream, probe: Probe, world: World) -> None:
        query = {"query": {"customerId": "c1"}}
        assert not self.rejected(upstream, probe.graphql(documents.GET_ENTITLEMENTS_STATE, query))
        upstream.generations.graphql_v2 = False
        assert self.rejected(upstream, probe.graphql(documents.GET_ENTITLEMENTS_STATE, query))
        upstream.generations.both()
        assert not self.rejected(upstream, probe.graphql(documents.GET_ENTITLEMENTS_STATE, query))

    def test_chosen_at_construction(self) -> None:
        with Upstream(generations=Generations(edge_v2=False)) as old, Probe(old) as probe:
            assert probe.entitlements("v2", "c1").status == 404


class TestGraphqlErrors:
    @pytest.mark.parametrize(
        ("query", "variables", "operation_name", "code"),
        [
            ("query Q {", {}, "Q", "GRAPHQL_PARSE_FAILED"),
            ("query Q { nothing }", {}, "Q", "GRAPHQL_VALIDATION_FAILED"),
            (documents.GET_ENTITLEMENTS, {}, None, "BAD_USER_INPUT"),
            (documents.GET_ENTITLEMENTS, {"query": {"customerId": 7}}, None, "BAD_USER_INPUT"),
            (documents.REPORT_USAGE, {"input": {**REPORT, "value": "3"}}, None, "BAD_USER_INPUT"),
            (documents.REPORT_USAGE, {"input": {**REPORT, "updateBehavior": "ADD"}}, None, "BAD_USER_INPUT"),
            (documents.REPORT_USAGE, {"input": {**REPORT, "createdAt": 1795168800123}}, None, "BAD_USER_INPUT"),
            (documents.REPORT_USAGE, {"input": {**REPORT, "createdAt": "2026-11-20T10:00:00"}}, None, "BAD_USER_INPUT"),
            (documents.GET_SDK_CONFIGURATION, {}, "Other", "OPERATION_RESOLUTION_FAILURE"),
            (documents.SUBSCRIPTIONS_COMMON[0], {}, None, "BAD_REQUEST"),
        ],
    )
    def test_rejections_are_400_and_recorded(
        self, upstream: Upstream, probe: Probe, query: str, variables: Any, operation_name: str | None, code: str
    ) -> None:
        answer = probe.graphql(query, variables, operation_name)
        assert (answer.status, answer.error_code) == (400, code)
        assert "data" not in answer.json
        assert len(answer.json["errors"][0]["extensions"]["traceId"]) == 32
        with pytest.raises(AssertionError, match=code):
            upstream.recorder.assert_clean()
        assert [each.code for each in upstream.recorder.take_graphql_rejections()] == [code]

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"query":1}', b'{"query":"{a}","variables":[]}', b"NaN"])
    def test_a_body_that_is_no_request_is_400(self, upstream: Upstream, probe: Probe, body: bytes) -> None:
        answer = probe.post_graphql(body)
        assert (answer.status, answer.error_code) == (400, "BAD_REQUEST")
        assert len(upstream.recorder.take_graphql_rejections()) == 1

    def test_the_content_type_must_be_json(self, upstream: Upstream, probe: Probe) -> None:
        body = json.dumps({"query": documents.GET_SDK_CONFIGURATION}).encode()
        assert probe.send("POST", "/graphql", body, {"Content-Type": "text/plain"}).status == 400
        assert len(upstream.recorder.take_graphql_rejections()) == 1

    @pytest.mark.parametrize(
        ("report", "code"),
        [
            ({"customerId": "nobody"}, "CustomerNotFound"),
            ({"featureId": "nothing"}, "FeatureNotFound"),
            ({"featureId": "feature-elsewhere"}, "NoFeatureEntitlementInSubscription"),
            ({"featureId": "feature-sso"}, "MeteringNotAvailableForFeatureType"),
            ({"resourceId": "elsewhere"}, "CustomerResourceNotFound"),
            ({"customerId": "archived"}, "EntityIsArchivedError"),
            ({"customerId": "lapsed"}, "NoActiveSubscriptionForCustomer"),
            ({"value": -1, "updateBehavior": "SET"}, "EntitlementUsageOutOfRangeError"),
            ({"featureId": "feature-strict", "value": 3}, "EntitlementLimitExceededError"),
            ({"dimensions": {"nested": {}}}, "BadUserInput"),
        ],
    )
    def test_resolver_errors_are_200_with_their_code(
        self, probe: Probe, world: World, report: dict[str, Any], code: str
    ) -> None:
        world.customer("c2").metered("feature-elsewhere", limit=1)
        world.customer("c1").metered("feature-strict", limit=2, reject_over_limit=True)
        world.customer("archived").archive()
        world.customer("lapsed").no_subscription()
        answer = report_usage(probe, **report)
        assert (answer.status, answer.error_code, answer.json["data"]) == (200, code, None)
        (error,) = answer.json["errors"]
        expected = fixture("graphql-error-customer-not-found")["errors"][0]
        assert error.keys() == expected.keys()
        assert error["extensions"].keys() == expected["extensions"].keys()
        assert error["path"] == expected["path"]
        assert world.measurements == []


class TestUsage:
    def test_delta_adds_and_set_replaces(self, probe: Probe, world: World) -> None:
        values: list[dict[str, Any]] = [{"value": 2}, {"value": -1.5}, {"value": 1, "updateBehavior": "SET"}]
        usages = [report_usage(probe, **each).json["data"]["reportUsage"]["currentUsage"] for each in values]
        assert usages == [5, 3.5, 1]
        assert world.usage("c1", "feature-seats") == 1

    def test_the_next_read_sees_the_report(self, probe: Probe, world: World) -> None:
        before = probe.entitlements("v2", "c1").json["data"]["entitlementsState"]["entitlementsV2"][0]
        report = report_usage(probe).json["data"]["reportUsage"]
        after = probe.entitlements("v2", "c1").json["data"]["entitlementsState"]["entitlementsV2"][0]
        assert after["currentUsage"] == before["currentUsage"] + 1
        assert before["usageUpdatedAt"] < after["usageUpdatedAt"] == report["timestamp"]
        assert before["entitlementUpdatedAt"] == after["entitlementUpdatedAt"]

    def test_a_repeated_idempotency_key_is_counted_once(self, probe: Probe, world: World) -> None:
        first = report_usage(probe, idempotencyKey="k-1").json
        assert report_usage(probe, idempotencyKey="k-1").json == first
        assert report_usage(probe, idempotencyKey="k-2").json["data"]["reportUsage"]["currentUsage"] == 5
        assert [each.report.idempotency_key for each in world.measurements] == ["k-1", "k-2"]

    def test_keys_are_remembered_across_bulk_and_single(self, probe: Probe, world: World) -> None:
        usages = [{**REPORT, "idempotencyKey": key} for key in ("k-1", "k-1", "k-2")]
        probe.graphql(documents.REPORT_USAGE_BULK_V2, {"input": {"usages": usages}})
        report_usage(probe, idempotencyKey="k-2")
        assert world.usage("c1", "feature-seats") == 5

    def test_a_bulk_with_one_bad_item_counts_nothing(self, probe: Probe, world: World) -> None:
        usages = [{**REPORT, "idempotencyKey": "k-1"}, {**REPORT, "customerId": "nobody"}]
        answer = probe.graphql(documents.REPORT_USAGE_BULK_V2, {"input": {"usages": usages}})
        assert answer.error_code == "CustomerNotFound"
        assert (world.usage("c1", "feature-seats"), world.measurements) == (3, [])
        assert report_usage(probe, idempotencyKey="k-1").json["data"]["reportUsage"]["currentUsage"] == 4

    @pytest.mark.parametrize(("size", "accepted"), [(0, False), (1, True), (100, True), (101, False)])
    def test_bulk_sizes(self, probe: Probe, world: World, size: int, accepted: bool) -> None:
        answer = probe.graphql(documents.REPORT_USAGE_BULK_V2, {"input": {"usages": [REPORT] * size}})
        assert ("errors" not in answer.json) is accepted
        assert len(world.measurements) == (size if accepted else 0)

    def test_credits_are_consumed_and_exhaustion_denies(self, probe: Probe, world: World) -> None:
        scope = world.customer("c1").credit("credits-ai", limit=10, usage=4)
        scope.metered("feature-ai", unlimited=True, credit_rate=(3, "credits-ai"))
        scope.metered("feature-ai-2", unlimited=True, credit_rate=(3, "credits-ai"), derive_credit_reason=False)
        report_usage(probe, featureId="feature-ai", value=2)
        assert world.credit_usage("c1", "credits-ai") == 10
        state = probe.entitlements("v2", "c1").json["data"]["entitlementsState"]["entitlementsV2"]
        assert [each["accessDeniedReason"] for each in state[-3:]] == ["InsufficientCredits", None, None]

    def test_usage_starts_again_with_the_period(self) -> None:
        now = [instant("2026-01-31T12:00:00Z")]
        world = World(clock=lambda: now[0])
        world.customer("c1").metered(
            "feature-calls", limit=9, usage=7, reset="MONTH", anchor=instant("2025-12-31T00:00:00Z")
        )
        assert world.usage("c1", "feature-calls") == 7
        now[0] = instant("2026-02-28T00:00:00Z")
        (entitlement,) = world.entitlements_v1("c1", None)
        assert entitlement["currentUsage"] == 0
        assert entitlement["usagePeriodStart"] == "2026-02-28T00:00:00.000Z"
        assert entitlement["nextResetDate"] == entitlement["usagePeriodEnd"] == "2026-03-31T00:00:00.000Z"

    @pytest.mark.parametrize(
        ("reset", "anchor", "now", "start", "end"),
        [
            ("HOUR", "2026-01-01T00:30", "2026-01-01T02:29", "2026-01-01T01:30", "2026-01-01T02:30"),
            ("DAY", "2026-01-01T00:00", "2026-01-02T00:00", "2026-01-02T00:00", "2026-01-03T00:00"),
            ("WEEK", "2026-01-05T00:00", "2026-01-11T23:59", "2026-01-05T00:00", "2026-01-12T00:00"),
            ("MONTH", "2025-01-31T00:00", "2025-02-28T00:00", "2025-02-28T00:00", "2025-03-31T00:00"),
            ("MONTH", "2025-01-31T06:00", "2025-02-28T05:00", "2025-01-31T06:00", "2025-02-28T06:00"),
            ("YEAR", "2024-02-29T00:00", "2025-02-28T00:00", "2025-02-28T00:00", "2026-02-28T00:00"),
            ("MONTH", "2027-01-01T00:00", "2026-01-01T00:00", "2027-01-01T00:00", "2027-02-01T00:00"),
        ],
    )
    def test_periods(self, reset: str, anchor: str, now: str, start: str, end: str) -> None:
        period = period_containing(instant(anchor + "Z"), reset, instant(now + "Z"))
        assert period == (instant(start + "Z"), instant(end + "Z"))


class TestEvents:
    @staticmethod
    def event(key: str, **members: Any) -> dict[str, Any]:
        return {"eventName": "login", "customerId": "c1", "idempotencyKey": key, **members}

    def test_a_repeated_key_is_remembered_once(self, upstream: Upstream, probe: Probe) -> None:
        events = [self.event("k-1", dimensions={"first": True}), self.event("k-2"), self.event("k-1")]
        probe.graphql(documents.REPORT_EVENT, {"input": {"usageEvents": events}})
        assert [each.idempotency_key for each in upstream.world.events] == ["k-1", "k-2"]
        assert upstream.world.events[0].dimensions == {"first": True}
        assert upstream.world.event_repeats == 1

    @pytest.mark.parametrize(("size", "accepted"), [(0, False), (1000, True), (1001, False)])
    def test_sizes(self, upstream: Upstream, probe: Probe, size: int, accepted: bool) -> None:
        events = [self.event(f"k-{index}") for index in range(size)]
        answer = probe.graphql(documents.REPORT_EVENT, {"input": {"usageEvents": events}})
        assert ("errors" not in answer.json) is accepted
        assert len(upstream.world.events) == (size if accepted else 0)

    def test_an_empty_key_is_refused_with_its_whole_call(self, upstream: Upstream, probe: Probe) -> None:
        answer = probe.graphql(documents.REPORT_EVENT, {"input": {"usageEvents": [self.event("k"), self.event("")]}})
        assert answer.error_code == "BadUserInput"
        assert upstream.world.events == []


class TestFaults:
    def test_status_with_headers_is_consumed_as_often_as_told(self, upstream: Upstream, probe: Probe) -> None:
        fault = upstream.faults.inject(edge(), Status(503, {"Retry-After": "30"}, b"busy"), times=2)
        answers = [probe.entitlements("v2", "c1") for _ in range(3)]
        assert [each.status for each in answers] == [503, 503, 200]
        assert (answers[0].headers["retry-after"], answers[0].body) == ("30", b"busy")
        assert fault.hits == 2
        assert [each.outcome.processed for each in upstream.recorder.requests()] == [False, False, True]

    def test_forever_lasts_until_removed(self, upstream: Upstream, probe: Probe) -> None:
        fault = upstream.faults.inject(edge(), Status(500), times=FOREVER)
        assert [probe.entitlements("v2", "c1").status for _ in range(3)] == [500] * 3
        fault.remove()
        assert probe.entitlements("v2", "c1").status == 200
        upstream.faults.inject(edge(), Status(500), times=FOREVER)
        upstream.faults.clear()
        assert probe.entitlements("v2", "c1").status == 200

    def test_matchers(self, upstream: Upstream, probe: Probe, world: World) -> None:
        matchers: list[Predicate] = [
            edge("v1"),
            edge("v2") & customer("c1") & resource("site/1"),
            edge() & path_contains("c 2"),
            operation("ReportUsage"),
            graphql() & ~operation("GetEntitlementsState"),
            sdk_configuration(),
            lambda request: request.method == "DELETE",
        ]
        for number, where in enumerate(matchers):
            upstream.faults.inject(where, Status(570 + number), times=FOREVER)
        statuses = [
            probe.entitlements("v1", "c1"),
            probe.entitlements("v2", "c1", "site/1"),
            probe.entitlements("v2", "c 2"),
            report_usage(probe),
            probe.graphql(documents.GET_SDK_CONFIGURATION),
            probe.get("/v1/config/server-sdk-configuration.json"),
            probe.send("DELETE", "/x"),
            probe.entitlements("v2", "c1"),
            probe.graphql(documents.GET_ENTITLEMENTS_STATE, {"query": {"customerId": "c1"}}),
        ]
        assert [each.status for each in statuses] == [570, 571, 572, 573, 574, 575, 576, 200, 200]

    @pytest.mark.parametrize("steps", [(), (Status(500), Delay(1)), (Status(500), Reset())])
    def test_a_fault_is_waits_then_one_ending(self, upstream: Upstream, steps: tuple[Any, ...]) -> None:
        with pytest.raises(ValueError, match="at most one ending"):
            upstream.faults.inject(edge(), *steps)

    def test_delay(self, upstream: Upstream, probe: Probe) -> None:
        upstream.faults.inject(edge(), Delay(0.1))
        started = time.monotonic()
        assert probe.entitlements("v2", "c1").status == 200
        assert time.monotonic() - started >= 0.1

    def test_gate_holds_an_answer_computed_before(
        self, upstream: Upstream, probe: Probe, world: World, background: Callable[..., "Future[Answer]"]
    ) -> None:
        gate = Gate()
        upstream.faults.inject(edge(), Hold(gate))
        pending = background(probe.entitlements, "v1", "c1")
        gate.wait_until_held()
        world.customer("c1").set_usage("feature-seats", 5)
        assert not pending.done()
        gate.release()
        assert pending.result(timeout=5).json["data"]["entitlements"][0]["currentUsage"] == 3

    def test_gate_before_processing_holds_the_request(
        self, upstream: Upstream, probe: Probe, world: World, background: Callable[..., "Future[Answer]"]
    ) -> None:
        gate = Gate()
        upstream.faults.inject(edge(), Hold(gate), wait_before_processing=True)
        pending = background(probe.entitlements, "v1", "c1")
        gate.wait_until_held()
        world.customer("c1").set_usage("feature-seats", 5)
        gate.release()
        assert pending.result(timeout=5).json["data"]["entitlements"][0]["currentUsage"] == 5

    def test_a_closed_gate_does_not_hold_up_others(self, upstream: Upstream, probe: Probe) -> None:
        gate = Gate()
        upstream.faults.inject(customer("slow"), Hold(gate))
        with Probe(upstream) as slow:
            slow.request("GET", "/v1/c/slow/entitlements.json")
            gate.wait_until_held()
            assert probe.entitlements("v1", "fast").status == 200
            gate.release()
            assert slow.receive().status == 200
        with pytest.raises(TimeoutError, match="1 of 2"):
            gate.wait_until_held(2, timeout=0)

    def test_graphql_error_in_a_200(self, upstream: Upstream, probe: Probe, world: World) -> None:
        upstream.faults.inject(operation("ReportUsage"), GraphqlError("RateLimitExceeded", "ThrottlerException: slow"))
        answer = report_usage(probe)
        assert (answer.status, answer.error_code, answer.json["data"]) == (200, "RateLimitExceeded", None)
        assert world.measurements == []
        upstream.faults.inject(edge("v1"), GraphqlError("UnexpectedError", keep_data=True))
        partial = probe.entitlements("v1", "c1")
        assert (partial.error_code, len(partial.json["data"]["entitlements"])) == ("UnexpectedError", 2)

    def test_drop_before_reading_counts_nothing(self, upstream: Upstream, probe: Probe, world: World) -> None:
        upstream.faults.inject(operation("ReportUsage"), DropBeforeReading())
        with pytest.raises(CLOSED_OR_RESET):
            report_usage(probe)
        assert world.measurements == []
        request = upstream.recorder.wait_for(lambda request: request.outcome.finished)
        assert (request.body, request.outcome.processed) == (b"", False)

    def test_drop_after_processing_counts(self, upstream: Upstream, probe: Probe, world: World) -> None:
        upstream.faults.inject(operation("ReportUsage"), DropAfterProcessing())
        with pytest.raises(http.client.RemoteDisconnected):
            report_usage(probe, idempotencyKey="k-1")
        assert world.usage("c1", "feature-seats") == 4
        probe.close()
        assert report_usage(probe, idempotencyKey="k-1").json["data"]["reportUsage"]["currentUsage"] == 4

    def test_an_answer_lost_behind_a_502_counts(self, upstream: Upstream, probe: Probe, world: World) -> None:
        upstream.faults.inject(operation("ReportUsage"), Status(502, processes=True))
        assert report_usage(probe).status == 502
        assert world.usage("c1", "feature-seats") == 4

    @pytest.mark.parametrize(("processes", "usage"), [(False, 3), (True, 4)])
    def test_reset(self, upstream: Upstream, probe: Probe, world: World, processes: bool, usage: int) -> None:
        upstream.faults.inject(graphql(), Reset(processes=processes))
        with pytest.raises(ConnectionResetError):
            report_usage(probe)
        assert world.usage("c1", "feature-seats") == usage

    def test_half_body(self, upstream: Upstream, probe: Probe, world: World) -> None:
        upstream.faults.inject(edge(), HalfBody())
        with pytest.raises(http.client.IncompleteRead) as caught:
            probe.entitlements("v1", "c1")
        whole, received = len(upstream_body(world)), len(caught.value.partial)
        assert (received, caught.value.expected) == (whole // 2, whole - whole // 2)

    def test_arbitrary_body(self, upstream: Upstream, probe: Probe) -> None:
        upstream.faults.inject(edge(), Body(b"\xff{not json"))
        answer = probe.entitlements("v2", "c1")
        assert (answer.status, answer.body) == (200, b"\xff{not json")

    @pytest.mark.parametrize("chunked", [False, True])
    def test_huge_body_is_streamed(self, upstream: Upstream, probe: Probe, chunked: bool) -> None:
        upstream.faults.inject(edge(), HugeBody(mebibytes=3, chunked=chunked))
        answer = probe.entitlements("v2", "c1")
        assert ("content-length" not in answer.headers) is chunked
        assert len(answer.json["data"]["padding"]) == 3 * 1024 * 1024

    def test_gzip_bomb_is_small_on_the_wire(self, upstream: Upstream, probe: Probe) -> None:
        upstream.faults.inject(edge(), HugeBody(mebibytes=3, compressed=True))
        answer = probe.entitlements("v2", "c1")
        assert answer.headers["content-encoding"] == "gzip"
        assert len(answer.body) < 10_000 < len(gzip.decompress(answer.body))

    def test_gzip(self, upstream: Upstream, probe: Probe) -> None:
        upstream.faults.inject(edge(), Gzipped())
        answer = probe.entitlements("v1", "nobody")
        assert answer.headers["content-encoding"] == "gzip"
        assert json.loads(gzip.decompress(answer.body)) == fixture("edge-entitlements-empty")

    def test_a_client_that_leaves_a_huge_body_is_no_error(self, upstream: Upstream, probe: Probe) -> None:
        upstream.faults.inject(edge(), HugeBody(mebibytes=64))
        probe.request("GET", "/v1/c/c1/entitlements.json")
        probe.connection.getresponse().close()
        probe.close()
        upstream.recorder.wait_for(lambda request: request.outcome.finished)

    def test_trickle_sends_single_bytes(self, upstream: Upstream, probe: Probe) -> None:
        upstream.faults.inject(edge(), Trickle(interval_seconds=0.001, head_too=True))
        assert probe.entitlements("v1", "nobody").json == fixture("edge-entitlements-empty")

    def test_silent_never_answers_and_stop_ends_it(self, upstream: Upstream, probe: Probe) -> None:
        fault = upstream.faults.inject(edge(), Silent())
        probe.request("GET", "/v1/c/c1/entitlements.json")
        fault.wait_for_hits()
        assert not upstream.recorder.requests()[0].outcome.finished
        upstream.stop()
        with pytest.raises(CLOSED_OR_RESET):
            probe.receive()
        assert upstream.recorder.requests()[0].outcome.finished

    @pytest.mark.parametrize("ending", [DropBeforeReading(), Reset()])
    def test_on_accept(self, upstream: Upstream, probe: Probe, ending: DropBeforeReading | Reset) -> None:
        fault = upstream.faults.inject_on_accept(ending)
        with pytest.raises(CLOSED_OR_RESET):
            probe.entitlements("v2", "c1")
        probe.close()
        assert probe.entitlements("v2", "c1").status == 200
        assert (fault.hits, upstream.recorder.count(), upstream.recorder.connections) == (1, 1, 2)

    def test_only_a_reused_connection(self, upstream: Upstream, probe: Probe) -> None:
        upstream.faults.inject(reused_connection(), DropAfterProcessing())
        assert probe.entitlements("v2", "c1").status == 200
        with pytest.raises(http.client.RemoteDisconnected):
            probe.entitlements("v2", "c1")


class TestRecorder:
    def test_what_is_recorded(self, upstream: Upstream, probe: Probe) -> None:
        probe.send("GET", "/v1/c/a%2Fb/entitlements.json?resourceId=r%26x%20y", headers={"X-SDK-Thing": "1"})
        probe.graphql(documents.GET_SDK_CONFIGURATION)
        first, second = upstream.recorder.requests()
        assert (first.number, first.method, first.path) == (1, "GET", "/v1/c/a/b/entitlements.json")
        assert first.target == "/v1/c/a%2Fb/entitlements.json?resourceId=r%26x%20y"
        assert (first.customer_id, first.resource_id, first.query) == ("a/b", "r&x y", {"resourceId": "r&x y"})
        assert (first.headers["x-sdk-thing"], first.json, first.operation) == ("1", None, None)
        assert (second.operation, second.json["variables"]) == ("GetSdkConfiguration", {})
        assert list(second.json) == ["operationName", "variables", "query"]
        assert (first.connection_id, second.connection_id, second.index_on_connection) == (1, 1, 1)
        assert first.arrived_monotonic <= second.arrived_monotonic
        assert (first.outcome.status, first.outcome.processed) == (200, True)
        assert {"x-api-key", "x-sdk-thing", "content-type"} <= upstream.recorder.header_names

    def test_subjects_of_graphql_requests(self, upstream: Upstream, probe: Probe, world: World) -> None:
        probe.graphql(documents.GET_ENTITLEMENTS, {"query": {"customerId": "c1", "resourceId": "r"}})
        report_usage(probe)
        subjects = [(each.customer_id, each.resource_id) for each in upstream.recorder.requests()]
        assert subjects == [("c1", "r"), ("c1", None)]

    def test_counters(self, upstream: Upstream, probe: Probe, world: World) -> None:
        for generation in ("v1", "v2", "v2"):
            probe.entitlements(generation, "c1")
        report_usage(probe)
        assert upstream.recorder.counters == {"edge:v1": 1, "edge:v2": 2, "ReportUsage": 1}
        assert upstream.recorder.count(edge()) == 3

    def test_waiting_for_a_request_to_come(
        self, upstream: Upstream, probe: Probe, background: Callable[..., "Future[Request]"]
    ) -> None:
        awaited = background(upstream.recorder.wait_for, customer("late"))
        probe.entitlements("v1", "early")
        assert not awaited.done()
        probe.entitlements("v1", "late")
        assert awaited.result(timeout=5).number == 2
        assert len(upstream.recorder.wait_for_count(2, edge())) == 2

    def test_waiting_in_vain_names_what_came(self, upstream: Upstream, probe: Probe) -> None:
        probe.entitlements("v1", "c1")
        with pytest.raises(TimeoutError, match=r"2 request\(s\) where edge v1\|v2(.|\n)*c/c1/entitlements.json"):
            upstream.recorder.wait_for_count(2, edge(), timeout=0)

    def test_clear_forgets_requests_and_keeps_counting(self, upstream: Upstream, probe: Probe) -> None:
        probe.entitlements("v1", "c1")
        upstream.recorder.clear()
        probe.entitlements("v1", "c1")
        assert [each.number for each in upstream.recorder.requests()] == [2]


class TestHttp:
    def test_a_chunked_body_is_read(self, upstream: Upstream, probe: Probe, world: World) -> None:
        payload = json.dumps({"query": documents.REPORT_USAGE, "variables": {"input": REPORT}}).encode()
        halves = iter([payload[:40], payload[40:]])
        answer = probe.send("POST", "/graphql", halves, {"Content-Type": "application/json"})
        assert answer.json["data"]["reportUsage"]["currentUsage"] == 4
        assert upstream.recorder.requests()[0].body == payload

    @pytest.mark.parametrize(
        ("request_bytes", "status"),
        [
            (b"POST /graphql HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
            (b"POST /graphql HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
            (b"POST /graphql HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
            (b"POST /graphql HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400),
        ],
    )
    def test_unusable_framing_is_refused_and_remembered(self, request_bytes: bytes, status: int) -> None:
        with Upstream() as server, socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
            client.sendall(request_bytes)
            response = http.client.HTTPResponse(client)
            response.begin()
            assert response.status == status
            with pytest.raises(AssertionError, match="not HTTP"):
                server.recorder.assert_clean()

    def test_a_client_that_leaves_within_its_body_is_no_error(self, upstream: Upstream) -> None:
        with socket.create_connection(("127.0.0.1", upstream.port), timeout=5) as client:
            client.sendall(b"POST /graphql HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf")
        upstream.recorder.wait_for_connections(1)
        upstream.stop()
        assert upstream.recorder.requests() == []

    def test_connection_close_is_honoured(self, probe: Probe) -> None:
        assert probe.send("GET", "/", headers={"Connection": "close"}).headers["connection"] == "close"


class TestLifecycle:
    def test_an_outage_keeps_port_and_world(self) -> None:
        server = Upstream()
        with server:
            url = server.url
            server.world.customer("c1").boolean("feature-sso")
        with Probe(server) as probe, pytest.raises(ConnectionRefusedError):
            probe.entitlements("v1", "c1")
        with server, Probe(server) as probe:
            assert server.url == url
            assert len(probe.entitlements("v1", "c1").json["data"]["entitlements"]) == 1

    def test_stop_ends_idle_and_held_connections_and_their_threads(self) -> None:
        before = threading.active_count()
        with Upstream() as server, Probe(server) as idle, Probe(server) as held:
            idle.entitlements("v1", "c1")
            gate = Gate()
            server.faults.inject(edge(), Hold(gate))
            held.request("GET", "/v1/c/c1/entitlements.json")
            gate.wait_until_held()
            server.faults.clear()
            server.stop()
            assert threading.active_count() == before
            with pytest.raises(CLOSED_OR_RESET):
                held.receive()

    def test_dropped_connections_are_replaced_by_new_ones(self, upstream: Upstream, probe: Probe) -> None:
        probe.entitlements("v1", "c1")
        upstream.drop_connections()
        with pytest.raises(CLOSED_OR_RESET):
            probe.entitlements("v1", "c1")
        probe.close()
        assert probe.entitlements("v1", "c1").status == 200
        assert upstream.recorder.connections == 2

    def test_two_upstreams_may_share_a_world(self, upstream: Upstream, probe: Probe, world: World) -> None:
        with Upstream(world=world) as other, Probe(other) as other_probe:
            report_usage(other_probe)
            assert probe.entitlements("v1", "c1").json["data"]["entitlements"][0]["currentUsage"] == 4
            assert (upstream.recorder.count(), other.recorder.count()) == (1, 1)

    def test_many_connections_at_once(self, upstream: Upstream, world: World) -> None:
        def report(_: int) -> int:
            with Probe(upstream) as probe:
                return report_usage(probe, value=1).status

        with ThreadPoolExecutor(max_workers=16) as pool:
            assert set(pool.map(report, range(64))) == {200}
        assert world.usage("c1", "feature-seats") == 67
