"""The C++ client library as its users get it: installed into a clean prefix, found by CMake and by pkg-config; the example
runs against `dev`, against nothing, and with a sidecar of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from harness.daemon import Daemon, Daemons  # noqa: E402
from harness.ports import free_ports  # noqa: E402
from harness.process import BINARY  # noqa: E402

BUILD = ROOT / "build/release"
CUSTOMER = "customer-demo-01"


def run(*command: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=280, **options)


def must(*command: object, **options: object) -> str:
    ran = run(*command, **options)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prefix")
    must("cmake", "--install", BUILD, "--component", "sdk", "--prefix", folder)
    return folder


@pytest.fixture(scope="module")
def gate(prefix: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built with the ten lines of CMake of the example."""
    build = tmp_path_factory.mktemp("gate")
    must("cmake", "-S", ROOT / "examples/gate", "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_BUILD_TYPE=Release")
    must("cmake", "--build", build)
    return build / "gate"


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    daemons = Daemons()
    try:
        yield daemons.dev()
    finally:
        daemons.stop()


def test_the_example_has_ten_lines_of_cmake() -> None:
    lines = (ROOT / "examples/gate/CMakeLists.txt").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 10


def test_pkg_config_finds_what_the_example_needs(prefix: Path, tmp_path: Path) -> None:
    paths = ":".join(str(each.parent) for each in prefix.rglob("*.pc"))
    environment = os.environ | {"PKG_CONFIG_PATH": paths}
    flags = must("pkg-config", "--cflags", "--libs", "stigg-sidecar-sdk", env=environment).split()
    must("c++", "-std=c++20", ROOT / "examples/gate/main.cc", "-o", tmp_path / "gate", *flags)
    assert "usage: gate" in run(tmp_path / "gate").stderr


def test_no_public_header_needs_protobuf(prefix: Path) -> None:
    for header in (prefix / "include/stigg/sidecar").glob("*.h"):
        text = header.read_text()
        assert "google/" not in text
        assert "grpc" not in text.replace("gRPC", "")
        assert ".pb.h" not in text


def test_it_gates_and_meters(gate: Path, daemon: Daemon) -> None:
    assert must(gate, "--remote", daemon.target, CUSTOMER, 2) == "allowed (the customer's plan)\nused: 5 of 6\n"
    denied = run(gate, "--remote", daemon.target, CUSTOMER, 2)
    assert denied.returncode == 1
    assert denied.stdout == "denied (the customer's plan)\nreason: REQUESTED_USAGE_EXCEEDING_LIMIT\n"


def test_with_everything_off_it_shows_its_fallback(gate: Path) -> None:
    nobody = f"127.0.0.1:{free_ports(1)[0]}"
    assert must(gate, "--remote", nobody, CUSTOMER) == "allowed (this application's fallback: the sidecar cannot be reached)\n"
    denied = run(gate, "--remote", nobody, CUSTOMER, 2)
    assert denied.stdout == "denied (this application's fallback: the sidecar cannot be reached)\nreason: UNKNOWN\n"


def test_with_a_sidecar_of_its_own(gate: Path) -> None:
    assert must(gate, "--local", BINARY, CUSTOMER) == "allowed (the sidecar's fallback: it knows nothing of the customer)\n"
    missing = run(gate, "--local", "/nonexistent", CUSTOMER)
    assert missing.returncode == 69
    assert "program: cannot start /nonexistent" in missing.stderr
