"""The durable spool: what is acknowledged while upstream is away is delivered, in order, once.

docs/adr/0014, docs/api.md ("durable reports"), docs/reliability.md rows 33 to 36.
"""

import json
import os
import random
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Signal
from typing import Any

import grpc
import pytest
from grpc import StatusCode as Code

from harness.client import event, usage_report
from harness.contract import pb, pb_grpc
from harness.daemon import Daemon, Daemons, upstream_environment
from harness.failures import Refusal, refusal
from harness.process import run
from harness.waiting import eventually
from independent_upstream import (
    FOREVER,
    DropAfterProcessing,
    DropBeforeReading,
    Request,
    Status,
    Upstream,
    operation,
)

ACCEPT = (("x-accept-durable", "1"),)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


@pytest.fixture
def seats(upstream: Upstream) -> Upstream:
    for customer in ("c", "d"):
        upstream.world.customer(customer).metered("seats", unlimited=True)
    return upstream


@dataclass
class Answered:
    message: Any
    durable: bool


def call(daemon: Daemon, method: str, request: Any, accept: bool = True, timeout: float = 10) -> Answered:
    stub = getattr(pb_grpc.SidecarServiceStub(daemon.client.channel), method)
    message, ended = stub.with_call(request, timeout=timeout, metadata=ACCEPT if accept else ())
    status = dict(ended.trailing_metadata()).get("x-report-status")
    assert status in (None, "durable")
    return Answered(message, status == "durable")


def report(daemon: Daemon, customer: str = "c", feature: str = "seats", value: float = 1, **how: Any) -> Answered:
    accept = how.pop("accept", True)
    return call(daemon, "ReportUsage", usage_report(customer, feature, value, **how), accept)


def report_events(daemon: Daemon, *keys: str, customer: str = "c") -> Answered:
    request = pb.ReportEventsRequest(events=[event("login", customer, key) for key in keys])
    return call(daemon, "ReportEvents", request, accept=False)


def refused(daemon: Daemon, **how: Any) -> Refusal:
    return refusal(lambda: report(daemon, **how))


def usages_of(request: Request) -> list[dict[str, Any]]:
    """Of a request that was read to its end."""
    given = (request.variables or {}).get("input", {})
    usages: list[dict[str, Any]] = given.get("usages", [given] if given else [])
    return usages


def sent_usages(upstream: Upstream) -> list[dict[str, Any]]:
    return [
        usage
        for request in upstream.recorder.requests()
        if request.operation in ("ReportUsage", "ReportUsageBulk")
        for usage in usages_of(request)
    ]


def kill(daemon: Daemon) -> None:
    daemon.process.kill()
    daemon.client.close()


def spooled(daemon: Daemon) -> float:
    return daemon.metrics()["sidecar_spool_records"]


def test_without_a_path_nothing_is_spooled(seats: Upstream, daemon: Daemons) -> None:
    sidecar = daemon(seats)
    assert not report_events(sidecar, "k").durable
    seats.stop()
    assert refused(sidecar).code is Code.UNAVAILABLE
    assert sidecar.metrics()["sidecar_spool_up"] == 0


