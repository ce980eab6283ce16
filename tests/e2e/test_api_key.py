"""The API key while the daemon runs: from a file, rotated, rejected, accepted again (docs/protocol.md section 1.6)."""

from pathlib import Path

import pytest

from harness.daemon import Daemon, Daemons
from harness.waiting import eventually
from independent_upstream import Upstream, edge, graphql, sdk_configuration

OLD, NEW = "old-server-key", "new-server-key"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(OLD)
    return path


@pytest.fixture
def served(upstream: Upstream, key_file: Path, daemon: Daemons) -> Daemon:
    """A daemon with its key from a file, and customers that upstream knows."""
    upstream.api_key = OLD
    for i in range(3):
        upstream.world.customer(f"c{i}").boolean("flag")
    return daemon(upstream, SERVER_API_KEY=None, SERVER_API_KEY_FILE=key_file)


def keys_seen(upstream: Upstream) -> set[str]:
    return {request.headers["X-API-KEY"] for request in upstream.recorder.requests()}


@pytest.mark.parametrize("content", ["k", "k\n", "  k \r\n\n", "\tk"])
def test_white_space_around_it_is_not_part_of_it(
    content: str, upstream: Upstream, key_file: Path, daemon: Daemons
) -> None:
    key_file.write_text(content)
    upstream.api_key = "k"
    daemon(upstream, SERVER_API_KEY=None, SERVER_API_KEY_FILE=key_file).wait_until_ready_to_serve()
    assert keys_seen(upstream) == {"k"}


def test_a_rotated_key_is_carried_by_the_next_requests(served: Daemon, upstream: Upstream, key_file: Path) -> None:
    assert served.client.boolean("c0", "flag").has_access
    upstream.api_key = None  # both are valid for a while
    key_file.write_text(NEW + "\n")
    eventually(lambda: served.client.reload("c0") and NEW in keys_seen(upstream))
    upstream.recorder.clear()
    served.client.boolean("c1", "flag")
    served.client.reload("c1")
    assert {request.headers["X-API-KEY"] for request in upstream.recorder.requests(edge() | graphql())} == {NEW}


def test_a_key_replaced_the_way_kubernetes_does_it_is_read_again(
    upstream: Upstream, tmp_path: Path, daemon: Daemons
) -> None:
    """A mounted secret is a link to a link that is swapped."""
    for name, key in (("v1", OLD), ("v2", NEW)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key").write_text(key)
    (tmp_path / "data").symlink_to("v1")
    (tmp_path / "key").symlink_to("data/key")
    upstream.api_key = None
    served = daemon(upstream, SERVER_API_KEY=None, SERVER_API_KEY_FILE=tmp_path / "key")
    served.client.reload("c")
    (tmp_path / "swap").symlink_to("v2")
    (tmp_path / "swap").rename(tmp_path / "data")
    eventually(lambda: served.client.reload("c") and NEW in keys_seen(upstream))


@pytest.mark.parametrize("accident", ["gone", "empty"])
def test_an_accident_with_the_file_keeps_the_key(
    accident: str, served: Daemon, upstream: Upstream, key_file: Path
) -> None:
    """Until the file is well again, that is."""
    if accident == "gone":
        key_file.unlink()
    else:
        key_file.write_text("")
    assert served.client.boolean("c0", "flag").has_access
    key_file.write_text(NEW)
    upstream.api_key = NEW
    eventually(lambda: served.client.reload("c0").entitled_entity_exists)


def test_a_rejected_key_recovers_when_its_file_changes(upstream: Upstream, key_file: Path, daemon: Daemons) -> None:
    """At once, not at the next probe in 15 seconds."""
    upstream.api_key = NEW
    upstream.world.customer("c").boolean("flag")
    served = daemon(upstream, SERVER_API_KEY=None, SERVER_API_KEY_FILE=key_file)
    eventually(lambda: served.metrics()["sidecar_invalid_api_key_errors_total"] == 1)
    assert served.client.boolean("c", "flag").is_fallback
    assert served.process.running
    key_file.write_text(NEW)
    upstream.recorder.wait_for(lambda request: request.label == "edge:config" and request.headers["X-API-KEY"] == NEW)
    assert served.client.boolean("c", "flag").has_access


def test_a_key_revoked_in_service_leaves_cached_answers(served: Daemon, upstream: Upstream) -> None:
    assert served.client.boolean("c0", "flag").has_access
    upstream.api_key = NEW
    assert served.client.boolean("c0", "flag").has_access
    assert served.client.boolean("c1", "flag").is_fallback
    assert served.metrics()["sidecar_invalid_api_key_errors_total"] == 1


def test_a_rejected_key_makes_no_storm(upstream: Upstream, daemon: Daemons) -> None:
    """One probe at the start; the next one is 15 s away. Nothing is retried."""
    served = daemon(upstream, SERVER_API_KEY="wrong")
    eventually(lambda: served.metrics()["sidecar_invalid_api_key_errors_total"] == 1)
    for i in range(3):
        assert served.client.boolean(f"c{i}", "flag").is_fallback
    assert upstream.recorder.count(sdk_configuration()) == 1
    assert upstream.recorder.count(edge()) == 3


def test_a_rejected_key_is_said_loudly_and_never_shown(upstream: Upstream, daemon: Daemons) -> None:
    served = daemon(upstream, SERVER_API_KEY="wrong-but-secret", LOG_LEVEL="error")
    line = served.process.stderr.wait_for(lambda line: "SERVER_API_KEY" in line)
    assert line is not None
    assert "wrong-but-secret" not in served.process.stderr.text
