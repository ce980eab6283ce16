"""Fixtures. Those of function scope are for tests that break things; `shared_…` ones for tests that only ask."""

from collections.abc import Iterator
from typing import Any

import pytest

from harness.daemon import Daemon, Daemons
from harness.redis_server import RedisServer
from harness.reference_ws import ReferenceWs
from independent_upstream import Upstream

pytest_plugins = ["independent_upstream.pytest_fixtures"]

_running: list[Daemons] = []


def _daemons() -> Iterator[Daemons]:
    daemons = Daemons()
    _running.append(daemons)
    try:
        yield daemons
    finally:
        _running.remove(daemons)
        daemons.stop()


@pytest.fixture
def daemon() -> Iterator[Daemons]:
    """The factory: `daemon(upstream, NAME=value)` starts one, `daemon.dev()` one with its own upstream."""
    yield from _daemons()


@pytest.fixture(scope="module")
def shared_daemons() -> Iterator[Daemons]:
    """The same factory for daemons that all tests of a module share."""
    yield from _daemons()


@pytest.fixture(scope="module")
def shared_upstream() -> Iterator[Upstream]:
    """An upstream for all tests of a module: each uses customers of its own."""
    with Upstream() as server:
        yield server
    server.recorder.assert_clean()


@pytest.fixture(scope="module")
def dev_daemon(shared_daemons: Daemons) -> Daemon:
    """`stigg-sidecar dev` with its built-in world, shared by a module."""
    return shared_daemons.dev()


@pytest.fixture
def sidecar(upstream: Upstream, daemon: Daemons) -> Daemon:
    """A daemon of the test's own against `upstream`, with the default settings."""
    return daemon(upstream)


@pytest.fixture
def feed(upstream: Upstream) -> Iterator[ReferenceWs]:
    """The reference WebSocket server, with both generations, that accepts the key of `upstream`."""
    with ReferenceWs(api_key=upstream.api_key or "") as server:
        yield server


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failed test shows what its daemons printed; a passed one does not."""
    outcome: Any = yield
    report = outcome.get_result()
    if not report.failed:
        return
    for daemon in (each for daemons in _running for each in daemons.started):
        for name in ("stdout", "stderr"):
            text = getattr(daemon.process, name).text
            if text:
                report.sections.append((f"{name} of the daemon on port {daemon.port}", text))
