"""The systemd unit, checked by systemd's own tools, and the Debian package that brings it."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy/systemd/stigg-sidecar.service"

EXPOSURE_MAX = 1.5
"""Of 10, as `systemd-analyze security` counts it."""


def run(*command: object, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=timeout)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is there."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/bin/stigg-sidecar serve", "/bin/true"))
    return copy


def test_every_line_is_understood(unit: Path) -> None:
    """It ends with 0 whatever it finds: what it says counts."""
    checked = run("systemd-analyze", "verify", unit)
    assert (checked.stdout + checked.stderr).strip() == ""


def test_a_mistake_would_be_noticed(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("ProtectHome=yes", "ProtectHoem=yes"))
    assert "ProtectHoem" in run("systemd-analyze", "verify", unit).stderr


def test_it_may_do_little(unit: Path) -> None:
    checked = run("systemd-analyze", "security", "--offline=true", f"--threshold={int(EXPOSURE_MAX * 10)}", unit)
    assert checked.returncode == 0, checked.stdout


def test_the_package_has_all_and_its_binary_runs(tmp_path: Path) -> None:
    made = run(ROOT / "scripts/package", timeout=1200)
    assert made.returncode == 0, made.stdout + made.stderr
    package = made.stdout.strip().splitlines()[-1]
    assert run("dpkg-deb", "-x", ROOT / package, tmp_path).returncode == 0
    assert (tmp_path / "lib/systemd/system" / UNIT.name).read_text() == UNIT.read_text()
    assert (tmp_path / "etc/stigg-sidecar/stigg-sidecar.env").exists()
    assert run(tmp_path / "usr/bin/stigg-sidecar", "version").stdout.startswith("stigg-sidecar ")
    control = run("dpkg-deb", "-I", ROOT / package).stdout
    assert "conffiles" in control
    assert "libgrpc++1.51" in control
