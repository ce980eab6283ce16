"""What every kind of entitlement answers, through every RPC that shows it, over every upstream channel.

One table says what upstream serves and what is decided (docs/protocol.md sections 4.2 to 4.4 and 13); each row is then
asked for through its typed getter, GetEntitlement, GetEntitlementV2, GetEntitlements and GetEntitlementsStateV2, with
the Edge and GraphQL in both generations behind the daemon.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harness import expected
from harness.client import Client
from harness.contract import pb
from harness.daemon import Daemon, Daemons
from harness.waiting import eventually
from independent_upstream import Upstream
from independent_upstream.periods import RESET_PERIODS, period_containing
from independent_upstream.scope import Scope

CHANNELS: dict[str, dict[str, object]] = {
    "edge v2": {"UPSTREAM_API": "v2"},
    "edge v1": {"UPSTREAM_API": "v1"},
    "graphql v2": {"UPSTREAM_API": "v2", "EDGE_ENABLED": 0},
    "graphql v1": {"UPSTREAM_API": "v1", "EDGE_ENABLED": 0},
}

EXCEEDING = "REQUESTED_USAGE_EXCEEDING_LIMIT"
INT32_MAX, INT32_MIN = 2**31 - 1, -(2**31)

NOW = datetime.now(UTC).replace(microsecond=0)
ANCHOR = NOW - timedelta(days=45)
"""Far enough from every boundary of the periods that follow it, except the hour's and the day's."""

PAST = (NOW - timedelta(days=20), NOW - timedelta(days=10))
FUTURE = (NOW - timedelta(days=10), NOW + timedelta(days=10))


@dataclass(frozen=True)
class Row:
    """`denied` is the reason of the verdict on what is requested, `denied_idle` of that on nothing; None: access."""

    name: str
    define: Callable[[Scope], Any]
    body: Any
    requested_usage: float | None = None
    requested_values: tuple[str, ...] = ()
    denied: str | None = None
    denied_idle: str | None = None
    listed: bool = True

    def __str__(self) -> str:
        return self.name

    @property
    def customer(self) -> str:
        return "customer-" + self.name.replace(" ", "-")

    @property
    def kind(self) -> str:
        """boolean, numeric, metered or enum: the member of the oneof, and the typed getter's name."""
        return str(type(self.body).__name__).removesuffix("Entitlement").lower()


def _denied_by_upstream(name: str, define: Callable[[Scope], Any], body: Any, reason: str) -> Row:
    """GetEntitlements leaves it out (section 13.6)."""
    return Row(name, define, body, denied=reason, denied_idle=reason, listed=False)


UPSTREAM_REASONS = {
    "Unknown": "UNKNOWN",
    "CustomerIsArchived": "CUSTOMER_IS_ARCHIVED",
    "CustomerNotFound": "CUSTOMER_NOT_FOUND",
    "CustomerResourceNotFound": "CUSTOMER_RESOURCE_NOT_FOUND",
    "FeatureNotFound": "FEATURE_NOT_FOUND",
    "NoActiveSubscription": "NO_ACTIVE_SUBSCRIPTION",
    "NoFeatureEntitlementInSubscription": "NO_FEATURE_ENTITLEMENT_IN_SUBSCRIPTION",
    "BudgetExceeded": "BUDGET_EXCEEDED",
    "RequestedValuesMismatch": "REQUESTED_VALUES_MISMATCH",
    "FeatureTypeMismatch": "FEATURE_TYPE_MISMATCH",
    "InsufficientCredits": "INSUFFICIENT_CREDITS",
    "Revoked": "REVOKED",
    "EntitlementNotFound": "ENTITLEMENT_NOT_FOUND",
}
"""Section 4.6, without the one that is recomputed (section 13.2)."""

