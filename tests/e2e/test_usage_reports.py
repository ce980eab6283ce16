"""ReportUsage and ReportUsageBulk: what is sent, answered, counted, and seen by the next read.

docs/protocol.md sections 2.2, 6 and 9; the failures are in test_write_failures.py and test_sent_once.py.
"""

from datetime import UTC, datetime
from typing import Any

import grpc
import pytest

from harness import expected
from harness.client import Client, usage_report
from harness.contract import pb
from harness.daemon import Daemon, Daemons
from harness.failures import refusal
from harness.waiting import PATIENCE_SECONDS, eventually
from independent_upstream import (
    Body,
    Gate,
    Hold,
    Request,
    Status,
    Upstream,
    customer,
    edge,
    graphql,
    operation,
)

ANCHOR = datetime(2025, 1, 31, tzinfo=UTC)
PERIOD = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2096, 1, 1, 12, 30, 0, 123000, tzinfo=UTC))


@pytest.fixture
def client(sidecar: Daemon, upstream: Upstream) -> Client:
    """c has used 3 of 5 seats; so has its resource r."""
    scope = upstream.world.customer("c").metered("seats", limit=5, usage=3).metered("calls", limit=100, usage=1)
    scope.resource("r").metered("seats", limit=5, usage=3)
    return sidecar.client


def input_of(request: Request) -> dict[str, Any]:
    given: dict[str, Any] = request.variables["input"]
    return given


def sent(upstream: Upstream) -> dict[str, Any]:
    """The input of the one ReportUsage, without its key."""
    (request,) = upstream.recorder.requests(operation("ReportUsage"))
    return {name: value for name, value in input_of(request).items() if name != "idempotencyKey"}


class TestWhatIsSent:
    def test_the_least(self, client: Client, upstream: Upstream) -> None:
        """What is not given is left out: upstream has its own defaults (section 2.1)."""
        client.report_usage("c", "seats", 1)
        assert sent(upstream) == {"customerId": "c", "featureId": "seats", "value": 1}

    def test_everything(self, client: Client, upstream: Upstream) -> None:
        client.report_usage(
            "c",
            "seats",
            1.25,
            update_behavior="SET",
            resource="r",
            dimensions={"region": "eu", "size": 2.5, "whole": 3, "beta": True},
            timestamp=datetime(2026, 3, 4, 17, 40, 11, 512000, tzinfo=UTC),
        )
        assert sent(upstream) == {
            "customerId": "c",
            "featureId": "seats",
            "resourceId": "r",
            "value": 1.25,
            "updateBehavior": "SET",
            "createdAt": "2026-03-04T17:40:11.512Z",
            "dimensions": {"region": "eu", "size": 2.5, "whole": 3, "beta": True},
        }

    @pytest.mark.parametrize(
        ("when", "written"),
        [
            (datetime(2026, 3, 4, tzinfo=UTC), "2026-03-04T00:00:00.000Z"),
            (datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC), "1969-12-31T23:59:59.999Z"),
            (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), "9999-12-31T23:59:59.000Z"),
        ],
    )
    def test_timestamps_are_iso_8601_with_milliseconds(
        self, client: Client, upstream: Upstream, when: datetime, written: str
    ) -> None:
        client.report_usage("c", "seats", 1, timestamp=when)
        assert sent(upstream)["createdAt"] == written

    def test_text_that_json_must_escape_arrives_unharmed(self, client: Client, upstream: Upstream) -> None:
        text = 'quote " backslash \\ newline \n tab \t käse 😀 \u2028'
        client.report_usage("c", "seats", 1, dimensions={"text": text})
        assert sent(upstream)["dimensions"] == {"text": text}

    def test_each_report_has_a_key_of_its_own(self, client: Client, upstream: Upstream) -> None:
        for _ in range(3):
            client.report_usage("c", "seats", 0.5)
        client.report_bulk([usage_report("c", "calls", 1) for _ in range(3)])
        keys = [measurement.report.idempotency_key for measurement in upstream.world.measurements]
        assert len(set(keys)) == 6
        assert all(keys)


