"""Checks against `stigg-sidecar dev`: the built-in world as the README tells it, customer and resource alike.

The monthly features' periods follow the clock, so their dates are checked apart from the rest.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from harness import expected
from harness.client import Client, event
from harness.contract import pb
from harness.daemon import Daemon, Daemons
from harness.failures import refusal
from harness.web import http

CUSTOMER = "customer-demo-01"
RESOURCE = "site-01"

TEMPLATES = expected.metered("feature-01-templates", limit=6, usage=3, units=("template", "templates"))
FILE_SIZE = expected.numeric("feature-06-max-file-size", 100, units=("MB", "MB"))
REGIONS = expected.enum("feature-08-regions", ["eu", "us"])
AI_TOKENS = expected.credit(
    "cred-type-ai-tokens", limit=500, usage=120, display_name="AI tokens", units=("token", "tokens")
)


@pytest.fixture(params=[None, RESOURCE], ids=["customer", "resource"])
def resource(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def client(dev_daemon: Daemon) -> Client:
    return dev_daemon.client


Ask = Callable[[Client, str | None], Any]


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        pytest.param(
            lambda client, resource: client.metered(CUSTOMER, "feature-01-templates", resource=resource),
            pb.GetMeteredEntitlementResponse(has_access=True, entitlement=TEMPLATES),
            id="templates",
        ),
        pytest.param(
            lambda client, resource: client.boolean(CUSTOMER, "feature-03-custom-domain", resource=resource),
            pb.GetBooleanEntitlementResponse(has_access=True, entitlement=expected.boolean("feature-03-custom-domain")),
            id="custom domain",
        ),
        pytest.param(
            lambda client, resource: client.boolean(CUSTOMER, "feature-04-analytics", resource=resource),
            pb.GetBooleanEntitlementResponse(has_access=True, entitlement=expected.boolean("feature-04-analytics")),
            id="analytics",
        ),
        pytest.param(
            lambda client, resource: client.numeric(CUSTOMER, "feature-06-max-file-size", resource=resource),
            pb.GetNumericEntitlementResponse(has_access=True, entitlement=FILE_SIZE),
            id="max file size",
        ),
        pytest.param(
            lambda client, resource: client.enum(CUSTOMER, "feature-08-regions", resource=resource),
            pb.GetEnumEntitlementResponse(has_access=True, entitlement=REGIONS),
            id="regions",
        ),
        pytest.param(
            lambda client, resource: client.v2(CUSTOMER, currency="cred-type-ai-tokens", resource=resource),
            pb.GetEntitlementV2Response(entitlement={"has_access": True, "credit": AI_TOKENS}),
            id="AI tokens",
        ),
    ],
)
def test_each_feature_answers_as_the_built_in_world_says(
    client: Client, resource: str | None, ask: Ask, answer: Any
) -> None:
    assert ask(client, resource) == answer


@pytest.mark.parametrize(
    ("feature", "limit", "usage", "units"),
    [
        ("feature-02-campaigns", 32, 0, ("campaign", "campaigns")),
        ("feature-07-active-users", 25000, 1, ("active user", "active users")),
    ],
)
def test_a_monthly_feature_says_its_month(
    client: Client, resource: str | None, feature: str, limit: float, usage: float, units: tuple[str, str]
) -> None:
    answer = client.metered(CUSTOMER, feature, resource=resource)
    body = answer.entitlement
    anchor, start, end = (
        each.ToDatetime(UTC) for each in (body.usage_period_anchor, body.usage_period_start, body.usage_period_end)
    )
    now = datetime.now(UTC)
    assert start <= now < end
    assert timedelta(days=28) <= end - start <= timedelta(days=31)
    assert answer == pb.GetMeteredEntitlementResponse(
        has_access=True,
        entitlement=expected.metered(
            feature, limit=limit, usage=usage, meter="INCREMENTAL", units=units,
            reset="MONTH", anchor=anchor, period=(start, end),
        ),
    )  # fmt: skip


@pytest.mark.parametrize(("requested", "fits"), [(0, True), (2.5, True), (3, True), (3.5, False), (4, False)])
def test_requested_usage_is_measured_against_what_is_left(
    client: Client, resource: str | None, requested: float, fits: bool
) -> None:
    answer = client.metered(CUSTOMER, "feature-01-templates", resource=resource, requested_usage=requested)
    assert answer == pb.GetMeteredEntitlementResponse(
        has_access=fits,
        access_denied_reason=expected.reason(None if fits else "REQUESTED_USAGE_EXCEEDING_LIMIT"),
        requested_usage=requested,
        entitlement=TEMPLATES,
    )


@pytest.mark.parametrize(("requested", "granted"), [(["us"], True), (["us", "eu"], True), (["eu", "mars"], False)])
def test_requested_values_must_all_be_granted(
    client: Client, resource: str | None, requested: list[str], granted: bool
) -> None:
    answer = client.enum(CUSTOMER, "feature-08-regions", resource=resource, requested_values=requested)
    assert answer == pb.GetEnumEntitlementResponse(
        has_access=granted,
        access_denied_reason=expected.reason(None if granted else "REQUESTED_VALUES_MISMATCH"),
        requested_values=requested,
        entitlement=REGIONS,
    )


def test_the_lists_hold_the_whole_plan(client: Client, resource: str | None) -> None:
    plain = client.entitlements(CUSTOMER, resource=resource)
    assert [each.WhichOneof("entitlement") for each in plain.entitlements] == [
        "metered", "metered", "boolean", "boolean", "numeric", "metered", "enum",
    ]  # fmt: skip
    state = client.state(CUSTOMER, resource=resource)
    assert [each.WhichOneof("entitlement") for each in state.entitlements][-1] == "credit"
    assert len(state.entitlements) == 8
    assert all(each.has_access and not each.is_fallback for each in state.entitlements)


def test_a_customer_that_the_world_does_not_have_is_not_found(client: Client) -> None:
    answer = client.boolean("somebody-else", "feature-04-analytics", fallback={"has_access": True})
    assert answer == pb.GetBooleanEntitlementResponse(
        access_denied_reason=expected.reason("CUSTOMER_NOT_FOUND"), entitlement={}
    )


def test_the_first_check_is_a_miss_and_the_second_a_hit(daemon: Daemons) -> None:
    client = daemon.dev().client
    first = client.traced.metered(CUSTOMER, "feature-01-templates")
    second = client.traced.metered(CUSTOMER, "feature-01-templates")
    assert (first.source, first.age_ms) == ("upstream", 0)
    assert second.source == "memory"
    assert second.age_ms is not None
    assert second.age_ms >= 0
    assert first.message == second.message


def test_a_miss_says_its_source_to_everybody(daemon: Daemons) -> None:
    """Only a routine hit may leave the trailers out for callers that do not ask."""
    call = daemon.dev().client.background.metered(CUSTOMER, "feature-01-templates")
    call.result()
    assert dict(call.trailing_metadata())["x-entitlement-source"] == "upstream"


def test_a_usage_report_shows_in_the_next_check(daemon: Daemons) -> None:
    client = daemon.dev().client
    assert client.metered(CUSTOMER, "feature-01-templates").entitlement.current_usage == 3
    client.report_usage(CUSTOMER, "feature-01-templates", 2)
    after = client.traced.metered(CUSTOMER, "feature-01-templates", requested_usage=2)
    assert after.source == "memory"
    assert after.message.entitlement.current_usage == 5
    assert not after.message.has_access


def test_a_report_for_a_resource_leaves_its_customer_alone(daemon: Daemons) -> None:
    client = daemon.dev().client
    client.report_usage(CUSTOMER, "feature-01-templates", 1, resource=RESOURCE)
    assert client.metered(CUSTOMER, "feature-01-templates", resource=RESOURCE).entitlement.current_usage == 4
    assert client.metered(CUSTOMER, "feature-01-templates").entitlement.current_usage == 3


def test_active_users_are_the_distinct_users_that_logged_in(daemon: Daemons) -> None:
    client = daemon.dev().client
    logins = [("key-1", "anna"), ("key-2", "ben"), ("key-3", "anna"), ("key-1", "carol")]
    client.report_events(event("user_login", CUSTOMER, key, dimensions={"user_id": user}) for key, user in logins)
    assert client.reload(CUSTOMER).entitled_entity_exists
    users = client.metered(CUSTOMER, "feature-07-active-users").entitlement.current_usage
    assert users == 1 + 2, "one before, then anna and ben; key-1 is known the second time"


def test_the_upstream_of_dev_speaks_both_generations(dev_daemon: Daemon) -> None:
    for document, member in (("entitlements", "entitlements"), ("entitlements-state", "entitlementsState")):
        answer = http(dev_daemon.dev_upstream_port, f"/v1/c/{CUSTOMER}/{document}.json")
        assert answer.status == 200
        assert member.encode() in answer.body


def test_reports_that_the_world_refuses_say_why(client: Client) -> None:
    refused = refusal(lambda: client.report_usage("somebody-else", "feature-01-templates", 1))
    assert refused.code is grpc.StatusCode.NOT_FOUND
    assert refused.message.startswith("Failed to report usage: Customer not found")