BOOLEANS = [
    Row("boolean", lambda scope: scope.boolean("f"), expected.boolean("f")),
    Row(
        "isGranted alone does not deny",
        lambda scope: scope.boolean("f", granted=False),
        expected.boolean("f"),
    ),
    *(
        _denied_by_upstream(
            f"upstream says {upstream_name}",
            lambda scope, name=upstream_name: scope.boolean("f", reason=name),
            expected.boolean("f"),
            reason,
        )
        for upstream_name, reason in UPSTREAM_REASONS.items()
    ),
]

NUMERICS = [
    Row(name, lambda scope, value=value: scope.numeric("f", value), expected.numeric("f", shown))
    for name, value, shown in [
        ("numeric", 100, 100),
        ("numeric zero", 0, 0),
        ("numeric negative", -7, -7),
        ("numeric fraction is cut off", 99.9, 99),
        ("numeric negative fraction is cut off toward zero", -1.5, -1),
        ("numeric at the end of int32", INT32_MAX, INT32_MAX),
        ("numeric just beyond int32 is clamped", 2**31, INT32_MAX),
        ("numeric far beyond int32 is clamped", 2**53 + 2, INT32_MAX),
        ("numeric astronomic is clamped", 1e300, INT32_MAX),
        ("numeric below int32 is clamped", -(2**31) - 1, INT32_MIN),
        ("numeric without a value is granted", None, None),
    ]
] + [
    Row(
        "numeric unlimited",
        lambda scope: scope.numeric("f", None, unlimited=True, units=("MB", "MB")),
        expected.numeric("f", None, unlimited=True, units=("MB", "MB")),
    ),
    Row(
        "number with a null meter type is numeric",
        lambda scope: scope.numeric("f", 5, meter=None),
        expected.numeric("f", 5),
    ),
    _denied_by_upstream(
        "numeric denied by upstream",
        lambda scope: scope.numeric("f", 5, reason="Revoked"),
        expected.numeric("f", 5),
        "REVOKED",
    ),
]

METERED = [
    Row(
        "under its limit",
        lambda scope: scope.metered("f", limit=5, usage=3),
        expected.metered("f", limit=5, usage=3),
    ),
    Row(
        "incremental",
        lambda scope: scope.metered("f", limit=5, usage=3, meter="Incremental", units=("call", "calls")),
        expected.metered("f", limit=5, usage=3, meter="INCREMENTAL", units=("call", "calls")),
    ),
    Row(
        "at its limit, nothing requested",
        lambda scope: scope.metered("f", limit=5, usage=5),
        expected.metered("f", limit=5, usage=5),
    ),
    Row(
        "at its limit, zero requested",
        lambda scope: scope.metered("f", limit=5, usage=5),
        expected.metered("f", limit=5, usage=5),
        requested_usage=0,
    ),
    Row(
        "at its limit, one requested",
        lambda scope: scope.metered("f", limit=5, usage=5),
        expected.metered("f", limit=5, usage=5),
        requested_usage=1,
        denied=EXCEEDING,
    ),
    Row(
        "requested fits exactly",
        lambda scope: scope.metered("f", limit=1000, usage=420),
        expected.metered("f", limit=1000, usage=420),
        requested_usage=580,
    ),
    Row(
        "requested is one too many",
        lambda scope: scope.metered("f", limit=1000, usage=420),
        expected.metered("f", limit=1000, usage=420),
        requested_usage=581,
        denied=EXCEEDING,
    ),
    Row(
        "fractions count",
        lambda scope: scope.metered("f", limit=1.5, usage=0.25),
        expected.metered("f", limit=1.5, usage=0.25),
        requested_usage=1.5,
        denied=EXCEEDING,
    ),
    Row(
        "over its limit it stays in the list",
        lambda scope: scope.metered("f", limit=5, usage=7),
        expected.metered("f", limit=5, usage=7),
        denied=EXCEEDING,
        denied_idle=EXCEEDING,
    ),
    Row(
        "unlimited",
        lambda scope: scope.metered("f", unlimited=True, usage=98765.5),
        expected.metered("f", unlimited=True, usage=98765.5),
        requested_usage=1e9,
    ),
    Row(
        "soft limit exceeded",
        lambda scope: scope.metered("f", limit=10, usage=25, soft_limit=True),
        expected.metered("f", limit=10, usage=25, soft_limit=True),
        requested_usage=5,
    ),
    Row(
        "no limit is a limit of zero",
        lambda scope: scope.metered("f", limit=None, usage=0),
        expected.metered("f"),
        requested_usage=1,
        denied=EXCEEDING,
    ),
    Row(
        "a stored RequestedUsageExceedingLimit is decided anew",
        lambda scope: scope.metered("f", limit=5, usage=3, reason="RequestedUsageExceedingLimit"),
        expected.metered("f", limit=5, usage=3),
        requested_usage=2,
    ),
    _denied_by_upstream(
        "metered denied by upstream although unlimited",
        lambda scope: scope.metered("f", unlimited=True, usage=2, reason="BudgetExceeded"),
        expected.metered("f", unlimited=True, usage=2),
        "BUDGET_EXCEEDED",
    ),
]

