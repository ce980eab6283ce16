"""RECORD_PATH and `replay`: what was recorded under real traffic is answered the same by the same build, and by a build
with one rule changed exactly the answers that the rule decides differ (docs/adr/0026)."""

import json
import random
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness import push
from harness.client import Client
from harness.daemon import Daemons, upstream_environment
from harness.process import BINARY, run
from harness.reference_ws import V2_FIELDS, ReferenceWs
from harness.waiting import eventually
from independent_upstream import Upstream

CHANGED = BINARY.parent / "tests" / "stigg-sidecar-changed"
"""The build whose metered features grant below their limit only, and no longer at it (tests/CMakeLists.txt)."""

CUSTOMERS = [f"jane-{number}@example.org" for number in range(60)]
THREADS = 4
REQUESTS = 10_000


@dataclass
class Session:
    """What the callers saw."""

    at_the_limit: int = 0
    """Answers that only the rule under test decides."""
    calls: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def replay(binary: Path, path: Path) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, differing answers, summary."""
    ended = subprocess.run([binary, "replay", path, "--json"], capture_output=True, text=True, timeout=60, check=False)
    return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()], ended.stderr


def fill(upstream: Upstream) -> None:
    for number, name in enumerate(CUSTOMERS):
        scope = upstream.world.customer(name)
        scope.boolean("flag").metered("seats", limit=8, usage=number % 8).credit("coins", limit=10, usage=number % 12)


def one_call(client: Client, dice: random.Random, session: Session) -> None:
    name = dice.choice(CUSTOMERS)
    kind = dice.random()
    if kind < 0.6:
        requested = dice.randrange(6)
        answer = client.metered(name, "seats", requested_usage=requested)
        entitlement = answer.entitlement
        at_the_limit = not answer.is_fallback and entitlement.current_usage + requested == entitlement.usage_limit
        with session.lock:
            session.at_the_limit += at_the_limit
    elif kind < 0.8:
        client.boolean(name, "flag", timeout=dice.choice([1, 5]))
    elif kind < 0.9:
        client.entitlements(name)
    elif kind < 0.95:
        client.v2(name, currency="coins")
    elif kind < 0.97:
        client.reload(name)
    else:
        client.report_usage(name, "seats", 1)
    with session.lock:
        session.calls += 1


@pytest.fixture
def recorded(upstream: Upstream, feed: ReferenceWs, daemon: Daemons, tmp_path: Path) -> tuple[Path, Session]:
    """A recording of callers, pushes and failures of upstream at once."""
    path = tmp_path / "recording"
    fill(upstream)
    recording = daemon(upstream, WS_ENABLED=1, WS_URL=feed.url, RECORD_PATH=path, ENTITLEMENTS_TTL_SECS=1)
    feed.wait_for_subscriptions(*V2_FIELDS)
    session = Session()
    ended = threading.Event()

    def caller(number: int) -> None:
        dice = random.Random(number)
        with Client(recording.target) as client:
            for _ in range(REQUESTS // THREADS):
                one_call(client, dice, session)

    def pusher() -> None:
        dice = random.Random(99)
        while not ended.wait(0.01):
            feed.publish("usageUpdatedV2", push.usage_v2(dice.choice(CUSTOMERS), "seats", dice.randrange(10)))

    with ThreadPoolExecutor() as pool:
        pushes = pool.submit(pusher)
        list(pool.map(caller, range(THREADS)))
        ended.set()
        pushes.result()
    assert recording.metrics().series["sidecar_recording_writing"] == 1
    recording.stop()
    return path, session


def test_the_same_build_answers_the_same(recorded: tuple[Path, Session]) -> None:
    path, session = recorded
    code, differing, summary = replay(BINARY, path)
    assert (code, differing) == (0, []), summary
    assert f"{session.calls} requests, {session.calls} answers compared, 0 differ" in summary
    assert session.calls == REQUESTS
    # Twice the same, whatever else.
    assert replay(BINARY, path) == (code, differing, summary)


def test_a_changed_rule_shows_in_exactly_the_answers_that_it_decides(recorded: tuple[Path, Session]) -> None:
    path, session = recorded
    code, differing, summary = replay(CHANGED, path)
    assert code == 1, summary
    assert session.at_the_limit > 100
    assert len(differing) == session.at_the_limit
    for each in differing:
        assert each["method"] == "GetMeteredEntitlement"
        assert each["fields"][0]["field"] in ("has_access", "access_denied_reason"), each
        assert each["subject"].startswith("id-")
        assert each["subject"].endswith(" seats")


def test_a_recording_names_no_customer_and_holds_no_key(recorded: tuple[Path, Session], upstream: Upstream) -> None:
    path, _ = recorded
    text = path.read_bytes()
    assert len(text) > 100_000
    assert b"example.org" not in text
    assert upstream.api_key.encode() not in text
    assert path.stat().st_mode & 0o777 == 0o600


def test_administrators_are_recorded_too(upstream: Upstream, daemon: Daemons, tmp_path: Path) -> None:
    path = tmp_path / "recording"
    fill(upstream)
    recording = daemon(upstream, RECORD_PATH=path)
    recording.client.metered(CUSTOMERS[5], "seats")
    upstream.world.customer(CUSTOMERS[5]).metered("seats", limit=3, usage=1)
    assert recording.http(f"/admin/reload?customer={CUSTOMERS[5]}", "POST").status == 200
    assert recording.client.metered(CUSTOMERS[5], "seats").entitlement.usage_limit == 3
    assert recording.http(f"/admin/purge?customer={CUSTOMERS[5]}", "POST").status == 200
    upstream.world.customer(CUSTOMERS[5]).metered("seats", limit=4, usage=1)
    assert recording.http(f"/admin/explain?customer={CUSTOMERS[5]}&feature=seats").status == 200
    assert recording.client.metered(CUSTOMERS[5], "seats").entitlement.usage_limit == 4
    recording.stop()
    code, differing, summary = replay(BINARY, path)
    assert (code, differing) == (0, []), summary
    assert "3 requests, 3 answers compared" in summary


def test_recordings_end_where_they_are_full(upstream: Upstream, daemon: Daemons, tmp_path: Path) -> None:
    path = tmp_path / "recording"
    fill(upstream)
    recording = daemon(upstream, RECORD_PATH=path, RECORD_MAX_BYTES=65_536)
    for name in CUSTOMERS * 20:
        recording.client.metered(name, "seats")
    assert recording.metrics().series["sidecar_recording_writing"] == 0
    assert "RECORD_MAX_BYTES=65536" in recording.process.stderr.text
    assert not recording.client.metered(CUSTOMERS[0], "seats").is_fallback
    recording.stop()
    assert path.stat().st_size <= 65_536
    code, differing, summary = replay(BINARY, path)
    assert (code, differing) == (0, []), summary


def test_a_file_that_cannot_be_made_stops_nothing(upstream: Upstream, daemon: Daemons, tmp_path: Path) -> None:
    fill(upstream)
    serving = daemon(upstream, RECORD_PATH=tmp_path / "none" / "recording")
    assert not serving.client.metered(CUSTOMERS[0], "seats").is_fallback
    assert "nothing is recorded" in serving.process.stderr.text


@pytest.mark.parametrize("other", ["REDIS_ENVIRONMENT_PREFIX", "USAGE_OVERLAY"])
def test_what_cannot_be_replayed_is_refused(other: str, upstream: Upstream, tmp_path: Path) -> None:
    ended = run("check-config", **upstream_environment(upstream), RECORD_PATH=tmp_path / "r", **{other: "1"})
    assert ended.returncode == 78
    assert f"RECORD_PATH with {other}" in ended.stderr


def test_replay_says_what_it_is_given(tmp_path: Path) -> None:
    assert run("replay").returncode == 2
    assert run("replay", "--nonsense").returncode == 2
    missing = run("replay", str(tmp_path / "none"))
    assert missing.returncode == 1
    assert str(tmp_path / "none") in missing.stderr
    (tmp_path / "text").write_text("this is no recording at all")
    ended = run("replay", str(tmp_path / "text"))
    assert ended.returncode == 1
    assert "does not begin as a recording does" in ended.stderr


def test_a_recording_that_is_being_written_can_be_replayed(upstream: Upstream, daemon: Daemons, tmp_path: Path) -> None:
    path = tmp_path / "recording"
    fill(upstream)
    recording = daemon(upstream, RECORD_PATH=path)
    for name in CUSTOMERS:
        recording.client.metered(name, "seats")
    eventually(lambda: "60 answers compared, 0 differ" in replay(BINARY, path)[2])
