"""Garbage from upstream: it never crashes the daemon, never replaces a good record, and is counted.

Scenarios 12 to 15 of the reliability list; docs/protocol.md sections 1.3 and 2.1 (caps).
"""

from dataclasses import dataclass
from typing import Any

import pytest

from harness import expected
from harness.client import Client
from harness.contract import pb
from harness.daemon import Daemon, Daemons
from harness.process import is_sanitized
from harness.waiting import eventually
from independent_upstream import (
    FOREVER,
    Body,
    DropAfterProcessing,
    GraphqlError,
    Gzipped,
    HalfBody,
    HugeBody,
    Reset,
    Status,
    Trickle,
    Upstream,
    customer,
    edge,
    graphql,
)

TTL_MS = 1000

COUNTERS = ("sidecar_upstream_malformed_responses_total", "sidecar_network_request_errors_total")
"""One of them rises for every answer that is not used."""


def state(entitlements: str, reason: str = "null") -> bytes:
    """A V2 Edge body around `entitlements`, a JSON text."""
    return (
        f'{{"data":{{"entitlementsState":{{"accessDeniedReason":{reason},"entitlementsV2":{entitlements}}}}}}}'.encode()
    )


def element(**members: str) -> bytes:
    """A V2 body with one metered element, `members` replaced by JSON texts."""
    given = {
        "__typename": '"FeatureEntitlement"', "isGranted": "true", "usageLimit": "5", "currentUsage": "3",
        "feature": '{"refId":"seats","featureType":"NUMBER","meterType":"Fluctuating"}', **members,
    }  # fmt: skip
    return state("[{" + ",".join(f'"{name}":{value}' for name, value in given.items()) + "}]")


DEEP = b"[" * 100_000 + b"]" * 100_000

BODIES = {
    "nothing": b"",
    "a space": b" ",
    "half JSON": state("[")[:-5],
    "JSON with a tail": state("[]") + b"}",
    "a trailing comma": state("[],"),
    "a page": b"<!DOCTYPE html><html><body>Bad gateway</body></html>",
    "bytes": bytes(range(256)),
    "not UTF-8": state('[{"feature":{"refId":"\xff"}}]').replace("ÿ".encode(), b"\xff"),
    "a byte order mark and nothing": b"\xef\xbb\xbf",
    "null": b"null",
    "a list": b"[]",
    "a number": b"42",
    "no data": b"{}",
    "data is null": b'{"data":null}',
    "data is a list": b'{"data":[]}',
    "no state": b'{"data":{}}',
    "state is null": b'{"data":{"entitlementsState":null}}',
    "state is a text": b'{"data":{"entitlementsState":"none"}}',
    "no list": b'{"data":{"entitlementsState":{"accessDeniedReason":null}}}',
    "list is null": state("null"),
    "list is an object": state("{}"),
    "list is a text": state('"seats"'),
    "reason is a number": state("[]", reason="5"),
    "errors beside data": b'{"errors":[{"message":"m"}],' + state("[]")[1:],
    "an element is a number": state("[5]"),
    "limit is a text": element(usageLimit='"five"'),
    "limit is a list": element(usageLimit="[5]"),
    "limit is 1e400": element(usageLimit="1e400"),
    "usage is -1e400": element(currentUsage="-1e400"),
    "usage is NaN": element(currentUsage="NaN"),
    "usage is true": element(currentUsage="true"),
    "flag is a number": element(hasUnlimitedUsage="1"),
    "flag is a text": element(hasSoftLimit='"yes"'),
    "date is an object": element(usagePeriodEnd="{}"),
    "feature is a text": element(feature='"seats"'),
    "feature id is a number": element(feature='{"refId":5,"featureType":"BOOLEAN"}'),
    "feature type is a number": element(feature='{"refId":"seats","featureType":5}'),
    "values are numbers": element(enumValues="[1,2]"),
    "values are a text": element(enumValues='"eu"'),
    "credit rate is a number": element(creditRate="2.5"),
    "deep nesting": DEEP,
    "deep nesting in a member": b'{"data":' + DEEP + b"}",
}
"""Bodies with status 200 that cannot be used."""

BROKEN: dict[str, Any] = {
    **{name: Body(body) for name, body in BODIES.items()},
    "half a body": HalfBody(),
    "no body": HalfBody(0.0),
    "errors in a 200": GraphqlError("UnexpectedError", keep_data=True),
    "no answer": DropAfterProcessing(),
    "a reset": Reset(),
    "an unasked coding": Gzipped(),
    "a gzip bomb": HugeBody(100, compressed=True),
    "204 without content": Status(204),
    "302 to elsewhere": Status(302, {"Location": "http://127.0.0.1:1/"}),
    "status 999": Status(999),
}


@dataclass(frozen=True)
class Warm:
    """A daemon that has read one customer per case, all of them past their TTL by now."""

    daemon: Daemon
    upstream: Upstream

    @property
    def client(self) -> Client:
        return self.daemon.client

    def unusable_answers(self) -> float:
        metrics = self.daemon.metrics()
        return sum(metrics[name] for name in COUNTERS)