class TestEvents:
    def test_they_are_durable_at_once_and_delivered_behind(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        sidecar = daemon(seats, SPOOL_PATH=path)
        assert report_events(sidecar, "k1", "k2").durable
        eventually(lambda: [each.idempotency_key for each in seats.world.events] == ["k1", "k2"])
        eventually(lambda: sidecar.metrics()["sidecar_spool_delivered_total"] == 2)
        assert spooled(sidecar) == 0

    def test_an_outage_is_not_seen(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        sidecar = daemon(seats, SPOOL_PATH=path)
        seats.stop()
        keys = [f"k{i}" for i in range(20)]
        for key in keys:
            assert report_events(sidecar, key).durable
        seats.start()
        eventually(lambda: [each.idempotency_key for each in seats.world.events] == keys)

    def test_sigkill_loses_none(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        first = daemon(seats, SPOOL_PATH=path)
        seats.stop()
        report_events(first, "k1", "k2")
        kill(first)
        seats.start()
        daemon(seats, SPOOL_PATH=path)
        eventually(lambda: [each.idempotency_key for each in seats.world.events] == ["k1", "k2"])

    def test_what_is_left_at_the_end_is_delivered_after_the_next_start(
        self, seats: Upstream, daemon: Daemons, path: Path
    ) -> None:
        first = daemon(seats, SPOOL_PATH=path)
        seats.stop()
        report_events(first, "k1")
        first.stop()
        seats.start()
        daemon(seats, SPOOL_PATH=path)
        eventually(lambda: len(seats.world.events) == 1)

    def test_a_full_spool_refuses_and_says_when_to_come_back(
        self, seats: Upstream, daemon: Daemons, path: Path
    ) -> None:
        sidecar = daemon(seats, SPOOL_PATH=path, SPOOL_MAX_BYTES=65536)
        seats.stop()
        report_events(sidecar, *(f"k{i}" for i in range(200)))
        full = refusal(lambda: report_events(sidecar, *(f"l{i}" for i in range(200))))
        assert full.code is Code.RESOURCE_EXHAUSTED
        assert "SPOOL_MAX_BYTES" in full.message
        assert full.retry_after_seconds is not None
        assert sidecar.metrics()["sidecar_spool_dropped_total"] == 200
        seats.start()
        eventually(lambda: len(seats.world.events) == 200)


class TestUsage:
    def test_it_goes_upstream_first(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        answer = report(daemon(seats, SPOOL_PATH=path))
        assert not answer.durable
        assert answer.message.current_usage == 1

    def test_only_a_caller_that_accepts_it_gets_a_durable_answer(
        self, seats: Upstream, daemon: Daemons, path: Path
    ) -> None:
        sidecar = daemon(seats, SPOOL_PATH=path)
        seats.stop()
        assert refused(sidecar, accept=False).code is Code.UNAVAILABLE
        answer = report(sidecar)
        assert answer.durable
        assert not answer.message.HasField("current_usage")
        seats.start()
        eventually(lambda: seats.world.usage("c", "seats") == 1)
        assert {each["idempotencyKey"] for each in sent_usages(seats)} == {answer.message.measurement_id}

    def test_a_setting_accepts_for_all(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        sidecar = daemon(seats, SPOOL_PATH=path, SPOOL_USAGE=1)
        seats.stop()
        assert report(sidecar, accept=False).durable

    def test_bulk_too(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        sidecar = daemon(seats, SPOOL_PATH=path)
        seats.stop()
        request = pb.ReportUsageBulkRequest(usages=[usage_report("c", "seats", 1) for _ in range(150)])
        answer = call(sidecar, "ReportUsageBulk", request)
        assert answer.durable
        assert len({each.measurement_id for each in answer.message.usages}) == 150
        seats.start()
        eventually(lambda: seats.world.usage("c", "seats") == 150)

    def test_a_lost_answer_is_counted_once(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        """The key of the failed attempt goes into the spool."""
        sidecar = daemon(seats, SPOOL_PATH=path)
        seats.faults.inject(operation("ReportUsage"), DropAfterProcessing(), times=FOREVER)
        answer = report(sidecar)
        assert answer.durable
        seats.faults.clear()
        eventually(lambda: spooled(sidecar) == 0)
        assert seats.world.usage("c", "seats") == 1
        assert {each["idempotencyKey"] for each in sent_usages(seats)} == {answer.message.measurement_id}

    def test_an_error_of_the_report_itself_is_the_callers(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        sidecar = daemon(seats, SPOOL_PATH=path)
        assert refused(sidecar, feature="unheard-of").code is Code.NOT_FOUND
        assert spooled(sidecar) == 0

    def test_later_reports_of_a_customer_queue_behind(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        sidecar = daemon(seats, SPOOL_PATH=path)
        seats.faults.inject(operation("ReportUsage"), Status(503), times=FOREVER)
        seats.faults.inject(operation("ReportUsageBulk"), Status(503), times=FOREVER)
        for value in range(1, 8):
            assert report(sidecar, value=value, update_behavior="SET").durable
        assert refused(sidecar, accept=False).code is Code.UNAVAILABLE
        seats.faults.clear()
        eventually(lambda: spooled(sidecar) == 0)
        assert [each.report.value for each in seats.world.measurements] == [1, 2, 3, 4, 5, 6, 7]
        eventually(lambda: not report(sidecar, accept=False).durable)

    def test_the_delivered_figure_is_read_at_once(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        sidecar = daemon(seats, SPOOL_PATH=path, ENTITLEMENTS_TTL_SECS=86400)
        assert sidecar.client.metered("c", "seats").entitlement.current_usage == 0
        seats.faults.inject(operation("ReportUsage"), Status(503), times=FOREVER)
        assert report(sidecar, value=4).durable
        seats.faults.clear()
        eventually(lambda: sidecar.client.metered("c", "seats").entitlement.current_usage == 4)
        assert sidecar.client.traced.metered("c", "seats").source == "memory"


class TestUpstreamsWithoutKeys:
    """V1: what may have been counted is not repeated."""

    def test_what_may_have_been_processed_is_not_spooled(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        sidecar = daemon(seats, SPOOL_PATH=path, UPSTREAM_API="v1")
        seats.faults.inject(operation("ReportUsage"), DropAfterProcessing())
        assert refused(sidecar).code is Code.UNAVAILABLE
        assert spooled(sidecar) == 0
        assert seats.world.usage("c", "seats") == 1

    def test_what_surely_was_not_is(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        sidecar = daemon(seats, SPOOL_PATH=path, UPSTREAM_API="v1")
        seats.stop()
        assert report(sidecar).durable
        seats.start()
        eventually(lambda: seats.world.usage("c", "seats") == 1)

    def test_a_delivery_in_doubt_is_left_to_people(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        first = daemon(seats, SPOOL_PATH=path, UPSTREAM_API="v1")
        seats.stop()
        assert report(first).durable
        first.stop()
        seats.faults.inject(operation("ReportUsage"), DropAfterProcessing(), times=FOREVER)
        seats.start()
        second = daemon(seats, SPOOL_PATH=path, UPSTREAM_API="v1")
        eventually(lambda: second.metrics()["sidecar_spool_dead_total"] == 1)
        assert seats.world.usage("c", "seats") == 1
        (letter,) = map(json.loads, run("spool", "dead", "--json", SPOOL_PATH=path).stdout.splitlines())
        assert "may have been counted" in letter["reason"]


class TestVerbs:
    def test_ls_beside_a_running_daemon(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        sidecar = daemon(seats, SPOOL_PATH=path)
        seats.stop()
        report_events(sidecar, "k1", "k2")
        report(sidecar, customer="d")
        ended = run("spool", "ls", SPOOL_PATH=path)
        assert ended.returncode == 0, ended
        assert ended.stdout.startswith("3 records, ")
        listed = [json.loads(line) for line in run("spool", "ls", "--json", SPOOL_PATH=path).stdout.splitlines()]
        assert {(each["customer"], each["kind"], each["records"]) for each in listed} == {
            ("c", "event", 2),
            ("d", "usage", 1),
        }

    def test_drain_leaves_it_to_the_daemon_that_has_it(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        sidecar = daemon(seats, SPOOL_PATH=path)
        ended = run("spool", "drain", **upstream_environment(seats) | {"SPOOL_PATH": path})
        assert ended.returncode == 69
        assert f"in use by process {sidecar.process.pid}" in ended.stderr

    def test_drain_delivers_and_shows_progress(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        sidecar = daemon(seats, SPOOL_PATH=path)
        seats.stop()
        report_events(sidecar, *(f"k{i}" for i in range(5)))
        sidecar.stop()
        seats.start()
        ended = run("spool", "drain", **upstream_environment(seats) | {"SPOOL_PATH": path})
        assert ended.returncode == 0, ended
        assert "spool drain: 5 of 5 delivered, 0 dead" in ended.stderr
        assert len(seats.world.events) == 5
        assert run("spool", "ls", SPOOL_PATH=path).stdout == "0 records, 0 bytes\n"

    def test_drain_gives_up_on_an_upstream_that_takes_nothing(
        self, seats: Upstream, daemon: Daemons, path: Path
    ) -> None:
        sidecar = daemon(seats, SPOOL_PATH=path)
        seats.faults.inject(operation("ReportEvent"), Status(401), times=FOREVER)
        report_events(sidecar, "k")
        sidecar.stop()
        ended = run("spool", "drain", **upstream_environment(seats) | {"SPOOL_PATH": path})
        assert ended.returncode == 69
        assert "they stay in the spool" in ended.stderr
        assert run("spool", "ls", SPOOL_PATH=path).stdout.startswith("1 record, ")

    def test_dead_letters_have_reasons_and_hold_up_nothing(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        sidecar = daemon(seats, SPOOL_PATH=path)
        seats.stop()
        good, bad = report(sidecar), report(sidecar, feature="unheard-of")
        report(sidecar)
        assert good.durable and bad.durable
        seats.start()
        eventually(lambda: seats.world.usage("c", "seats") == 2)
        eventually(lambda: sidecar.metrics()["sidecar_spool_dead_total"] == 1)
        eventually(lambda: "1 dead letter\n" in run("spool", "dead", SPOOL_PATH=path).stdout)
        (letter,) = map(json.loads, run("spool", "dead", "--json", SPOOL_PATH=path).stdout.splitlines())
        assert letter["customer"] == "c"
        assert letter["reason"].startswith("NOT_FOUND (FeatureNotFound)")
        assert letter["report"]["idempotencyKey"] == bad.message.measurement_id

    @pytest.mark.parametrize("arguments", [[], ["rm"], ["ls", "--jsn"], ["drain", "--json"], ["ls", "--json", "x"]])
    def test_mistakes_are_usage_errors(self, arguments: list[str], path: Path) -> None:
        ended = run("spool", *arguments, SPOOL_PATH=path)
        assert ended.returncode == 2
        assert "usage: stigg-sidecar spool" in ended.stderr

    def test_it_says_which_variable_is_missing(self) -> None:
        ended = run("spool", "ls")
        assert ended.returncode == 78
        assert "SPOOL_PATH" in ended.stderr

    def test_it_says_when_there_is_none(self, path: Path) -> None:
        for verb in ("ls", "dead", "drain"):
            ended = run("spool", verb, SPOOL_PATH=path, SERVER_API_KEY="k")
            assert ended.returncode == 1, ended
            assert str(path) in ended.stderr
        assert not path.exists()


class TestBrokenSpools:
    """Checks are served whatever becomes of the spool."""

    def test_a_second_daemon_runs_without(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        first = daemon(seats, SPOOL_PATH=path)
        second = daemon(seats, SPOOL_PATH=path)
        assert second.process.stderr.wait_for(lambda line: f"in use by process {first.process.pid}" in line)
        assert not report_events(second, "k").durable
        assert second.metrics()["sidecar_spool_up"] == 0
        assert first.metrics()["sidecar_spool_up"] == 1

    def test_the_lock_ends_with_its_process(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        kill(daemon(seats, SPOOL_PATH=path))
        assert report_events(daemon(seats, SPOOL_PATH=path), "k").durable

    def test_a_damaged_one_is_put_aside(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        path.write_bytes(b"damaged" * 1000)
        sidecar = daemon(seats, SPOOL_PATH=path)
        assert sidecar.process.stderr.wait_for(lambda line: "cannot be read" in line and ".damaged-1" in line)
        assert report_events(sidecar, "k").durable
        assert path.with_name("spool.db.damaged-1").read_bytes() == b"damaged" * 1000

    def test_a_folder_that_is_not_there_is_said(self, seats: Upstream, daemon: Daemons, path: Path) -> None:
        sidecar = daemon(seats, SPOOL_PATH=path.parent / "nowhere" / "spool.db")
        assert sidecar.process.stderr.wait_for(lambda line: "SPOOL_PATH=" in line and "running without" in line)
        assert not report_events(sidecar, "k").durable


KILLS = 100 if os.environ.get("SIDECAR_SLOW") else 10
REPORTERS = 4


@dataclass
class Acknowledged:
    """What callers were told. A list is appended to by many threads."""

    events: list[str] = field(default_factory=list)
    usages: list[tuple[str, Answered]] = field(default_factory=list)

    @property
    def durable(self) -> list[tuple[str, Answered]]:
        return [(name, answer) for name, answer in list(self.usages) if answer.durable]


def report_until(stop: Signal, daemon: Daemon, reporter: str, acknowledged: Acknowledged) -> None:
    """Each report carries a name that no other has; one that fails is not repeated."""
    customer = f"c{reporter[0]}"
    for number in range(1_000_000):
        if stop.is_set():
            return
        name = f"{reporter}-{number}"
        try:
            request = pb.ReportEventsRequest(events=[event("login", customer, name, dimensions={"name": name})])
            assert call(daemon, "ReportEvents", request, accept=False).durable
            acknowledged.events.append(name)
            answer = report(daemon, customer, dimensions={"name": name})
            acknowledged.usages.append((name, answer))
        except grpc.RpcError:
            continue


def make_trouble(upstream: Upstream, life: int) -> None:
    """A third of the lives each: upstream is well, away, or forgets to answer."""
    upstream.faults.clear()
    for name in ("ReportUsage", "ReportUsageBulk", "ReportEvent"):
        if life % 3 == 1:
            upstream.faults.inject(operation(name), DropBeforeReading(), times=FOREVER)
        elif life % 3 == 2:
            upstream.faults.inject(operation(name), DropAfterProcessing(), times=20)


@pytest.mark.timeout(30 + 3 * KILLS)
def test_nothing_acknowledged_is_lost_and_nothing_has_two_keys_whatever_is_killed(
    upstream: Upstream, daemon: Daemons, path: Path
) -> None:
    for i in range(REPORTERS):
        upstream.world.customer(f"c{i}").metered("seats", unlimited=True)
    acknowledged = Acknowledged()
    chance = random.Random(4)
    for life in range(KILLS):
        make_trouble(upstream, life)
        sidecar = daemon(upstream, SPOOL_PATH=path, REPORT_TIMEOUT_MS=2000)
        stop = Signal()
        with ThreadPoolExecutor(REPORTERS) as reporters:
            for i in range(REPORTERS):
                reporters.submit(report_until, stop, sidecar, f"{i}-{life}", acknowledged)
            try:
                if life == 1:
                    eventually(lambda: acknowledged.durable)
                time.sleep(chance.uniform(0.1, 0.5))  # at whatever moment
            finally:
                sidecar.process.kill()
                stop.set()
        sidecar.client.close()
    upstream.faults.clear()
    last = daemon(upstream, SPOOL_PATH=path)
    eventually(lambda: spooled(last) == 0, within=30)
    assert last.metrics()["sidecar_spool_dead_total"] == 0

    events = {each.idempotency_key for each in upstream.world.events}
    assert set(acknowledged.events) <= events
    assert len(acknowledged.events) > KILLS

    counted = [each.report.dimensions["name"] for each in upstream.world.measurements]
    assert {name for name, _ in acknowledged.usages} <= set(counted)
    assert len(counted) == len(set(counted))

    keys = defaultdict(set)
    for usage in sent_usages(upstream):
        keys[usage["dimensions"]["name"]].add(usage["idempotencyKey"])
    assert all(len(each) == 1 for each in keys.values())
    assert all(keys[name] == {answer.message.measurement_id} for name, answer in acknowledged.durable)
