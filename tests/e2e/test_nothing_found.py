"""Customers, features and types that are not what was asked for: answers, not reasons to fall back.

docs/protocol.md sections 4.2 (steps 3 and 5), 13.4, 13.6, 13.10, 13.11 and 13.12. The generic call is the exception.
"""

from typing import Any

import pytest

from harness import expected
from harness.client import Client
from harness.contract import pb
from harness.daemon import Daemons
from harness.failures import invalid_argument
from independent_upstream import Upstream, customer
from independent_upstream.world import World

NOT_IN_PLAN = "NO_FEATURE_ENTITLEMENT_IN_SUBSCRIPTION"
GRANT = {"has_access": True}

MISSING = {
    "unknown": "CUSTOMER_NOT_FOUND",
    "archived": "CUSTOMER_IS_ARCHIVED",
    "unsubscribed": "NO_ACTIVE_SUBSCRIPTION",
    "subscribed": NOT_IN_PLAN,
}
"""Customer -> why its feature `missing` is denied, in V2."""


def define(world: World) -> None:
    world.customer("archived").boolean("f")
    world.customer("archived").archive()
    world.customer("unsubscribed").boolean("f")
    world.customer("unsubscribed").no_subscription()
    world.customer("subscribed").boolean("f").resource("site").metered("seats", limit=2)


@pytest.fixture(scope="module")
def v2(shared_upstream: Upstream, shared_daemons: Daemons) -> Client:
    define(shared_upstream.world)
    return shared_daemons(shared_upstream).client


@pytest.fixture(scope="module")
def v1(shared_upstream: Upstream, shared_daemons: Daemons) -> Client:
    define(shared_upstream.world)
    return shared_daemons(shared_upstream, UPSTREAM_API="v1").client


@pytest.mark.parametrize(("who", "reason"), MISSING.items())
class TestMissingFeature:
    def test_boolean_denies_and_ignores_the_fallback(self, v2: Client, who: str, reason: str) -> None:
        assert v2.boolean(who, "missing", fallback=GRANT) == pb.GetBooleanEntitlementResponse(
            access_denied_reason=expected.reason(reason), entitlement={}
        )

    def test_numeric_denies_and_ignores_the_fallback(self, v2: Client, who: str, reason: str) -> None:
        assert v2.numeric(who, "missing", fallback={**GRANT, "value": 3}) == pb.GetNumericEntitlementResponse(
            access_denied_reason=expected.reason(reason), entitlement={}
        )

    @pytest.mark.parametrize(("requested", "echoed"), [(None, 0), (2.5, 2.5)])
    def test_metered_denies_and_echoes_what_was_requested(
        self, v2: Client, who: str, reason: str, requested: float | None, echoed: float
    ) -> None:
        answer = v2.metered(who, "missing", requested_usage=requested, fallback={**GRANT, "usage_limit": 3})
        assert answer == pb.GetMeteredEntitlementResponse(
            access_denied_reason=expected.reason(reason),
            requested_usage=echoed,
            entitlement=expected.metered_without_feature(),
        )

    def test_enum_denies_and_echoes_what_was_requested(self, v2: Client, who: str, reason: str) -> None:
        answer = v2.enum(who, "missing", requested_values=["a"], fallback={**GRANT, "enum_values": ["a"]})
        assert answer == pb.GetEnumEntitlementResponse(
            access_denied_reason=expected.reason(reason), requested_values=["a"], entitlement={}
        )

    def test_v2_denies_without_a_body(self, v2: Client, who: str, reason: str) -> None:
        assert v2.v2(who, "missing", fallback=GRANT) == pb.GetEntitlementV2Response(
            entitlement={"access_denied_reason": expected.reason(reason)}
        )

    def test_the_generic_call_uses_the_fallback_that_is_given(self, v2: Client, who: str, reason: str) -> None:
        assert v2.generic(who, "missing", fallback={**GRANT, "value": 3}) == pb.GetEntitlementResponse(
            has_access=True,
            is_fallback=True,
            access_denied_reason=expected.reason("UNKNOWN"),
            numeric={"value": 3},
        )

    def test_the_generic_call_without_a_fallback_says_the_decided_reason(
        self, v2: Client, who: str, reason: str
    ) -> None:
        assert v2.generic(who, "missing") == pb.GetEntitlementResponse(
            is_fallback=True, access_denied_reason=expected.reason(reason)
        )