class TestWhatIsAnswered:
    def test_the_measurement(self, client: Client, upstream: Upstream) -> None:
        answer = client.report_usage("c", "seats", 1)
        (measurement,) = upstream.world.measurements
        assert answer == pb.ReportUsageResponse(
            measurement_id=measurement.id, customer_id="c", feature_id="seats", current_usage=4
        )

    def test_its_resource_and_period(self, client: Client, upstream: Upstream) -> None:
        scope = upstream.world.customer("c").resource("r")
        scope.metered("monthly", limit=5, usage=3, reset="MONTH", anchor=ANCHOR, period=PERIOD)
        answer = client.report_usage("c", "monthly", 2, resource="r")
        assert answer == pb.ReportUsageResponse(
            measurement_id=upstream.world.measurements[0].id,
            customer_id="c",
            resource_id="r",
            feature_id="monthly",
            current_usage=5,
            usage_period_start=PERIOD[0],
            usage_period_end=PERIOD[1],
        )

    def test_usage_that_upstream_does_not_tell_is_left_out(self, client: Client, upstream: Upstream) -> None:
        body = b'{"data":{"reportUsage":{"id":"m-1","currentUsage":null,"timestamp":"2026-03-04T17:40:11.512Z"}}}'
        upstream.faults.inject(operation("ReportUsage"), Body(body))
        assert client.metered("c", "seats").entitlement.current_usage == 3
        answer = client.report_usage("c", "seats", 1)
        assert (answer.measurement_id, answer.HasField("current_usage")) == ("m-1", False)
        assert client.metered("c", "seats").entitlement.current_usage == 3


class TestWhatIsCounted:
    @pytest.mark.parametrize(
        ("value", "behavior", "usage"),
        [(2, None, 5), (2, "DELTA", 5), (2, "SET", 2), (0, "SET", 0), (0, "DELTA", 3), (0.25, None, 3.25)],
    )
    def test_behaviours(
        self, client: Client, upstream: Upstream, value: float, behavior: str | None, usage: float
    ) -> None:
        assert client.report_usage("c", "seats", value, update_behavior=behavior).current_usage == usage
        assert upstream.world.usage("c", "seats") == usage

    @pytest.mark.parametrize("behavior", [None, "DELTA"])
    def test_a_negative_delta_releases_seats(self, client: Client, behavior: str | None) -> None:
        assert not client.metered("c", "seats", requested_usage=3).has_access
        assert client.report_usage("c", "seats", -2, update_behavior=behavior).current_usage == 1
        assert client.metered("c", "seats", requested_usage=4).has_access

    def test_a_negative_set_is_refused_here(self, client: Client, upstream: Upstream) -> None:
        refused = refusal(lambda: client.report_usage("c", "seats", -1, update_behavior="SET"))
        assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
        assert "value" in refused.message
        assert upstream.recorder.count(graphql()) == 0


