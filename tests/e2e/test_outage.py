"""Upstream fails after a warm-up: the same checks answer the same data, not fallbacks, and nobody waits for long.

Design sections 5 and 6.13; docs/protocol.md section 3.4 (what we do not copy) and 13.13.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harness.client import Answer, Client
from harness.daemon import Daemon, Daemons
from harness.waiting import SLACK_SECONDS, eventually, timed
from independent_upstream import (
    FOREVER,
    Body,
    Gate,
    GraphqlError,
    HalfBody,
    Hold,
    Reset,
    Silent,
    Status,
    Upstream,
    any_request,
    customer,
    edge,
)

BUDGET_SECONDS = 0.25
"""SUSPECT_REFRESH_BUDGET_MS by default: the longest wait of a read for the refresh of what it already has."""

TTL_MS = 1000

OUTAGES: dict[str, Callable[[Upstream], Any]] = {
    "connection refused": lambda upstream: upstream.stop(),
    "no answer": lambda upstream: upstream.faults.inject(any_request(), Silent(), times=FOREVER),
    "reset": lambda upstream: upstream.faults.inject(any_request(), Reset(), times=FOREVER),
    "503": lambda upstream: upstream.faults.inject(any_request(), Status(503), times=FOREVER),
    "429": lambda upstream: upstream.faults.inject(any_request(), Status(429, {"Retry-After": "30"}), times=FOREVER),
    "401": lambda upstream: upstream.faults.inject(any_request(), Status(401), times=FOREVER),
    "404": lambda upstream: upstream.faults.inject(any_request(), Status(404), times=FOREVER),
    "half a body": lambda upstream: upstream.faults.inject(any_request(), HalfBody(), times=FOREVER),
    "not JSON": lambda upstream: upstream.faults.inject(any_request(), Body(b"<html>"), times=FOREVER),
    "errors in a 200": lambda upstream: upstream.faults.inject(
        any_request(), GraphqlError("UnexpectedError", keep_data=True), times=FOREVER
    ),
}


@pytest.fixture
def warm(upstream: Upstream, daemon: Daemons) -> Daemon:
    """A daemon with one second of TTL that has read customer c in full."""
    scope = upstream.world.customer("c")
    scope.boolean("flag").numeric("size", 7).metered("seats", limit=5, usage=3).enum("region", ["eu"])
    scope.credit("coins", limit=10, usage=4)
    warm = daemon(upstream, ENTITLEMENTS_TTL_SECS=TTL_MS // 1000)
    warm.client.boolean("c", "flag")
    return warm


def everything(client: Client) -> list[Answer]:
    traced = client.traced
    return [
        traced.boolean("c", "flag"),
        traced.numeric("c", "size"),
        traced.metered("c", "seats", requested_usage=2),
        traced.enum("c", "region", requested_values=["eu"]),
        traced.generic("c", "seats"),
        traced.v2("c", currency="coins"),
        traced.entitlements("c"),
        traced.state("c"),
    ]


def messages(answers: list[Answer]) -> list[Any]:
    return [answer.message for answer in answers]


def wait_for_ttl(client: Client) -> None:
    """Until what is known of customer c has outlived the TTL."""
    eventually(lambda: (client.traced.boolean("c", "flag").age_ms or 0) >= TTL_MS)


@pytest.mark.parametrize("outage", OUTAGES)
def test_the_same_checks_answer_the_same_data_before_and_after_the_ttl(
    outage: str, warm: Daemon, upstream: Upstream
) -> None:
    before = messages(everything(warm.client))
    OUTAGES[outage](upstream)
    assert messages(everything(warm.client)) == before
    wait_for_ttl(warm.client)
    for _ in range(3):
        answers, seconds = timed(lambda: everything(warm.client))
        assert messages(answers) == before
        assert {answer.source for answer in answers} == {"memory"}
        assert all(answer.age_ms is not None and answer.age_ms >= TTL_MS for answer in answers)
        assert seconds < BUDGET_SECONDS + SLACK_SECONDS, "eight reads of one entry wait no longer than one may"


def test_repeated_reads_of_a_failing_entry_do_not_wait_again(upstream: Upstream, daemon: Daemons) -> None:
    """One refresh that outlived the budget is enough to know; it goes on alone."""
    budget_seconds = 1.5
    upstream.world.customer("c").boolean("flag")
    client = daemon(upstream, ENTITLEMENTS_TTL_SECS=1, SUSPECT_REFRESH_BUDGET_MS=int(budget_seconds * 1000)).client
    client.boolean("c", "flag")
    silence = upstream.faults.inject(edge(), Silent(), times=FOREVER)

    durations: list[float] = []

    def read() -> float:
        answer, seconds = timed(lambda: client.traced.boolean("c", "flag"))
        assert (answer.message.has_access, answer.source) == (True, "memory")
        durations.append(seconds)
        return seconds

    eventually(lambda: read() and silence.hits)
    assert max(durations) < budget_seconds + SLACK_SECONDS
    assert max(read() for _ in range(10)) < budget_seconds / 3
    assert silence.hits == 1


def test_after_the_ttl_a_read_answers_what_upstream_says_now(warm: Daemon, upstream: Upstream) -> None:
    upstream.world.customer("c").set_usage("seats", 4)
    assert warm.client.metered("c", "seats").entitlement.current_usage == 3
    fresh = eventually(
        lambda: warm.client.traced.metered("c", "seats"),
        until=lambda answer: answer.message.entitlement.current_usage == 4,
    )
    assert (fresh.source, fresh.age_ms) == ("upstream", 0)


def test_a_refresh_that_is_late_still_fills_the_cache(warm: Daemon, upstream: Upstream) -> None:
    gate = Gate()
    upstream.faults.inject(edge(), Hold(gate))
    upstream.world.customer("c").set_usage("seats", 4)
    wait_for_ttl(warm.client)
    gate.wait_until_held()
    stale = warm.client.traced.metered("c", "seats")
    assert (stale.message.entitlement.current_usage, stale.source) == (3, "memory")
    gate.release()
    eventually(lambda: warm.client.metered("c", "seats").entitlement.current_usage == 4)
    assert upstream.recorder.count(edge()) == 2


def test_age_grows_while_upstream_is_away(warm: Daemon, upstream: Upstream) -> None:
    upstream.stop()
    wait_for_ttl(warm.client)
    first = warm.client.traced.boolean("c", "flag").age_ms
    eventually(lambda: (warm.client.traced.boolean("c", "flag").age_ms or 0) > (first or 0))


def test_when_upstream_is_back_its_data_is_answered_again(warm: Daemon, upstream: Upstream) -> None:
    upstream.stop()
    wait_for_ttl(warm.client)
    upstream.world.customer("c").set_usage("seats", 5)
    upstream.start()
    eventually(lambda: warm.client.metered("c", "seats").entitlement.current_usage == 5)


def test_a_customer_never_seen_falls_back_until_upstream_is_back(upstream: Upstream, daemon: Daemons) -> None:
    upstream.world.customer("c").boolean("flag")
    client = daemon(upstream).client
    upstream.stop()
    cold = client.traced.boolean("c", "flag", fallback={"has_access": True})
    assert (cold.message.has_access, cold.message.is_fallback, cold.source) == (True, True, "fallback")
    upstream.start()
    eventually(lambda: not client.boolean("c", "flag").is_fallback)


def test_a_customer_that_was_unknown_is_found_once_it_exists(upstream: Upstream, daemon: Daemons) -> None:
    """What says "nothing here" is asked about again, too."""
    client = daemon(upstream, ENTITLEMENTS_TTL_SECS=1).client
    assert not client.boolean("late", "flag").has_access
    upstream.world.customer("late").boolean("flag")
    eventually(lambda: client.boolean("late", "flag").has_access)


def test_the_outage_is_counted(warm: Daemon, upstream: Upstream) -> None:
    before = warm.metrics()
    upstream.stop()
    wait_for_ttl(warm.client)
    eventually(
        lambda: warm.metrics()["sidecar_network_request_errors_total"] > before["sidecar_network_request_errors_total"]
    )
    after = warm.metrics()
    assert after["sidecar_cache_hits_total"] > before["sidecar_cache_hits_total"]
    assert after["sidecar_cache_misses_total"] == before["sidecar_cache_misses_total"]


class TestPastValidUntil:
    """The data itself says when it ends (docs/protocol.md sections 4.2 and 13.13)."""

    @pytest.fixture
    def client(self, upstream: Upstream, daemon: Daemons) -> Client:
        """Of a daemon that has read c: `trial` ends within two seconds, `flag` does not."""
        end = datetime.now(UTC) + timedelta(seconds=1.5)
        upstream.world.customer("c").boolean("trial", valid_until=end).boolean("flag")
        client: Client = daemon(upstream).client
        assert client.boolean("c", "trial").has_access
        return client

    def test_while_upstream_fails_it_is_no_answer_any_more(self, client: Client, upstream: Upstream) -> None:
        upstream.faults.inject(edge(), Status(403), times=FOREVER)
        over = eventually(lambda: client.traced.boolean("c", "trial"), until=lambda answer: answer.message.is_fallback)
        assert (over.message.has_access, over.source) == (False, "fallback")
        assert [each.boolean.feature.id for each in client.entitlements("c").entitlements] == ["flag"]
        assert [each.boolean.feature.id for each in client.state("c").entitlements] == ["flag"]
        rest = client.traced.boolean("c", "flag")
        assert (rest.message.has_access, rest.message.is_fallback, rest.source) == (True, False, "memory")

    def test_the_fallback_of_the_call_answers_for_it(self, client: Client, upstream: Upstream) -> None:
        upstream.stop()
        eventually(lambda: client.boolean("c", "trial", fallback={"has_access": True}).is_fallback)
        assert client.boolean("c", "trial", fallback={"has_access": True}).has_access

    def test_upstream_is_asked_and_its_new_answer_counts(self, client: Client, upstream: Upstream) -> None:
        upstream.world.customer("c").boolean("trial", reason="Revoked")
        revoked = eventually(
            lambda: client.traced.boolean("c", "trial"), until=lambda answer: not answer.message.has_access
        )
        assert (revoked.message.is_fallback, revoked.source) == (False, "upstream")
        assert upstream.recorder.count(edge() & customer("c")) == 2

    def test_repeated_reads_do_not_wait_for_a_silent_upstream_each(self, client: Client, upstream: Upstream) -> None:
        silence = upstream.faults.inject(edge(), Silent(), times=FOREVER)
        eventually(lambda: client.boolean("c", "trial", timeout=1).is_fallback)
        eventually(lambda: silence.hits, lambda seen: seen == 1)
        before, seconds = timed(lambda: [client.boolean("c", "flag").has_access for _ in range(5)])
        assert before == [True] * 5
        assert seconds < SLACK_SECONDS, "another feature of the customer is not held up"