def test_the_generic_call_uses_the_configured_fallback(shared_upstream: Upstream, shared_daemons: Daemons) -> None:
    client = shared_daemons(shared_upstream, ENTITLEMENTS_FALLBACK='{"missing":{"hasAccess":true}}').client
    answer = client.generic("nobody", "missing")
    assert (answer.has_access, answer.is_fallback, answer.WhichOneof("entitlement")) == (True, True, "boolean")
    assert not client.boolean("nobody", "missing").has_access, "the typed call does not"


def test_a_missing_currency_is_an_answer(v2: Client) -> None:
    assert v2.v2("subscribed", currency="missing", fallback=GRANT) == pb.GetEntitlementV2Response(
        entitlement={"access_denied_reason": expected.reason("ENTITLEMENT_NOT_FOUND")}
    )


@pytest.mark.parametrize("who", ["unknown", "archived", "unsubscribed"])
def test_an_empty_list_says_why(v2: Client, who: str) -> None:
    why = expected.reason(MISSING[who])
    assert v2.entitlements(who) == pb.GetEntitlementsResponse(access_denied_reason=why)
    assert v2.state(who) == pb.GetEntitlementsStateV2Response(access_denied_reason=why)


def test_a_list_with_entries_says_no_reason(v2: Client) -> None:
    assert v2.entitlements("subscribed") == pb.GetEntitlementsResponse(
        entitlements=[pb.Entitlement(boolean=expected.boolean("f"))]
    )


@pytest.mark.parametrize("who", ["unknown", "archived", "unsubscribed"])
def test_v1_cannot_tell_why_a_list_is_empty(v1: Client, who: str) -> None:
    """docs/protocol.md section 0: it is taken for an unknown customer."""
    why = expected.reason("CUSTOMER_NOT_FOUND")
    assert v1.boolean(who, "f").access_denied_reason == why
    assert v1.entitlements(who) == pb.GetEntitlementsResponse(access_denied_reason=why)


