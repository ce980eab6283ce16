"""The npm package, started as client libraries start a sidecar of their own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from harness.client import Client  # noqa: E402
from harness.ports import free_port  # noqa: E402
from harness.waiting import eventually, timed  # noqa: E402

PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def package() -> Path:
    made = subprocess.run([ROOT / "scripts/package-npm"], capture_output=True, text=True, timeout=1200)
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.strip().splitlines()[-1])


class Spawned:
    """What a client library does: npx, empty variables for what is unset, True for true, and one look at the output."""

    def __init__(self, package: Path, home: Path, **variables: str) -> None:
        self.port = free_port()
        unset = ["API_URL", "EDGE_API_URL", "EDGE_ENABLED", "WS_URL", "REDIS_ENVIRONMENT_PREFIX", "REDIS_HOST",
                 "REDIS_PORT", "REDIS_PASSWORD", "ENTITLEMENTS_FALLBACK", "CACHE_MAX_SIZE_BYTES"]  # fmt: skip
        environment = {
            **dict.fromkeys(unset, ""),
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "npm_config_offline": "true",
            "npm_config_audit": "false",
            "npm_config_update_notifier": "false",
            "PORT": str(self.port),
            "HTTP_PORT": "0",
            "DRAIN_SETTLE_MS": "0",
            **variables,
        }
        self.child = subprocess.Popen(
            ["npx", "-p", f"file:{package}", "-y", "sidecar-linux"],
            env=environment,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self.child.stdout is not None
        for line in self.child.stdout:
            if "Sidecar is ready" in line:
                return  # and nobody reads the pipe from here on
        raise AssertionError("it ended instead of getting ready")

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()
        if self.child.stdout is not None:
            self.child.stdout.close()


@pytest.fixture
def spawned(package: Path, tmp_path: Path) -> Iterator[Spawned]:
    made = Spawned(package, tmp_path, OFFLINE="True", WS_ENABLED="False", LOG_LEVEL="debug")
    yield made
    made.kill()


@pytest.mark.skipif(shutil.which("npx") is None, reason="needs npm")
class TestSpawnedThroughNpx:
    def test_it_answers(self, spawned: Spawned) -> None:
        with Client(f"127.0.0.1:{spawned.port}") as client:
            assert client.boolean("c", "flag").is_fallback

    def test_nobody_needs_to_read_its_output(self, spawned: Spawned) -> None:
        """Each of these is logged at debug or makes no difference: the pipe holds 64 KiB, and is not read."""
        with Client(f"127.0.0.1:{spawned.port}") as client:
            calls = [client.background.boolean("c", "flag") for _ in range(5_000)]
            assert all(call.result(timeout=PATIENCE_SECONDS).is_fallback for call in calls)

    def test_sigterm_to_npx_ends_it(self, spawned: Spawned) -> None:
        """The signal goes to the process that the client started, not to its group; npx ends its shell only."""
        spawned.child.terminate()
        _, took = timed(lambda: spawned.child.wait(PATIENCE_SECONDS))
        assert took < 10
        eventually(lambda: not spawned.listens())


def test_a_mistake_is_told_and_ends_with_78(package: Path, tmp_path: Path) -> None:
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    subprocess.run(["tar", "-xzf", package, "-C", unpacked], check=True)
    ended = subprocess.run(
        [unpacked / "package/sidecar-linux"], env={"PATH": os.environ["PATH"], "PORT": "abc", "OFFLINE": "True"},
        capture_output=True, text=True, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    assert ended.returncode == 78
    assert "PORT" in ended.stderr


def test_it_runs_where_there_is_nothing_but_a_shell(package: Path, tmp_path: Path) -> None:
    """Only what the package brings, a shell and the few commands that its script uses: no libraries of Debian's."""
    if os.geteuid() != 0 or shutil.which("busybox") is None:
        pytest.skip("needs root and busybox")
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    busybox = shutil.copy(shutil.which("busybox") or "", root / "bin/busybox")
    if b"statically linked" not in subprocess.run(["file", busybox], capture_output=True).stdout:
        pytest.skip("needs a static busybox")
    for command in ("sh", "dirname", "readlink", "cat", "sed"):
        (root / "bin" / command).symlink_to("busybox")
    subprocess.run(["tar", "-xzf", package, "-C", root], check=True)
    ended = subprocess.run(
        ["chroot", root, "/package/sidecar-linux", "version"], env={"PATH": "/bin"}, capture_output=True, text=True
    )
    assert ended.stdout.startswith("stigg-sidecar "), ended.stderr


def test_it_is_small_enough_to_be_fetched_at_a_start(package: Path) -> None:
    assert package.stat().st_size < 25_000_000
