"""Clients of four makes see the same (README.md), on both fronts."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from harness.daemon import Daemon, Daemons  # noqa: E402
from harness.waiting import eventually  # noqa: E402
from independent_upstream import FOREVER, Gate, Hold, Upstream, customer, edge  # noqa: E402

BUILT = ROOT / "build/clients"
CLIENTS = {
    "grpcio": [sys.executable, str(HERE / "grpcio_client.py")],
    "grpclib": [sys.executable, str(HERE / "grpclib_client.py")],
    "grpc-js": ["node", str(BUILT / "grpc_js/client.js"), str(ROOT / "proto")],
    "grpc-go": [str(BUILT / "grpc_go/client")],
}
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT / "tests/e2e")}

EXPECTED = {
    "hit": ["OK", 3, "memory"],
    "refused": ["INVALID_ARGUMENT", "customer_id: must not be empty"],
    "gzip": ["OK", 3],
    "late": ["OK", True],
    "unknown": "UNIMPLEMENTED",
    "oversized": "RESOURCE_EXHAUSTED",
    "upload": "OK",
    "large": ["OK", 2_000],
    "many": {"OK": 2_000},
    "health": ["OK", "SERVING"],
}
CANNOT = {"grpclib": {"gzip"}}
"""What an implementation has no way to do."""


@pytest.fixture(params=["grpc", "nghttp2"])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[Upstream, Daemon, Gate]]:
    """A daemon whose upstream holds what it is asked of the customer "late"."""
    daemons = Daemons()
    gate = Gate()
    with Upstream() as upstream:
        for name in ("c", "late"):
            upstream.world.customer(name).metered("seats", limit=5, usage=3)
        large = upstream.world.customer("large")
        for n in range(2_000):
            large.metered(f"feature-{n}", limit=5, usage=n)
        upstream.faults.inject(edge() & customer("late"), Hold(gate), times=FOREVER)
        try:
            yield upstream, daemons(upstream, GRPC_FRONT=request.param), gate
        finally:
            gate.release()
            daemons.stop()


@pytest.mark.parametrize("client", CLIENTS)
def test_all_steps(client: str, served: tuple[Upstream, Daemon, Gate]) -> None:
    _, daemon, _ = served
    ran = subprocess.run(
        [*CLIENTS[client], daemon.target], env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    expected = {step: seen for step, seen in EXPECTED.items() if step not in CANNOT.get(client, ())}
    assert json.loads(ran.stdout) == expected


# grpclib ends its connection at a GOAWAY, whatever is under way on it.
@pytest.mark.parametrize("client", sorted(CLIENTS.keys() - {"grpclib"}))
def test_a_call_under_way_is_answered_by_a_server_that_drains(
    client: str, served: tuple[Upstream, Daemon, Gate]
) -> None:
    _, daemon, gate = served
    with subprocess.Popen(
        [*CLIENTS[client], daemon.target, "late"], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as asking:
        try:
            gate.wait_until_held(1)
            daemon.process.signal(signal.SIGTERM)
            eventually(lambda: daemon.http("/readyz").status != 200)
            gate.release()
            out: Any = asking.communicate(timeout=30)[0]
        finally:
            asking.kill()
    assert json.loads(out) == ["OK", 3]
    assert daemon.process.wait() == 0