class TestResources:
    """A check with a resource looks only into that resource's own list (section 4.1)."""

    def test_a_feature_of_the_customer_is_not_the_resources(self, v2: Client) -> None:
        assert v2.boolean("subscribed", "f").has_access
        denied = v2.boolean("subscribed", "f", resource="site")
        assert denied.access_denied_reason == expected.reason(NOT_IN_PLAN)

    def test_a_feature_of_the_resource_is_not_the_customers(self, v2: Client) -> None:
        assert v2.metered("subscribed", "seats", resource="site").entitlement == expected.metered("seats", limit=2)
        assert not v2.metered("subscribed", "seats").has_access

    def test_every_read_can_name_a_resource(self, v2: Client) -> None:
        body = expected.metered("seats", limit=2)
        assert v2.generic("subscribed", "seats", resource="site").metered == body
        assert v2.v2("subscribed", "seats", resource="site").entitlement.metered == body
        assert [each.metered for each in v2.entitlements("subscribed", resource="site").entitlements] == [body]
        assert [each.metered for each in v2.state("subscribed", resource="site").entitlements] == [body]

    def test_an_unknown_resource_is_not_its_customer(self, v2: Client) -> None:
        answer = v2.boolean("subscribed", "f", resource="elsewhere")
        assert answer.access_denied_reason == expected.reason("CUSTOMER_RESOURCE_NOT_FOUND")

    def test_an_empty_resource_id_means_none(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.world.customer("c").boolean("f")
        client = daemon(upstream).client
        assert client.boolean("c", "f").has_access
        assert client.boolean("c", "f", resource="").has_access
        assert [request.query for request in upstream.recorder.requests(customer("c"))] == [{}]


TYPED: dict[str, dict[str, Any]] = {
    "boolean": {"fallback": GRANT},
    "numeric": {"fallback": {**GRANT, "value": 3}},
    "metered": {"fallback": {**GRANT, "usage_limit": 3}},
    "enum": {"fallback": {**GRANT, "enum_values": ["a"]}},
}


MISMATCHES = [(asked, actual) for asked in TYPED for actual in [*TYPED, "unknown type"] if asked != actual]


@pytest.mark.parametrize(("asked", "actual"), MISMATCHES)
class TestTypeMismatch:
    """Section 4.2 step 4: the fallback with reason FEATURE_TYPE_MISMATCH, granting or not."""

    @pytest.fixture
    def client(self, actual: str, v2: Client, shared_upstream: Upstream) -> Client:
        scope = shared_upstream.world.customer(f"has-{actual}")
        scope.boolean("boolean").numeric("numeric", 1).metered("metered", limit=1).enum("enum", ["x"])
        scope.raw_edge_body(unknown_type_body() if actual == "unknown type" else None)
        return v2

    def test_the_fallback_answers(self, client: Client, asked: str, actual: str) -> None:
        answer = getattr(client, asked)(f"has-{actual}", actual, **TYPED[asked])
        assert (answer.has_access, answer.is_fallback) == (True, True)
        assert answer.access_denied_reason == expected.reason("FEATURE_TYPE_MISMATCH")
        assert not answer.entitlement.HasField("feature")

    def test_without_a_fallback_it_is_denied(self, client: Client, asked: str, actual: str) -> None:
        answer = getattr(client, asked)(f"has-{actual}", actual)
        assert (answer.has_access, answer.is_fallback) == (False, True)
        assert answer.access_denied_reason == expected.reason("FEATURE_TYPE_MISMATCH")


def unknown_type_body() -> bytes:
    return b"""{"data":{"entitlementsState":{"accessDeniedReason":null,"entitlementsV2":[
      {"__typename":"FeatureEntitlement","isGranted":true,"usageLimit":1,
       "feature":{"refId":"unknown type","featureType":"HOLOGRAM","meterType":"Sundial"}},
      {"__typename":"FeatureEntitlement","isGranted":true,"feature":{"refId":"f","featureType":"BOOLEAN"}}]}}}"""


def test_an_unknown_type_has_no_body_and_no_place_in_lists(v2: Client, shared_upstream: Upstream) -> None:
    """Section 13.12; the rest of the list stays usable."""
    shared_upstream.world.customer("hologram").raw_edge_body(unknown_type_body())
    for answer in (v2.generic("hologram", "unknown type"), v2.v2("hologram", "unknown type").entitlement):
        assert answer.WhichOneof("entitlement") is None
        assert not answer.has_access
    assert [each.boolean.feature.id for each in v2.entitlements("hologram").entitlements] == ["f"]
    assert [each.boolean.feature.id for each in v2.state("hologram").entitlements] == ["f"]


@pytest.mark.parametrize("ids", [{}, {"feature": "f", "currency": "k"}], ids=["neither", "both"])
def test_get_entitlement_v2_wants_exactly_one_id(v2: Client, ids: dict[str, str]) -> None:
    assert "feature_id" in invalid_argument(
        lambda: v2.v2("subscribed", ids.get("feature"), currency=ids.get("currency"))
    )


def test_nothing_found_is_remembered(upstream: Upstream, daemon: Daemons) -> None:
    """Section 6: an empty answer is cached like any other."""
    client = daemon(upstream).client
    assert [client.traced.boolean("nobody", f"f{i}").source for i in range(3)] == ["upstream", "memory", "memory"]
    assert upstream.recorder.count(customer("nobody")) == 1