@pytest.fixture(scope="module")
def all_warm(shared_upstream: Upstream, shared_daemons: Daemons) -> Warm:
    daemon = shared_daemons(shared_upstream, ENTITLEMENTS_TTL_SECS=TTL_MS // 1000)
    for each in BROKEN:
        shared_upstream.world.customer(each).metered("seats", limit=5, usage=3)
        daemon.client.metered(each, "seats")
    return Warm(daemon, shared_upstream)


@pytest.fixture
def warm(all_warm: Warm, request: pytest.FixtureRequest) -> Any:
    yield all_warm
    all_warm.upstream.faults.clear()
    # A good answer in between: every case then starts with a clean record of failures.
    good = f"good-{request.node.name}"
    all_warm.upstream.world.customer(good).boolean("flag")
    eventually(lambda: all_warm.client.boolean(good, "flag").has_access)


@pytest.mark.parametrize("case", BROKEN)
def test_a_good_record_stands_and_the_bad_answer_is_counted(case: str, warm: Warm) -> None:
    before = warm.unusable_answers()
    bad = warm.upstream.faults.inject(edge() & customer(case), BROKEN[case], times=FOREVER)
    eventually(lambda: warm.client.metered(case, "seats").has_access and bad.hits)
    eventually(lambda: warm.unusable_answers() > before)
    answer = warm.client.traced.metered(case, "seats", requested_usage=2)
    assert answer.message == pb.GetMeteredEntitlementResponse(
        has_access=True, requested_usage=2, entitlement=expected.metered("seats", limit=5, usage=3)
    )
    assert answer.source == "memory"


@pytest.mark.parametrize("case", BROKEN)
def test_without_a_record_the_fallback_answers(case: str, warm: Warm) -> None:
    before = warm.unusable_answers()
    stranger = f"stranger-{case}"
    warm.upstream.world.customer(stranger).metered("seats", limit=5)
    warm.upstream.faults.inject(edge() & customer(stranger), BROKEN[case], times=FOREVER)
    answer = warm.client.metered(stranger, "seats", fallback={"has_access": True, "usage_limit": 1})
    assert (answer.has_access, answer.is_fallback) == (True, True)
    assert warm.unusable_answers() > before


@pytest.mark.parametrize("case", BROKEN)
def test_a_reload_that_gets_it_is_false(case: str, warm: Warm) -> None:
    warm.upstream.faults.inject(graphql(), BROKEN[case], times=FOREVER)
    assert not warm.client.reload(case).entitled_entity_exists
    assert warm.client.metered(case, "seats").entitlement.current_usage == 3


USABLE = {
    "members of tomorrow": element(hologram='{"depth":3}', score="1e10"),
    "an element of tomorrow": element().replace(b"[", b'[{"__typename":"HologramEntitlement"},', 1),
    "an element without a feature": element().replace(b"[", b'[{"__typename":"FeatureEntitlement"},', 1),
    "null members": element(hasSoftLimit="null", enumValues="null", resetPeriod="null", accessDeniedReason="null"),
    "dates as numbers": element(usageUpdatedAt="1772646011512"),
    "a date that is a word": element(usagePeriodEnd='"tomorrow"'),
    "a date beyond all dates": element(usagePeriodEnd="1e300"),
    "white space": b"\r\n\t " + element() + b" \n",
}


@pytest.mark.parametrize("case", USABLE)
def test_what_only_looks_strange_is_used(case: str, warm: Warm) -> None:
    """Scenario 15: unknown members and kinds, missing optional ones and dates that are none leave the rest usable."""
    warm.upstream.world.customer(f"usable-{case}").raw_edge_body(USABLE[case])
    answer = warm.client.metered(f"usable-{case}", "seats")
    assert (answer.has_access, answer.is_fallback) == (True, False)
    assert (answer.entitlement.usage_limit, answer.entitlement.current_usage) == (5, 3)


def test_a_slow_answer_is_only_slow(upstream: Upstream, daemon: Daemons) -> None:
    upstream.world.customer("c").boolean("flag")
    upstream.faults.inject(edge(), Trickle(0.0005))
    assert daemon(upstream).client.boolean("c", "flag").has_access


def test_a_large_honest_answer_is_used(upstream: Upstream, daemon: Daemons) -> None:
    scope = upstream.world.customer("c")
    for i in range(2000):
        scope.metered(f"feature-{i}", limit=i)
    client = daemon(upstream).client
    assert client.metered("c", "feature-1999").entitlement.usage_limit == 1999
    assert len(client.entitlements("c").entitlements) == 2000


@pytest.mark.skipif(is_sanitized(), reason="the memory of an instrumented binary says nothing")
@pytest.mark.parametrize(
    "huge",
    [HugeBody(100), HugeBody(100, chunked=True), HugeBody(100, compressed=True)],
    ids=["announced", "chunked", "compressed"],
)
def test_100_mib_do_not_swell_the_daemon(huge: HugeBody, upstream: Upstream, daemon: Daemons) -> None:
    """The peak, not what is left afterwards; the cap is 16 MiB."""
    upstream.world.customer("c").boolean("flag")
    sidecar = daemon(upstream)
    assert sidecar.client.boolean("c", "flag").has_access
    sidecar.reset_memory_peak()
    before_kib = sidecar.memory_kib("VmRSS")
    upstream.faults.inject(edge(), huge, times=FOREVER)
    for i in range(3):
        assert sidecar.client.boolean(f"other-{i}", "flag").is_fallback
    assert sidecar.memory_kib("VmHWM") - before_kib < 40 * 1024
    answer = sidecar.client.traced.boolean("c", "flag")
    assert (answer.message.has_access, answer.source) == (True, "memory")
    assert sum(sidecar.metrics()[name] for name in COUNTERS) >= 3