class TestWhatTheNextReadSees:
    """The returned usage is applied to memory at once (section 6): no fetch is needed to see it."""

    def test_every_read_shows_the_new_usage(self, client: Client, upstream: Upstream) -> None:
        client.metered("c", "seats")
        client.report_usage("c", "seats", 2)
        body = expected.metered("seats", limit=5, usage=5)
        read = client.traced.metered("c", "seats", requested_usage=1)
        assert (read.source, read.message.entitlement, read.message.has_access) == ("memory", body, False)
        assert client.generic("c", "seats").metered == body
        assert client.v2("c", "seats").entitlement.metered == body
        assert client.entitlements("c").entitlements[0].metered == body
        assert client.state("c").entitlements[0].metered == body
        assert upstream.recorder.count(edge()) == 1

    def test_other_features_and_scopes_stay(self, client: Client) -> None:
        client.metered("c", "seats")
        client.metered("c", "seats", resource="r")
        client.report_usage("c", "seats", 1, resource="r")
        assert client.metered("c", "seats").entitlement.current_usage == 3
        assert client.metered("c", "calls").entitlement.current_usage == 1
        assert client.metered("c", "seats", resource="r").entitlement.current_usage == 4

    def test_a_new_period_is_seen_too(self, client: Client, upstream: Upstream) -> None:
        scope = upstream.world.customer("c")
        over = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
        scope.metered("monthly", limit=5, usage=5, reset="MONTH", anchor=ANCHOR, period=over)
        client.metered("c", "monthly")
        scope.metered("monthly", limit=5, usage=0, reset="MONTH", anchor=ANCHOR, period=PERIOD)
        client.report_usage("c", "monthly", 2)
        assert client.metered("c", "monthly").entitlement == expected.metered(
            "monthly", limit=5, usage=2, reset="MONTH", anchor=ANCHOR, period=PERIOD
        )

    def test_every_item_of_a_bulk_is_seen(self, client: Client, upstream: Upstream) -> None:
        client.metered("c", "seats")
        client.report_bulk(
            [usage_report("c", "seats", 1), usage_report("c", "calls", 5), usage_report("c", "seats", 1)]
        )
        assert client.metered("c", "seats").entitlement.current_usage == 5
        assert client.metered("c", "calls").entitlement.current_usage == 6
        assert upstream.recorder.count(edge()) == 1

    def test_a_report_for_a_customer_that_is_not_cached_fetches_nothing(
        self, client: Client, upstream: Upstream
    ) -> None:
        client.report_usage("c", "seats", 1)
        assert upstream.recorder.count(edge()) == 0
        assert client.traced.metered("c", "seats").source == "upstream"

    def test_an_older_fetch_does_not_hide_a_newer_report(self, upstream: Upstream, daemon: Daemons) -> None:
        """Upstream computed the refresh before the report and answers it afterwards."""
        upstream.world.customer("c").metered("seats", limit=5, usage=3)
        client = daemon(upstream, ENTITLEMENTS_TTL_SECS=1).client
        client.metered("c", "seats")
        gate = Gate()
        upstream.faults.inject(edge(), Hold(gate))
        eventually(lambda: client.metered("c", "seats") and gate.held)
        client.report_usage("c", "seats", 2)
        gate.release()
        upstream.recorder.wait_for(lambda request: request.number > 1 and request.is_edge and request.outcome.finished)
        eventually(lambda: client.traced.metered("c", "calls"), until=lambda each: (each.age_ms or 0) < 1000)
        assert client.metered("c", "seats").entitlement.current_usage == 5

    def test_a_first_fetch_that_is_older_does_not_hide_a_report(self, client: Client, upstream: Upstream) -> None:
        """The same when nothing was cached yet."""
        gate = Gate()
        upstream.faults.inject(edge(), Hold(gate))
        cold = client.background.metered("c", "seats")
        gate.wait_until_held()
        client.report_usage("c", "seats", 2)
        gate.release()
        cold.result(timeout=PATIENCE_SECONDS)
        assert client.metered("c", "seats").entitlement.current_usage == 5


class TestCredits:
    """A report that consumes credits answers the balance (V2, section 2.2); sections 6 and 13.8."""

    @pytest.fixture
    def scope(self, upstream: Upstream) -> Any:
        scope = upstream.world.customer("paying").credit("coins", limit=10, usage=4)
        return scope.metered("drafts", unlimited=True, usage=2, credit_rate=(2, "coins"))

    def test_the_balance_is_seen_at_once(self, scope: Any, client: Client, upstream: Upstream) -> None:
        client.state("paying")
        client.report_usage("paying", "drafts", 2)
        read = client.traced.v2("paying", currency="coins")
        assert (read.source, read.message.entitlement.credit.remaining) == ("memory", 2)
        assert client.metered("paying", "drafts").has_access
        assert upstream.recorder.count(edge()) == 1

    def test_the_last_credits_deny_what_they_pay_for_and_new_ones_lift_it(self, scope: Any, client: Client) -> None:
        client.state("paying")
        client.report_usage("paying", "drafts", 3)
        exhausted = expected.reason("INSUFFICIENT_CREDITS")
        assert client.metered("paying", "drafts").access_denied_reason == exhausted
        assert client.v2("paying", currency="coins").entitlement.access_denied_reason == exhausted
        assert not client.entitlements("paying").entitlements
        client.report_usage("paying", "drafts", -1)
        assert client.metered("paying", "drafts").has_access
        assert client.v2("paying", currency="coins").entitlement.has_access

    def test_new_credits_lift_no_other_denial(self, scope: Any, client: Client) -> None:
        scope.deny("drafts", "Revoked").set_credit_usage("coins", 10)
        client.state("paying")
        client.report_usage("paying", "drafts", -1)
        assert client.v2("paying", currency="coins").entitlement.has_access
        assert client.metered("paying", "drafts").access_denied_reason == expected.reason("REVOKED")


