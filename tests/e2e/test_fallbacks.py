"""What is answered when nothing can be known: upstream refuses every read of entitlements.

docs/protocol.md sections 5, 13.5, 13.9, 13.10 and 13.11: per call over configured over denial, never merged.
"""

import json
from typing import Any

import pytest

from harness import expected
from harness.client import Client
from harness.contract import pb
from harness.daemon import Daemon, Daemons
from independent_upstream import FOREVER, Status, Upstream, edge, graphql

CONFIGURED: dict[str, Any] = {
    "granted": {"hasAccess": True},
    "refused": {"hasAccess": False},
    "sized": {"hasAccess": True, "value": 7},
    "limited": {"hasAccess": True, "usageLimit": 10.5},
    "endless": {"hasAccess": True, "isUnlimited": True},
    "listed": {"hasAccess": True, "enumValues": ["eu", "us"]},
    "all at once": {"hasAccess": True, "value": 7, "usageLimit": 10, "isUnlimited": True, "enumValues": ["eu"]},
}
"""ENTITLEMENTS_FALLBACK: untyped, each takes the type that is asked for (section 13.9)."""

CUSTOMER = "c1"
UNKNOWN = expected.reason("UNKNOWN")


@pytest.fixture(scope="module")
def failing_upstream(shared_upstream: Upstream) -> Upstream:
    """403 is final: the daemon gives up at once (section 1.5)."""
    shared_upstream.faults.inject(edge(), Status(403), times=FOREVER)
    shared_upstream.faults.inject(graphql(), Status(403), times=FOREVER)
    return shared_upstream


@pytest.fixture(scope="module")
def configured(failing_upstream: Upstream, shared_daemons: Daemons) -> Daemon:
    return shared_daemons(failing_upstream, ENTITLEMENTS_FALLBACK=json.dumps(CONFIGURED))


@pytest.fixture(scope="module")
def client(configured: Daemon) -> Client:
    return configured.client


@pytest.fixture(scope="module")
def bare(failing_upstream: Upstream, shared_daemons: Daemons) -> Client:
    """Of a daemon without configured fallbacks."""
    return shared_daemons(failing_upstream).client


class TestWithoutAnyFallback:
    """The default denial of section 5.2."""

    def test_boolean(self, bare: Client) -> None:
        assert bare.boolean(CUSTOMER, "f") == pb.GetBooleanEntitlementResponse(
            is_fallback=True, access_denied_reason=UNKNOWN, entitlement={}
        )

    def test_numeric(self, bare: Client) -> None:
        assert bare.numeric(CUSTOMER, "f") == pb.GetNumericEntitlementResponse(
            is_fallback=True, access_denied_reason=UNKNOWN, entitlement={}
        )

    def test_metered(self, bare: Client) -> None:
        assert bare.metered(CUSTOMER, "f") == pb.GetMeteredEntitlementResponse(
            is_fallback=True,
            access_denied_reason=UNKNOWN,
            requested_usage=1,
            entitlement=expected.metered_without_feature(),
        )

    def test_enum(self, bare: Client) -> None:
        assert bare.enum(CUSTOMER, "f") == pb.GetEnumEntitlementResponse(
            is_fallback=True, access_denied_reason=UNKNOWN, entitlement={}
        )

    def test_generic(self, bare: Client) -> None:
        assert bare.generic(CUSTOMER, "f") == pb.GetEntitlementResponse(is_fallback=True, access_denied_reason=UNKNOWN)

    @pytest.mark.parametrize("ids", [{"feature": "f"}, {"currency": "k"}], ids=["feature", "currency"])
    def test_v2(self, bare: Client, ids: dict[str, Any]) -> None:
        answer = bare.v2(CUSTOMER, **ids).entitlement
        assert (answer.has_access, answer.is_fallback, answer.access_denied_reason) == (False, True, UNKNOWN)

    def test_lists_are_empty_and_give_no_reason(self, bare: Client) -> None:
        """Nothing is known, so no reason is either."""
        assert bare.entitlements(CUSTOMER) == pb.GetEntitlementsResponse()
        assert bare.state(CUSTOMER) == pb.GetEntitlementsStateV2Response()


