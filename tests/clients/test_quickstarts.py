"""The quick starts of examples/quickstart: what their README says to type is typed, beside a running `dev`."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from harness.daemon import Daemon, Daemons  # noqa: E402

FOLDER = ROOT / "examples/quickstart"
BLOCKS = dict(re.findall(r"^## (\w+)\n\n```sh\n(.*?)```", (FOLDER / "README.md").read_text(), re.MULTILINE | re.DOTALL))


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    daemons = Daemons()
    try:
        yield daemons.dev()
    finally:
        daemons.stop()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("language", BLOCKS)
def test_it_runs_as_it_says(language: str, daemon: Daemon, tmp_path: Path) -> None:
    folder = tmp_path / "examples/quickstart" / language.lower()
    shutil.copytree(FOLDER / language.lower(), folder)
    shutil.copytree(ROOT / "proto", tmp_path / "proto")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"SIDECAR": daemon.target, "PATH": path, "no_proxy": "127.0.0.1,localhost"}
    typed = subprocess.run(
        ["bash", "-ec", BLOCKS[language]], cwd=folder, env=environment, capture_output=True, text=True, timeout=580, check=False
    )
    assert typed.returncode == 0, typed.stdout + typed.stderr
    assert "allowed 3 of 6" in re.sub(r"\x1b\[0m", "", typed.stdout).splitlines()


def test_five_languages_have_one() -> None:
    assert len(BLOCKS) == 5
