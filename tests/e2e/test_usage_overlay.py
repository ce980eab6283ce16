"""USAGE_OVERLAY=1: reads see acknowledged usage at once, also what waits in the spool and what upstream acknowledged
without a total (docs/adr/0025, docs/api.md).
"""

import json
import uuid
from pathlib import Path

import pytest
from grpc import StatusCode as Code

from harness.client import usage_report
from harness.contract import pb_grpc
from harness.daemon import Daemon, Daemons
from harness.failures import refusal
from harness.waiting import eventually
from independent_upstream import FOREVER, Body, Status, Upstream, operation

ACCEPT = (("x-accept-durable", "1"),)
LONG = {"ENTITLEMENTS_TTL_SECS": 86400}
"""Records are not fetched again meanwhile: what changes comes from reports."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


@pytest.fixture
def seats(upstream: Upstream) -> Upstream:
    upstream.world.customer("c").metered("seats", limit=10, usage=3).boolean("flag")
    return upstream


def report(daemon: Daemon, value: float, **how: str) -> bool:
    """Whether the answer is a durable one."""
    request = usage_report("c", "seats", value, **how)
    _, ended = pb_grpc.SidecarServiceStub(daemon.client.channel).ReportUsage.with_call(
        request, timeout=10, metadata=ACCEPT
    )
    return dict(ended.trailing_metadata()).get("x-report-status") == "durable"


def shown(daemon: Daemon) -> float:
    usage: float = daemon.client.metered("c", "seats").entitlement.current_usage
    return usage


def pending(daemon: Daemon) -> float:
    return daemon.metrics()["sidecar_usage_overlay_pending"]


def reconciled(daemon: Daemon, outcome: str) -> float:
    return daemon.metrics().series[f'sidecar_usage_overlay_reconciled_total{{outcome="{outcome}"}}']


def without_total(upstream: Upstream) -> None:
    """Upstream counts, and says no more than that."""
    measurement = {"id": str(uuid.uuid4()), "customerId": "c", "featureId": "seats", "currentUsage": None}
    body = json.dumps({"data": {"reportUsage": measurement}}).encode()
    upstream.faults.inject(operation("ReportUsage"), Body(body, processes=True), times=FOREVER)


class TestWhatWaitsInTheSpool:
    def test_the_next_read_shows_it(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        sidecar = daemon(seats, USAGE_OVERLAY=1, SPOOL_PATH=path, **LONG)
        assert shown(sidecar) == 3
        seats.stop()
        assert report(sidecar, 4)
        assert shown(sidecar) == 7
        assert sidecar.client.traced.metered("c", "seats").source == "memory"
        assert pending(sidecar) == 1
        assert not sidecar.client.metered("c", "seats", requested_usage=4).has_access
        assert sidecar.client.metered("c", "seats", requested_usage=3).has_access

    def test_every_read_does(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        sidecar = daemon(seats, USAGE_OVERLAY=1, SPOOL_PATH=path, **LONG)
        shown(sidecar)
        seats.stop()
        report(sidecar, 4)
        client = sidecar.client
        assert client.generic("c", "seats").metered.current_usage == 7
        assert client.v2("c", "seats").entitlement.metered.current_usage == 7
        listed = [each.metered for each in client.entitlements("c").entitlements if each.HasField("metered")]
        assert [each.current_usage for each in listed] == [7]
        states = [each.metered for each in client.state("c").entitlements if each.HasField("metered")]
        assert [each.current_usage for each in states] == [7]
        explained = json.loads(sidecar.http("/admin/explain?customer=c&feature=seats&requested=4").body)
        assert explained["rule"].startswith("metered: usage 7 + requested 4")
        assert explained["usageOverlay"]["currentUsage"] == 7
        (feature,) = [each for each in explained["record"]["features"] if each["id"] == "seats"]
        assert feature["currentUsage"] == 3  # what upstream said
        other = json.loads(sidecar.http("/admin/explain?customer=c&feature=flag").body)
        assert "usageOverlay" not in other

    def test_a_set_raises_and_a_release_waits_for_upstream(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        sidecar = daemon(seats, USAGE_OVERLAY=1, SPOOL_PATH=path, **LONG)
        assert shown(sidecar) == 3
        seats.stop()
        report(sidecar, -2)
        report(sidecar, 1, update_behavior="SET")
        assert shown(sidecar) == 3
        report(sidecar, 8, update_behavior="SET")
        report(sidecar, 1)
        assert shown(sidecar) == 9
        seats.start()
        eventually(lambda: pending(sidecar) == 0)
        assert shown(sidecar) == seats.world.usage("c", "seats") == 9

    def test_it_is_reconciled_when_upstream_is_back(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        sidecar = daemon(seats, USAGE_OVERLAY=1, SPOOL_PATH=path, **LONG)
        assert shown(sidecar) == 3
        seats.stop()
        report(sidecar, 2)
        report(sidecar, 2)
        assert shown(sidecar) == 7
        seats.start()
        eventually(lambda: pending(sidecar) == 0)
        assert shown(sidecar) == seats.world.usage("c", "seats") == 7
        assert reconciled(sidecar, "exact") == 2
        assert sidecar.metrics()["sidecar_usage_overlay_drift_total"] == 0

    @pytest.mark.parametrize("end", ["stop", "kill"])
    def test_it_survives_a_restart(self, seats: Upstream, daemon: Daemons, path: Path, end: str) -> None:
        first = daemon(seats, USAGE_OVERLAY=1, SPOOL_PATH=path, **LONG)
        assert shown(first) == 3
        for name in ("ReportUsage", "ReportUsageBulk"):
            seats.faults.inject(operation(name), Status(503), times=FOREVER)
        for _ in range(3):
            assert report(first, 2)
        if end == "kill":
            first.process.kill()
            first.client.close()
        else:
            first.stop()
        second = daemon(seats, USAGE_OVERLAY=1, SPOOL_PATH=path, **LONG)
        assert pending(second) == 3
        assert shown(second) == 9  # from the first read on
        seats.faults.clear()
        eventually(lambda: pending(second) == 0)
        assert shown(second) == seats.world.usage("c", "seats") == 9

    def test_what_upstream_refuses_is_not_shown_any_more(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        sidecar = daemon(seats, USAGE_OVERLAY=1, SPOOL_PATH=path, **LONG)
        assert shown(sidecar) == 3
        seats.stop()
        report(sidecar, -30)  # usage cannot become negative
        report(sidecar, 2)
        seats.start()
        eventually(lambda: sidecar.metrics()["sidecar_spool_dead_total"] == 1)
        eventually(lambda: pending(sidecar) == 0)
        assert shown(sidecar) == 5


class TestAcknowledgedWithoutATotal:
    def test_the_next_read_shows_it(self, seats: Upstream, daemon: Daemons) -> None:
        sidecar = daemon(seats, USAGE_OVERLAY=1, **LONG)
        assert shown(sidecar) == 3
        without_total(seats)
        assert not report(sidecar, 4)
        assert shown(sidecar) == 7
        assert not report(sidecar, 9, update_behavior="SET")
        assert shown(sidecar) == 9
        assert seats.world.usage("c", "seats") == 9
        assert pending(sidecar) == 2

    def test_a_later_total_ends_it(self, seats: Upstream, daemon: Daemons) -> None:
        sidecar = daemon(seats, USAGE_OVERLAY=1, **LONG)
        assert shown(sidecar) == 3
        without_total(seats)
        report(sidecar, 4)
        seats.faults.clear()
        report(sidecar, 1)
        assert shown(sidecar) == 8
        assert pending(sidecar) == 0
        assert reconciled(sidecar, "exact") == 1

    def test_a_fetch_ends_it(self, seats: Upstream, daemon: Daemons) -> None:
        """Without a feed: the record is fetched again after a second."""
        sidecar = daemon(seats, USAGE_OVERLAY=1, ENTITLEMENTS_TTL_SECS=1)
        assert shown(sidecar) == 3
        without_total(seats)
        report(sidecar, 4)
        # From here on the cloud's word counts, and it is never below.
        assert eventually(lambda: (shown(sidecar), pending(sidecar)), lambda seen: seen[1] == 0)[0] == 7
        assert reconciled(sidecar, "exact") == 1

    def test_whoever_is_read_for_the_first_time_is_not_counted_twice(self, seats: Upstream, daemon: Daemons) -> None:
        sidecar = daemon(seats, USAGE_OVERLAY=1, **LONG)
        without_total(seats)
        report(sidecar, 4)
        assert shown(sidecar) == 7


class TestOff:
    def test_reads_show_the_record(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        sidecar = daemon(seats, SPOOL_PATH=path, **LONG)
        assert shown(sidecar) == 3
        without_total(seats)
        assert not report(sidecar, 4)
        assert shown(sidecar) == 3
        seats.stop()
        assert report(sidecar, 2)
        assert shown(sidecar) == 3
        assert pending(sidecar) == 0
        assert "usageOverlay" not in json.loads(sidecar.http("/admin/explain?customer=c&feature=seats").body)

    def test_what_is_not_acknowledged_is_not_shown(self, seats: Upstream, daemon: Daemons) -> None:
        sidecar = daemon(seats, USAGE_OVERLAY=1, **LONG)
        assert shown(sidecar) == 3
        seats.stop()
        assert refusal(lambda: report(sidecar, 4)).code is Code.UNAVAILABLE
        assert shown(sidecar) == 3
        assert pending(sidecar) == 0