@pytest.mark.parametrize(
    ("getter", "feature", "body"),
    [
        ("boolean", "granted", pb.BooleanEntitlement()),
        ("numeric", "sized", pb.NumericEntitlement(value=7)),
        ("numeric", "endless", pb.NumericEntitlement(is_unlimited=True)),
        ("metered", "limited", expected.metered_without_feature(limit=10.5)),
        ("metered", "endless", expected.metered_without_feature(unlimited=True)),
        ("enum", "listed", pb.EnumEntitlement(enum_values=["eu", "us"])),
        # It takes the type that is asked for, and what that type has no place for is left out.
        ("boolean", "all at once", pb.BooleanEntitlement()),
        ("numeric", "all at once", pb.NumericEntitlement(value=7, is_unlimited=True)),
        ("metered", "all at once", expected.metered_without_feature(limit=10, unlimited=True)),
        ("enum", "all at once", pb.EnumEntitlement(enum_values=["eu"])),
        ("metered", "sized", expected.metered_without_feature()),
        ("enum", "granted", pb.EnumEntitlement()),
    ],
)
def test_a_configured_fallback_takes_the_type_that_is_asked_for(
    client: Client, getter: str, feature: str, body: Any
) -> None:
    """It grants, and its reason is UNKNOWN all the same (section 13.5)."""
    answer = getattr(client, getter)(CUSTOMER, feature)
    assert (answer.has_access, answer.is_fallback, answer.access_denied_reason) == (True, True, UNKNOWN)
    assert answer.entitlement == body


PER_CALL = [
    pytest.param("boolean", "refused", {"has_access": True}, pb.BooleanEntitlement(), id="boolean"),
    pytest.param("numeric", "sized", {"has_access": True, "value": 2}, pb.NumericEntitlement(value=2), id="numeric"),
    pytest.param("numeric", "sized", {"has_access": True}, pb.NumericEntitlement(), id="numeric is not merged"),
    pytest.param(
        "metered",
        "limited",
        {"has_access": True, "usage_limit": 2.5},
        expected.metered_without_feature(limit=2.5),
        id="metered",
    ),
    pytest.param(
        "metered", "limited", {"has_access": True}, expected.metered_without_feature(), id="metered is not merged"
    ),
    pytest.param(
        "metered",
        "limited",
        {"has_access": True, "is_unlimited": True},
        expected.metered_without_feature(unlimited=True),
        id="metered unlimited",
    ),
    pytest.param(
        "enum",
        "listed",
        {"has_access": True, "enum_values": ["ap"]},
        pb.EnumEntitlement(enum_values=["ap"]),
        id="enum",
    ),
    pytest.param("enum", "listed", {"has_access": True}, pb.EnumEntitlement(), id="enum is not merged"),
]


@pytest.mark.parametrize(("getter", "feature", "fallback", "body"), PER_CALL)
def test_the_fallback_of_the_call_wins_whole(
    client: Client, getter: str, feature: str, fallback: dict[str, Any], body: Any
) -> None:
    answer = getattr(client, getter)(CUSTOMER, feature, fallback=fallback)
    assert (answer.has_access, answer.is_fallback, answer.access_denied_reason) == (True, True, UNKNOWN)
    assert answer.entitlement == body


@pytest.mark.parametrize("getter", ["boolean", "numeric", "metered", "enum", "generic"])
def test_the_fallback_of_the_call_may_deny_what_the_configured_one_grants(client: Client, getter: str) -> None:
    answer = getattr(client, getter)(CUSTOMER, "granted", fallback={"has_access": False})
    assert (answer.has_access, answer.is_fallback, answer.access_denied_reason) == (False, True, UNKNOWN)


@pytest.mark.parametrize(("requested", "echoed"), [(None, 1), (0, 0), (0.5, 0.5), (12, 12)])
def test_a_metered_fallback_echoes_what_was_requested_else_one(
    client: Client, requested: float | None, echoed: float
) -> None:
    """Section 13.5. Its limit is compared with nothing (section 5.2)."""
    answer = client.metered(CUSTOMER, "limited", requested_usage=requested)
    assert (answer.requested_usage, answer.has_access) == (echoed, True)


def test_an_enum_fallback_echoes_the_requested_values(client: Client) -> None:
    answer = client.enum(CUSTOMER, "listed", requested_values=["mars"])
    assert (list(answer.requested_values), answer.has_access) == (["mars"], True)


UNTYPED = [
    pytest.param({"has_access": True}, {"boolean": {}}, id="nothing else is boolean"),
    pytest.param({"has_access": True, "value": 3}, {"numeric": {"value": 3}}, id="value is numeric"),
    pytest.param(
        {"has_access": True, "usage_limit": 3.5},
        {"metered": expected.metered_without_feature(limit=3.5)},
        id="usage_limit is metered",
    ),
    pytest.param(
        {"has_access": True, "is_unlimited": True},
        {"metered": expected.metered_without_feature(unlimited=True)},
        id="is_unlimited is metered",
    ),
    pytest.param(
        {"has_access": True, "enum_values": ["a"]}, {"enum": {"enum_values": ["a"]}}, id="enum_values is enum"
    ),
    pytest.param(
        {"has_access": True, "enum_values": ["a"], "value": 3, "usage_limit": 1},
        {"enum": {"enum_values": ["a"]}},
        id="enum_values before all",
    ),
    pytest.param(
        {"has_access": True, "value": 3, "usage_limit": 1}, {"numeric": {"value": 3}}, id="value before usage_limit"
    ),
]


