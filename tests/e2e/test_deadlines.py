"""A caller's deadline is kept: the fallback still reaches it, and a late answer is not lost.

Design section 5: the caller's gRPC deadline less max(5 ms, 10 %), else ENTITLEMENTS_TIMEOUT_MS.
"""

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from harness.client import Client, event, usage_report
from harness.contract import pb
from harness.daemon import Daemon, Daemons
from harness.failures import refusal
from harness.waiting import SLACK_SECONDS, eventually, timed
from independent_upstream import FOREVER, Gate, Hold, Silent, Upstream, edge, graphql, operation

DEADLINE_SECONDS = 0.5
"""Of callers that do not wait long: a tenth of it is what the daemon keeps for its answer to travel."""


@pytest.fixture
def gate(upstream: Upstream) -> Gate:
    """Closed before every Edge answer."""
    gate = Gate()
    upstream.faults.inject(edge(), Hold(gate), times=FOREVER)
    return gate


def test_a_caller_with_200_ms_gets_its_fallback_in_time(sidecar: Daemon, gate: Gate) -> None:
    """Not DEADLINE_EXCEEDED: the daemon answers before the client gives up."""
    answer = sidecar.client.traced.boolean("c", "flag", fallback={"has_access": True}, timeout=0.2)
    assert (answer.message.has_access, answer.message.is_fallback, answer.source) == (True, True, "fallback")


READS: list[Callable[..., Any]] = [
    lambda ask, **call: ask.boolean("c", "flag", **call),
    lambda ask, **call: ask.numeric("c", "flag", **call),
    lambda ask, **call: ask.metered("c", "flag", **call),
    lambda ask, **call: ask.enum("c", "flag", **call),
    lambda ask, **call: ask.generic("c", "flag", **call),
    lambda ask, **call: ask.v2("c", "flag", **call),
    lambda ask, **call: ask.entitlements("c", **call),
    lambda ask, **call: ask.state("c", **call),
]


def test_every_read_answers_within_the_callers_deadline(sidecar: Daemon, gate: Gate) -> None:
    calls = [read(sidecar.client.background, timeout=DEADLINE_SECONDS) for read in READS]
    for call in calls:
        call.result()
    assert [dict(call.trailing_metadata())["x-entitlement-source"] for call in calls] == ["fallback"] * len(READS)


def test_the_late_answer_still_fills_the_cache(sidecar: Daemon, gate: Gate, upstream: Upstream) -> None:
    upstream.world.customer("c").boolean("flag")
    assert sidecar.client.boolean("c", "flag", timeout=DEADLINE_SECONDS).is_fallback
    gate.release()
    late = eventually(lambda: sidecar.client.traced.boolean("c", "flag"), until=lambda each: each.source == "memory")
    assert (late.message.has_access, late.message.is_fallback) == (True, False)
    assert upstream.recorder.count(edge()) == 1


def test_callers_of_one_fetch_keep_their_own_deadlines(sidecar: Daemon, gate: Gate, upstream: Upstream) -> None:
    upstream.world.customer("c").boolean("flag")
    patient = sidecar.client.background.boolean("c", "flag", timeout=10)
    gate.wait_until_held()
    assert sidecar.client.boolean("c", "flag", timeout=DEADLINE_SECONDS).is_fallback
    assert not patient.done()
    gate.release()
    assert patient.result(timeout=5).has_access


@pytest.mark.parametrize("deadline", [None, 60], ids=["no deadline", "a longer deadline"])
def test_the_configured_time_bounds_a_read(deadline: float | None, upstream: Upstream, daemon: Daemons) -> None:
    client = daemon(upstream, ENTITLEMENTS_TIMEOUT_MS=300).client
    upstream.faults.inject(edge(), Silent(), times=FOREVER)
    answer, seconds = timed(lambda: client.boolean("c", "flag", timeout=deadline))
    assert answer.is_fallback
    assert seconds < 0.3 + SLACK_SECONDS


def test_a_silent_upstream_is_given_up_after_the_configured_time(upstream: Upstream, daemon: Daemons) -> None:
    """Otherwise the next callers would wait for an answer that never comes."""
    upstream.world.customer("c").boolean("flag")
    client = daemon(upstream, ENTITLEMENTS_TIMEOUT_MS=300).client
    upstream.faults.inject(edge(), Silent())
    assert client.boolean("c", "flag").is_fallback
    eventually(lambda: client.boolean("c", "flag").has_access, within=5)


WRITES: dict[str, tuple[str, str, Callable[..., Any]]] = {
    "usage": (
        "ReportUsage",
        "Failed to report usage: ",
        lambda client, **call: client.report_usage("c", "seats", 1, **call),
    ),
    "bulk": (
        "ReportUsageBulk",
        "Failed to report usage: ",
        lambda client, **call: client.report_bulk([usage_report("c", "seats", 1) for _ in range(2)], **call),
    ),
    "events": (
        "ReportEvent",
        "Failed to report events: ",
        lambda client, **call: client.report_events([event("login", "c", "key")], **call),
    ),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_report_without_an_answer_ends_deadline_exceeded(write: str, upstream: Upstream, daemon: Daemons) -> None:
    """It may have been counted: only the caller can decide what to do."""
    name, prefix, report = WRITES[write]
    client = daemon(upstream, REPORT_TIMEOUT_MS=300).client
    upstream.faults.inject(operation(name), Silent(), times=FOREVER)
    refused, seconds = timed(lambda: refusal(lambda: report(client, timeout=None)))
    assert refused.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert refused.message.startswith(prefix)
    assert seconds < 0.3 + SLACK_SECONDS
    assert upstream.recorder.count(operation(name)) == 1


@pytest.mark.parametrize("write", WRITES)
def test_a_report_ends_within_the_callers_deadline(write: str, sidecar: Daemon, upstream: Upstream) -> None:
    """With our message, not the one that the client makes up when nothing arrives."""
    name, prefix, report = WRITES[write]
    upstream.faults.inject(operation(name), Silent(), times=FOREVER)
    refused = refusal(lambda: report(sidecar.client, timeout=0.5))
    assert refused.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert refused.message.startswith(prefix)


def test_a_reload_ends_within_the_callers_deadline(sidecar: Daemon, upstream: Upstream) -> None:
    """Upstream's failure is not an error of this call (docs/protocol.md section 6)."""
    upstream.world.customer("c").boolean("flag")
    upstream.faults.inject(graphql(), Silent(), times=FOREVER)
    assert sidecar.client.reload("c", timeout=DEADLINE_SECONDS) == pb.ReloadEntitlementsResponse()


def test_a_hit_is_answered_however_short_the_deadline_was_for_others(sidecar: Daemon, upstream: Upstream) -> None:
    upstream.world.customer("c").boolean("flag")
    client: Client = sidecar.client
    client.boolean("c", "flag")
    upstream.faults.inject(edge(), Silent(), times=FOREVER)
    assert client.boolean("c", "flag", timeout=DEADLINE_SECONDS).has_access