PERIODS = (
    [
        Row(
            f"resets each {reset.lower()}",
            lambda scope, reset=reset: scope.metered("f", limit=5, usage=3, reset=reset, anchor=ANCHOR, period=FUTURE),
            expected.metered("f", limit=5, usage=3, reset=reset, anchor=ANCHOR, period=FUTURE),
        )
        for reset in RESET_PERIODS
    ]
    + [
        Row(
            f"its {reset.lower()} is over",
            lambda scope, reset=reset: scope.metered("f", limit=5, usage=5, reset=reset, anchor=ANCHOR, period=PAST),
            expected.metered("f", limit=5, reset=reset, anchor=ANCHOR, period=period_containing(ANCHOR, reset, NOW)),
            requested_usage=5,
        )
        for reset in ("WEEK", "MONTH", "YEAR")
    ]
    + [
        Row(
            "its period is over and no other is known",
            lambda scope: scope.metered("f", limit=5, usage=7, period=PAST),
            expected.metered("f", limit=5),
            requested_usage=5.5,
            denied=EXCEEDING,
        ),
    ]
)

ENUMS = [
    Row("enum", lambda scope: scope.enum("f", ["eu", "us"]), expected.enum("f", ["eu", "us"])),
    Row(
        "enum with requested values",
        lambda scope: scope.enum("f", ["eu", "us", "ap"]),
        expected.enum("f", ["eu", "us", "ap"]),
        requested_values=("ap", "eu"),
    ),
    Row(
        "enum with a value that is not granted",
        lambda scope: scope.enum("f", ["eu"]),
        expected.enum("f", ["eu"]),
        requested_values=("eu", "us"),
        denied="REQUESTED_VALUES_MISMATCH",
    ),
    Row("enum without values", lambda scope: scope.enum("f", []), expected.enum("f", [])),
]

CREDIT_RATES = [
    Row(
        "paid from a balance",
        lambda scope: scope.metered("f", unlimited=True, usage=2, credit_rate=(2.5, "k")).credit("k", limit=9, usage=8),
        expected.metered("f", unlimited=True, usage=2),
    ),
    _denied_by_upstream(
        "paid from an empty balance, as upstream says",
        lambda scope: scope.metered("f", unlimited=True, credit_rate=(1, "k")).credit("k", limit=9, usage=9),
        expected.metered("f", unlimited=True),
        "INSUFFICIENT_CREDITS",
    ),
]

V2_CREDIT_RATES = [
    _denied_by_upstream(
        "paid from an empty balance that upstream overlooked",
        lambda scope: (
            scope.metered("f", unlimited=True, credit_rate=(1, "k"), derive_credit_reason=False)
            .credit("k", limit=9, usage=10)
        ),
        expected.metered("f", unlimited=True),
        "INSUFFICIENT_CREDITS",
    ),
    Row(
        "paid from an empty balance with a soft limit",
        lambda scope: (
            scope.metered("f", unlimited=True, credit_rate=(1, "k")).credit("k", limit=9, usage=10, soft_limit=True)
        ),
        expected.metered("f", unlimited=True),
    ),
]  # fmt: skip

