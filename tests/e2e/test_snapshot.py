"""SNAPSHOT_PATH: what was known before a restart is answered after it (design sections 5 and 13; docs/adr/0013)."""

import os
import signal
import stat
from pathlib import Path
from typing import Any

import pytest

from harness.client import Client
from harness.daemon import Daemon, Daemons
from harness.waiting import PATIENCE_SECONDS, eventually
from independent_upstream import FOREVER, Silent, Upstream, any_request, customer

CUSTOMERS = [f"c-{number}" for number in range(40)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "snapshot"


@pytest.fixture
def kept(upstream: Upstream, daemon: Daemons, path: Path) -> Path:
    """The snapshot that a daemon left which had read every customer."""
    fill(upstream)
    first = daemon(upstream, SNAPSHOT_PATH=path)
    read_all(first.client)
    first.stop()
    return path


def fill(upstream: Upstream, features: int = 3) -> None:
    for number, name in enumerate(CUSTOMERS):
        scope = upstream.world.customer(name)
        scope.boolean("flag").enum("region", ["eu", "us"]).credit("coins", limit=10, usage=4)
        for feature in range(features):
            scope.metered(f"seats-{feature}", limit=number + 5, usage=number)


def read_all(client: Client) -> list[Any]:
    return [client.state(name) for name in CUSTOMERS]


def unknown(client: Client) -> int:
    """How many customers nothing is known of."""
    return sum(client.boolean(name, "flag").is_fallback for name in CUSTOMERS)


def bad_files(path: Path) -> list[Path]:
    return sorted(path.parent.glob(path.name + ".bad-*"))


def kill(daemon: Daemon) -> None:
    daemon.process.signal(signal.SIGKILL)
    daemon.process.wait()
    daemon.client.close()


def test_without_the_setting_nothing_is_kept(upstream: Upstream, daemon: Daemons, path: Path) -> None:
    fill(upstream)
    first = daemon(upstream)
    read_all(first.client)
    first.stop()
    assert list(path.parent.iterdir()) == []


def test_a_restart_without_upstream_answers_the_same_data(upstream: Upstream, daemon: Daemons, path: Path) -> None:
    fill(upstream)
    first = daemon(upstream, SNAPSHOT_PATH=path)
    before = read_all(first.client)
    first.stop()
    upstream.stop()
    second = daemon(upstream, SNAPSHOT_PATH=path)
    assert read_all(second.client) == before
    for name in CUSTOMERS:
        answer = second.client.traced.metered(name, "seats-0")
        assert answer.source == "snapshot"
        assert answer.age_ms is not None
        assert answer.age_ms > 0
    assert second.metrics()["sidecar_snapshot_records"] == len(CUSTOMERS)


def test_two_restarts_in_a_row_keep_the_true_age(kept: Path, upstream: Upstream, daemon: Daemons) -> None:
    upstream.stop()
    ages = []
    for _ in range(2):
        restarted = daemon(upstream, SNAPSHOT_PATH=kept)
        ages.append(restarted.client.traced.boolean(CUSTOMERS[0], "flag").age_ms)
        restarted.stop()
    assert 0 < ages[0] < ages[1]


def test_the_file_is_for_its_owner_only_and_has_no_key(kept: Path, upstream: Upstream) -> None:
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert upstream.api_key.encode() not in kept.read_bytes()


def test_what_was_restored_is_refreshed_in_the_background(kept: Path, upstream: Upstream, daemon: Daemons) -> None:
    restarted = daemon(upstream, SNAPSHOT_PATH=kept)
    for name in CUSTOMERS:
        eventually(lambda name=name: upstream.recorder.requests(customer(name)), until=lambda seen: len(seen) >= 2)
    eventually(lambda: restarted.client.traced.boolean(CUSTOMERS[0], "flag").source, until=lambda s: s == "memory")


def test_it_is_ready_at_once_although_upstream_is_silent(kept: Path, upstream: Upstream, daemon: Daemons) -> None:
    upstream.faults.inject(any_request(), Silent(), times=FOREVER)
    restarted = daemon(upstream, SNAPSHOT_PATH=kept, START_GRACE_MS=3_600_000)
    assert restarted.http("/readyz").status == 200


def test_it_is_written_while_the_daemon_runs(upstream: Upstream, daemon: Daemons, path: Path) -> None:
    fill(upstream)
    first = daemon(upstream, SNAPSHOT_PATH=path, SNAPSHOT_INTERVAL_SECS=1)
    read_all(first.client)
    eventually(lambda: first.metrics()["sidecar_snapshot_records"], until=lambda records: records == len(CUSTOMERS))
    assert first.metrics()["sidecar_snapshot_written_timestamp_seconds"] > 1_700_000_000
    kill(first)
    upstream.stop()
    assert unknown(daemon(upstream, SNAPSHOT_PATH=path).client) == 0


def test_a_kill_while_it_is_written_leaves_a_usable_file(upstream: Upstream, daemon: Daemons, path: Path) -> None:
    fill(upstream, features=300)
    temporary = f"{path}.tmp"
    first = daemon(upstream, SNAPSHOT_PATH=path)
    before = read_all(first.client)
    first.stop()
    upstream.stop()
    for _ in range(5):
        writing = daemon(upstream, SNAPSHOT_PATH=path, SNAPSHOT_INTERVAL_SECS=1)
        assert read_all(writing.client) == before
        eventually_busy(temporary)
        kill(writing)
    assert bad_files(path) == []
    assert read_all(daemon(upstream, SNAPSHOT_PATH=path).client) == before


def eventually_busy(temporary: str) -> None:
    """As `eventually`, without its pauses: the file is there for milliseconds."""
    eventually(lambda: any(os.path.exists(temporary) for _ in range(20_000)), within=PATIENCE_SECONDS)


def test_a_torn_file_is_set_aside_and_its_good_part_serves(kept: Path, upstream: Upstream, daemon: Daemons) -> None:
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2])
    upstream.stop()
    restarted = daemon(upstream, SNAPSHOT_PATH=kept)
    assert 0 < unknown(restarted.client) < len(CUSTOMERS)
    assert restarted.process.stderr.wait_for(lambda line: "it ends " in line and ".bad-" in line)
    assert [bad.read_bytes() for bad in bad_files(kept)] == [whole[: len(whole) // 2]]
    assert restarted.metrics()["sidecar_snapshot_errors_total"] == 1


def test_a_flipped_bit_is_set_aside(kept: Path, upstream: Upstream, daemon: Daemons) -> None:
    flipped = bytearray(kept.read_bytes())
    flipped[flipped.index(b"c-", len(flipped) // 2)] ^= 4  # of a customer's name: not of a frame's length
    kept.write_bytes(flipped)
    upstream.stop()
    restarted = daemon(upstream, SNAPSHOT_PATH=kept)
    assert 0 < unknown(restarted.client) < len(CUSTOMERS)
    assert restarted.process.stderr.wait_for(lambda line: "checksum" in line and ".bad-" in line)


def test_the_snapshot_of_another_key_is_refused(kept: Path, upstream: Upstream, daemon: Daemons) -> None:
    upstream.stop()
    restarted = daemon(upstream, SNAPSHOT_PATH=kept, SERVER_API_KEY="another")
    assert unknown(restarted.client) == len(CUSTOMERS)
    assert restarted.process.stderr.wait_for(lambda line: "another API key" in line)
    assert len(bad_files(kept)) == 1


def test_a_second_process_says_so_and_runs_without(kept: Path, upstream: Upstream, daemon: Daemons) -> None:
    first = daemon(upstream, SNAPSHOT_PATH=kept)
    second = daemon(upstream, SNAPSHOT_PATH=kept)
    assert second.process.stderr.wait_for(lambda line: "another process" in line)
    assert second.metrics()["sidecar_snapshot_records"] == 0
    assert first.metrics()["sidecar_snapshot_records"] == len(CUSTOMERS)
    assert unknown(second.client) == 0


def test_a_directory_that_cannot_be_written_is_said_once(upstream: Upstream, daemon: Daemons, path: Path) -> None:
    fill(upstream)
    served = daemon(upstream, SNAPSHOT_PATH=path.parent / "none" / "snapshot", SNAPSHOT_INTERVAL_SECS=1)
    before = read_all(served.client)
    eventually(lambda: served.metrics()["sidecar_snapshot_errors_total"], until=lambda errors: errors >= 2)
    assert read_all(served.client) == before
    assert sum("none/snapshot" in line for line in served.process.stderr.lines) == 1
    (path.parent / "none").mkdir()
    assert served.process.stderr.wait_for(lambda line: "written again" in line)