@pytest.mark.parametrize(("fallback", "body"), UNTYPED)
def test_the_members_of_an_untyped_fallback_tell_its_type(
    client: Client, fallback: dict[str, Any], body: dict[str, Any]
) -> None:
    """Section 13.9. A granting one carries no reason in V2 (section 13.11)."""
    assert client.generic(CUSTOMER, "f", fallback=fallback) == pb.GetEntitlementResponse(
        has_access=True, is_fallback=True, access_denied_reason=UNKNOWN, **body
    )
    assert client.v2(CUSTOMER, "f", fallback=fallback) == pb.GetEntitlementV2Response(
        entitlement={"has_access": True, "is_fallback": True, **body}
    )


def test_a_denying_fallback_keeps_its_reason_in_v2(client: Client) -> None:
    answer = client.v2(CUSTOMER, "granted", fallback={"has_access": False}).entitlement
    assert (answer.has_access, answer.is_fallback, answer.access_denied_reason) == (False, True, UNKNOWN)


@pytest.mark.parametrize("getter", ["generic", "v2"])
def test_untyped_rpcs_use_the_configured_fallback(client: Client, getter: str) -> None:
    answer = getattr(client, getter)(CUSTOMER, "listed")
    body = answer.entitlement if getter == "v2" else answer
    assert (body.has_access, body.is_fallback) == (True, True)
    assert list(body.enum.enum_values) == ["eu", "us"]


LISTED = {
    "granted": {"boolean": {"feature": {"id": "granted"}}},
    "sized": {"numeric": {"feature": {"id": "sized"}, "value": 7}},
    "limited": {"metered": {"feature": {"id": "limited"}, "usage_limit": 10.5}},
    "endless": {"metered": {"feature": {"id": "endless"}, "is_unlimited": True}},
    "listed": {"enum": {"feature": {"id": "listed"}, "enum_values": ["eu", "us"]}},
    "all at once": {"enum": {"feature": {"id": "all at once"}, "enum_values": ["eu"]}},
}
"""Section 5.3: in the order of the JSON, with the feature's id and nothing else of it."""

METERED_DEFAULTS = {"has_soft_limit": False, "reset_period": "ENTITLEMENT_RESET_PERIOD_UNSPECIFIED"}


def listed_body(feature: str) -> dict[str, Any]:
    return {
        kind: {**members, **METERED_DEFAULTS} if kind == "metered" else members
        for kind, members in LISTED[feature].items()
    }


def test_the_list_is_what_the_configured_fallbacks_grant(client: Client) -> None:
    """An element of this list has no has_access, so a denying fallback has no place in it (section 13.6)."""
    assert client.entitlements(CUSTOMER) == pb.GetEntitlementsResponse(
        entitlements=[pb.Entitlement(**listed_body(feature)) for feature in LISTED]
    )


def test_the_state_lists_every_configured_fallback_with_its_verdict(client: Client) -> None:
    refused = pb.EntitlementV2(is_fallback=True, access_denied_reason=UNKNOWN, boolean={"feature": {"id": "refused"}})
    granted = [pb.EntitlementV2(has_access=True, is_fallback=True, **listed_body(feature)) for feature in LISTED]
    assert list(client.state(CUSTOMER).entitlements) == [granted[0], refused, *granted[1:]]


def test_every_fallback_says_that_it_is_one(client: Client) -> None:
    calls = [
        client.traced.boolean(CUSTOMER, "granted"),
        client.traced.generic(CUSTOMER, "granted"),
        client.traced.v2(CUSTOMER, "granted"),
        client.traced.entitlements(CUSTOMER),
        client.traced.state(CUSTOMER),
    ]
    assert [call.source for call in calls] == ["fallback"] * len(calls)


def test_errors_are_not_remembered(upstream: Upstream, daemon: Daemons) -> None:
    """The next check tries again (section 6)."""
    upstream.world.customer("c").boolean("f")
    client = daemon(upstream).client
    upstream.faults.inject(edge(), Status(403))
    assert client.boolean("c", "f").is_fallback
    answer = client.traced.boolean("c", "f")
    assert (answer.message.has_access, answer.message.is_fallback, answer.source) == (True, False, "upstream")
