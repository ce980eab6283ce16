"""A sidecar that is stopped under load: who follows health loses nothing, who does not may repeat what failed."""

import json
import signal
import subprocess
from contextlib import closing

from harness.daemon import Daemons
from harness.process import BINARY, is_sanitized
from harness.waiting import PATIENCE_SECONDS, eventually

CALLS_PER_SECOND = 1_000 if is_sanitized() else 5_000
SETTLE_MS = 1_000


def test_a_drain_under_load_loses_no_call(daemon: Daemons) -> None:
    """Scenario 32."""
    drained = daemon(OFFLINE=1, DRAIN_SETTLE_MS=SETTLE_MS, LOG_LEVEL="info")
    other = daemon(OFFLINE=1)
    client = subprocess.Popen(
        [BINARY.parent / "tests" / "drain_client", drained.target, other.target, str(CALLS_PER_SECOND)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert client.stdin is not None
    assert client.stdout is not None
    try:
        with closing(client.stdout), closing(client.stdin):
            assert client.stdout.readline() == "calling\n"
            assert eventually(lambda: drained.metrics()["sidecar_fallback_answers_total"] > CALLS_PER_SECOND)
            drained.process.signal(signal.SIGTERM)
            assert drained.process.wait() == 0
            client.stdin.close()
            calls = json.loads(client.stdout.readline())
    finally:
        client.terminate()
        client.wait(PATIENCE_SECONDS)

    assert calls["follower_failures"] == 0
    assert calls["moved_ok"] > 0, "the follower never moved"
    assert calls["turned_away"] > 0, "nobody called too late"
    assert calls["other_failures"] == 0
    assert calls["repeated_ok"] == calls["turned_away"]
    said = drained.process.stderr.wait_for(lambda line: "drained:" in line)
    assert said is not None
    assert f"drained: {calls['first_ok']} calls reached a handler, 0 of them are not answered" in said
