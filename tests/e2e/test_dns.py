"""Names that cannot be looked up, or lead nowhere (fault scenario 46). The resolver is the system's, the answers are ours."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from harness import dns
from harness.certificates import CertificateAuthority
from harness.daemon import Daemon, Daemons
from harness.dns import NameServer
from harness.redis_server import RedisServer
from harness.reference_ws import ReferenceWs
from harness.relay import SlowRelay, TlsFront
from harness.waiting import SLACK_SECONDS, eventually, timed
from independent_upstream import Upstream

pytestmark = pytest.mark.skipif(not dns.available(), reason="needs root and mount namespaces")

NAME = "cloud.stigg.test"

Start = Callable[..., Daemon]


@pytest.fixture
def names() -> Iterator[NameServer]:
    with NameServer() as server:
        yield server


@pytest.fixture
def start(names: NameServer, daemon: Daemons, upstream: Upstream, tmp_path: Path) -> Start:
    """A daemon that asks `names`, for upstream at NAME and at a port."""

    def start(port: int = upstream.port, scheme: str = "http", **environment: object) -> Daemon:
        url = f"{scheme}://{NAME}:{port}"
        named = {"API_URL": url, "EDGE_API_URL": url, "SERVER_API_KEY": upstream.api_key}
        return daemon.start([], named | environment, under=names.asked_by(tmp_path))

    return start


class Swallowing:
    """A port whose connections never come about: nobody accepts, and the queue is full."""

    def __init__(self, address: str, port: int) -> None:
        self._open = ExitStack()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = self._open.enter_context(socket.socket(family))
        listener.bind((address, port))
        listener.listen(0)
        for _ in range(3):
            filling = self._open.enter_context(socket.socket(family))
            filling.setblocking(False)
            filling.connect_ex((address, port))

    def close(self) -> None:
        self._open.close()


def test_a_name_that_does_not_exist_holds_up_nobody(names: NameServer, start: Start, upstream: Upstream) -> None:
    upstream.world.customer("c").boolean("flag")
    sidecar = start()
    answer, took = timed(lambda: sidecar.client.boolean("c", "flag"))
    assert answer.is_fallback
    assert took < 1 + SLACK_SECONDS
    assert sidecar.process.stderr.wait_for(lambda line: f"cannot resolve {NAME}" in line)
    assert sidecar.http("/livez").status == 200
    names.addresses[NAME] = ["127.0.0.1"]
    eventually(lambda: not sidecar.client.boolean("c", "flag").is_fallback)


def test_a_resolver_that_stalls_holds_up_no_hit(names: NameServer, start: Start, upstream: Upstream) -> None:
    for customer in ("c", "d"):
        upstream.world.customer(customer).boolean("flag")
    names.addresses[NAME] = ["127.0.0.1"]
    with closing(SlowRelay(upstream.port)) as relay:
        sidecar = start(port=relay.port)
        assert sidecar.client.boolean("c", "flag").has_access
    names.silent = True  # and the connections are gone: each new one needs a look-up
    calls = [sidecar.client.background.boolean("d", "flag", timeout=2) for _ in range(50)]
    times = [timed(lambda: sidecar.client.boolean("c", "flag")) for _ in range(100)]
    assert all(answer.has_access for answer, _ in times)
    assert sorted(took for _, took in times)[50] < SLACK_SECONDS
    for call in calls:
        assert call.result(timeout=5).is_fallback  # within its deadline, not at the resolver's end
    _, took = timed(sidecar.stop)
    assert took < 5


def test_an_address_that_changed_is_found(names: NameServer, start: Start, upstream: Upstream) -> None:
    for customer in ("c", "d"):
        upstream.world.customer(customer).boolean("flag")
    names.addresses[NAME] = ["127.0.0.7"]
    with closing(SlowRelay(upstream.port, address="127.0.0.7", port=upstream.port)):
        sidecar = start()
        assert sidecar.client.boolean("c", "flag").has_access
    names.addresses[NAME] = ["127.0.0.1"]
    eventually(lambda: not sidecar.client.boolean("d", "flag").is_fallback)


class TestOneAddressIsBroken:
    """As over a broken IPv6: it is tried first, and nothing ever comes back."""

    @pytest.fixture(params=["::1", "127.0.0.9"])
    def broken(self, request: pytest.FixtureRequest, names: NameServer) -> str:
        names.addresses[NAME] = [request.param, "127.0.0.1"]
        return str(request.param)

    def test_upstream_is_reached_at_the_other(self, broken: str, start: Start, upstream: Upstream) -> None:
        upstream.world.customer("c").boolean("flag")
        with closing(Swallowing(broken, upstream.port)):
            sidecar = start(ENTITLEMENTS_TIMEOUT_MS=5_000)
            answer, took = timed(lambda: sidecar.client.boolean("c", "flag"))
            assert answer.has_access
            assert took < 2

    def test_over_tls_the_certificate_is_the_names(
        self, broken: str, start: Start, upstream: Upstream, tmp_path: Path
    ) -> None:
        upstream.world.customer("c").boolean("flag")
        authority = CertificateAuthority(tmp_path)
        with closing(TlsFront(upstream.port, *authority.server(NAME))) as front, closing(Swallowing(broken, front.port)):
            sidecar = start(port=front.port, scheme="https", EXTRA_CA_FILE=authority.ca_file)
            assert sidecar.client.boolean("c", "flag").has_access

    def test_another_certificate_is_refused_there_too(
        self, broken: str, start: Start, upstream: Upstream, tmp_path: Path
    ) -> None:
        authority = CertificateAuthority(tmp_path)
        other = authority.server("other.stigg.test")
        with closing(TlsFront(upstream.port, *other)) as front, closing(Swallowing(broken, front.port)):
            sidecar = start(port=front.port, scheme="https", EXTRA_CA_FILE=authority.ca_file)
            assert sidecar.client.boolean("c", "flag").is_fallback
            assert not upstream.recorder.requests(lambda request: True)

    def test_the_websocket_opens(self, broken: str, start: Start, upstream: Upstream, feed: ReferenceWs) -> None:
        upstream.world.customer("c").metered("seats", limit=5, usage=3)
        with closing(Swallowing(broken, feed.port)), closing(Swallowing(broken, upstream.port)):
            sidecar = start(WS_ENABLED=1, WS_URL=f"ws://{NAME}:{feed.port}")
            eventually(lambda: sidecar.metrics()["sidecar_ws_connected"] == 1)
            assert sidecar.client.metered("c", "seats").entitlement.current_usage == 3

    def test_redis_is_used(self, broken: str, start: Start, upstream: Upstream, redis_server: RedisServer) -> None:
        with closing(Swallowing(broken, redis_server.port)), closing(Swallowing(broken, upstream.port)):
            sidecar = start(**redis_server.environment() | {"REDIS_HOST": NAME})
            eventually(lambda: sidecar.metrics()["sidecar_redis_up"] == 1)