ROWS = BOOLEANS + NUMERICS + METERED + PERIODS + ENUMS + CREDIT_RATES


@pytest.fixture(scope="module", params=CHANNELS)
def channel(request: pytest.FixtureRequest, shared_upstream: Upstream, shared_daemons: Daemons) -> Daemon:
    return shared_daemons(shared_upstream, **CHANNELS[request.param])


@pytest.fixture(scope="module")
def v2(shared_upstream: Upstream, shared_daemons: Daemons) -> Client:
    return shared_daemons(shared_upstream, **CHANNELS["edge v2"]).client


def assert_every_view_shows(row: Row, client: Client) -> None:
    requested: dict[str, Any] = {}
    if row.requested_usage is not None:
        requested = {"requested_usage": row.requested_usage}
    if row.requested_values:
        requested = {"requested_values": row.requested_values}
    verdict: dict[str, Any] = {
        "has_access": row.denied is None,
        "access_denied_reason": expected.reason(row.denied),
    }
    idle: dict[str, Any] = {
        "has_access": row.denied_idle is None,
        "access_denied_reason": expected.reason(row.denied_idle),
    }
    typed = getattr(client, row.kind)(row.customer, "f", **requested)
    assert typed == type(typed)(**verdict, **requested, entitlement=row.body)

    generic = client.generic(row.customer, "f", **requested)
    assert generic == pb.GetEntitlementResponse(**verdict, **{row.kind: row.body})

    second = client.v2(row.customer, "f", **requested)
    assert second == pb.GetEntitlementV2Response(entitlement={**verdict, row.kind: row.body})

    plain = client.entitlements(row.customer)
    assert list(plain.entitlements) == ([pb.Entitlement(**{row.kind: row.body})] if row.listed else [])

    state = client.state(row.customer)
    features = [each for each in state.entitlements if each.WhichOneof("entitlement") != "credit"]
    assert features == [pb.EntitlementV2(**idle, **{row.kind: row.body})]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_rpc_shows_the_same_decision(row: Row, channel: Daemon, shared_upstream: Upstream) -> None:
    row.define(shared_upstream.world.customer(row.customer))
    assert_every_view_shows(row, channel.client)


@pytest.mark.parametrize("row", V2_CREDIT_RATES, ids=str)
def test_a_feature_follows_the_credit_that_pays_for_it(row: Row, v2: Client, shared_upstream: Upstream) -> None:
    """Only V2 tells balances (section 13.8)."""
    row.define(shared_upstream.world.customer(row.customer))
    assert_every_view_shows(row, v2)


CREDITS = [
    pytest.param({"limit": 500, "usage": 120}, None, id="positive"),
    pytest.param({"limit": 1.5, "usage": 1.25}, None, id="fraction"),
    pytest.param({"limit": 500, "usage": 500}, "INSUFFICIENT_CREDITS", id="exhausted"),
    pytest.param({"limit": 500, "usage": 600}, "INSUFFICIENT_CREDITS", id="overdrawn"),
    pytest.param({"limit": 0, "usage": 0}, "INSUFFICIENT_CREDITS", id="never granted"),
    pytest.param({"limit": 500, "usage": 600, "soft_limit": True}, None, id="overdrawn with a soft limit"),
    pytest.param({"limit": 500, "usage": 0, "reason": "Revoked"}, "REVOKED", id="denied by upstream"),
]


@pytest.mark.parametrize(("given", "denied"), CREDITS)
def test_a_credit_answers_by_its_balance(
    given: dict[str, Any], denied: str | None, v2: Client, shared_upstream: Upstream, request: pytest.FixtureRequest
) -> None:
    customer = f"credit-{request.node.callspec.id}"
    shared_upstream.world.customer(customer).credit("k", **given)
    figures = {name: value for name, value in given.items() if name != "reason"}
    wanted = pb.EntitlementV2(
        has_access=denied is None,
        access_denied_reason=expected.reason(denied),
        credit=expected.credit("k", **figures),
    )
    assert v2.v2(customer, currency="k") == pb.GetEntitlementV2Response(entitlement=wanted)
    assert list(v2.state(customer).entitlements) == [wanted]
    assert not v2.entitlements(customer).entitlements, "credits are not listed there (section 13.6)"


