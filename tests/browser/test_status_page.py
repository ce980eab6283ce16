"""/status in a real browser: headless Chromium runs the page against a running daemon."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from harness.daemon import Daemons  # noqa: E402

CHROMIUM = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,900"]


def dom(url: str, profile: Path) -> str:
    """What the page has become after five seconds of its own time."""
    command = [*CHROMIUM, f"--user-data-dir={profile}", "--virtual-time-budget=5000", "--dump-dom", url]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture
def daemons() -> object:
    made = Daemons()
    yield made
    made.stop()


def test_it_shows_what_the_daemon_does(daemons: Daemons, tmp_path: Path) -> None:
    served = daemons.dev()
    for _ in range(4):
        served.client.metered("customer-demo-01", "feature-01-templates")
    page = dom(f"http://127.0.0.1:{served.http_port}/status", tmp_path)
    assert ">ready</span>" in page
    assert "75.00 %" in page
    assert 'id="edge-api"' in page
    assert "asked</span>" in page
    assert "ENTITLEMENTS_TTL_SECS=30 (default)" in page
    assert "SERVER_API_KEY=***" in page


def test_it_says_when_the_daemon_is_gone(daemons: Daemons, tmp_path: Path) -> None:
    """The page was loaded; the next look fails."""
    served = daemons.dev()
    page = served.http("/status", Accept="text/html").body.decode()
    file = tmp_path / "page.html"
    file.write_text(page)
    assert 'id="lost" role="alert" style="display: block;"' in dom(file.as_uri(), tmp_path / "profile")