def bulk_sizes(upstream: Upstream) -> list[int]:
    return [len(input_of(request).get("usages", [0])) for request in upstream.recorder.requests(graphql())]


class TestBulk:
    """At most 100 items per upstream call (section 9)."""

    @pytest.fixture
    def counting(self, client: Client, upstream: Upstream) -> Client:
        upstream.world.customer("counting").metered("n", unlimited=True)
        return client

    def test_250_reports_are_split_in_three_and_answered_in_order(self, counting: Client, upstream: Upstream) -> None:
        answer = counting.report_bulk([usage_report("counting", "n", 1) for _ in range(250)])
        assert bulk_sizes(upstream) == [100, 100, 50]
        assert [each.current_usage for each in answer.usages] == list(range(1, 251))
        assert [each.measurement_id for each in answer.usages] == [each.id for each in upstream.world.measurements]

    @pytest.mark.parametrize("size", [1, 2, 100])
    def test_what_fits_is_one_call(self, size: int, counting: Client, upstream: Upstream) -> None:
        answer = counting.report_bulk([usage_report("counting", "n", 1) for _ in range(size)])
        assert len(answer.usages) == size
        assert upstream.recorder.count(graphql()) == 1

    def test_items_may_be_about_different_customers_and_behaviours(self, client: Client, upstream: Upstream) -> None:
        answer = client.report_bulk(
            [
                usage_report("c", "seats", 1),
                usage_report("c", "seats", 1, update_behavior="SET", resource="r"),
                usage_report("c", "calls", -1),
            ]
        )
        assert [(each.feature_id, each.resource_id, each.current_usage) for each in answer.usages] == [
            ("seats", "", 4),
            ("seats", "r", 1),
            ("calls", "", 0),
        ]

    def test_a_failing_part_stops_the_rest_and_the_message_says_how_many_counted(
        self, counting: Client, upstream: Upstream
    ) -> None:
        def is_second_part(request: Request) -> bool:
            return request.operation == "ReportUsageBulk" and input_of(request)["usages"][0]["value"] == 101

        upstream.faults.inject(is_second_part, Status(400), times=None)
        refused = refusal(lambda: counting.report_bulk([usage_report("counting", "n", i) for i in range(1, 251)]))
        assert refused.message.startswith("Failed to report usage: ")
        assert "100 of 250" in refused.message
        assert bulk_sizes(upstream) == [100, 100]
        assert len(upstream.world.measurements) == 100

    def test_what_counted_before_the_failing_part_is_seen(self, counting: Client, upstream: Upstream) -> None:
        counting.metered("counting", "n")
        reports = [usage_report("counting", "n", 1) for _ in range(100)] + [usage_report("nobody", "n", 1)]
        refused = refusal(lambda: counting.report_bulk(reports))
        assert refused.code is grpc.StatusCode.NOT_FOUND
        assert counting.metered("counting", "n").entitlement.current_usage == 100

    def test_a_bulk_is_refused_whole_when_one_item_is_bad(self, counting: Client, upstream: Upstream) -> None:
        reports = [usage_report("counting", "n", 1), usage_report("counting", "n", float("nan"))]
        refused = refusal(lambda: counting.report_bulk(reports))
        assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
        assert "usages[1].value" in refused.message
        assert upstream.recorder.count(graphql()) == 0


def test_reports_of_many_callers_are_all_counted(sidecar: Daemon, client: Client, upstream: Upstream) -> None:
    """More than the 64 that may be under way at once: the rest queue, and none is lost or counted twice."""
    upstream.world.customer("busy").metered("n", unlimited=True)
    client.metered("busy", "n")
    gate = Gate()
    upstream.faults.inject(operation("ReportUsage"), Hold(gate), times=64)
    calls = [client.background.report_usage("busy", "n", 1) for _ in range(500)]
    gate.wait_until_held(64)
    gate.release()
    try:
        for call in calls:
            call.result(timeout=PATIENCE_SECONDS)
    except grpc.RpcError:
        sidecar.process.kill()  # it would not end by itself either
        raise
    assert upstream.world.usage("busy", "n") == 500
    assert client.metered("busy", "n").entitlement.current_usage == 500
    assert upstream.recorder.count(edge() & customer("busy")) == 1