def test_a_credit_shows_all_that_upstream_says_of_it(v2: Client, shared_upstream: Upstream) -> None:
    details: dict[str, Any] = {
        "limit": 10, "usage": 4, "display_name": "AI credits", "description": "For drafts", "units": ("coin", "coins"),
        "metadata": {"tier": "gold", "rank": 2, "tags": ["a", None], "nested": {"on": True}},
    }  # fmt: skip
    shared_upstream.world.customer("credit-details").credit("k", usage_period_end=FUTURE[1], **details)
    answer = v2.v2("credit-details", currency="k")
    assert answer.entitlement.credit == expected.credit("k", period_end=FUTURE[1], **details)


def test_a_credit_is_no_feature_and_a_feature_no_credit(v2: Client, shared_upstream: Upstream) -> None:
    shared_upstream.world.customer("either-or").credit("k", limit=5).boolean("f")
    assert v2.v2("either-or", "k") == pb.GetEntitlementV2Response(
        entitlement={"access_denied_reason": expected.reason("NO_FEATURE_ENTITLEMENT_IN_SUBSCRIPTION")}
    )
    assert v2.v2("either-or", currency="f") == pb.GetEntitlementV2Response(
        entitlement={"access_denied_reason": expected.reason("ENTITLEMENT_NOT_FOUND")}
    )


def test_v1_knows_no_credits(shared_upstream: Upstream, shared_daemons: Daemons) -> None:
    shared_upstream.world.customer("v1-credit").boolean("f").credit("k", limit=5)
    client = shared_daemons(shared_upstream, **CHANNELS["edge v1"]).client
    assert client.v2("v1-credit", currency="k").entitlement.access_denied_reason == expected.reason(
        "ENTITLEMENT_NOT_FOUND"
    )
    assert [each.WhichOneof("entitlement") for each in client.state("v1-credit").entitlements] == ["boolean"]


def test_an_upstream_reason_of_tomorrow_denies_as_unknown(v2: Client, shared_upstream: Upstream) -> None:
    """Section 4.6. GraphQL could not serve it; the Edge is only JSON."""
    shared_upstream.world.customer("tomorrow").boolean("f", reason="BlueMoon")
    answer = v2.boolean("tomorrow", "f", fallback={"has_access": True})
    assert answer == pb.GetBooleanEntitlementResponse(
        access_denied_reason=expected.reason("UNKNOWN"), entitlement=expected.boolean("f")
    )


def test_a_period_that_ends_while_cached_rolls_over_in_memory(v2: Client, shared_upstream: Upstream) -> None:
    """Section 13.3: on every read, strictly after the end, and nothing is asked of upstream for it."""
    end = datetime.now(UTC) + timedelta(seconds=1)
    scope = shared_upstream.world.customer("rolling")
    scope.metered("f", limit=5, usage=5, reset="YEAR", anchor=ANCHOR, period=(ANCHOR, end))
    assert v2.metered("rolling", "f").entitlement.current_usage == 5
    eventually(lambda: v2.metered("rolling", "f", requested_usage=5).has_access)
    assert datetime.now(UTC) > end
    for answer in (
        v2.generic("rolling", "f"),
        v2.state("rolling").entitlements[0],
        v2.entitlements("rolling").entitlements[0],
    ):
        assert answer.metered.current_usage == 0
    assert sum(request.customer_id == "rolling" for request in shared_upstream.recorder.requests()) == 1


def test_values_that_do_not_fit_are_counted(shared_upstream: Upstream, shared_daemons: Daemons) -> None:
    shared_upstream.world.customer("clamped").numeric("f", 3e9)
    daemon = shared_daemons(shared_upstream)
    daemon.client.numeric("clamped", "f")
    assert daemon.metrics()["sidecar_clamped_values_total"] == 1
