"""The WebSocket's life: how it begins, is lost, comes back and ends; what checks answer meanwhile.

docs/protocol.md sections 3.1 and 3.4, and where we differ from the vendor docs/architecture.md. The server is npm's
graphql-ws. The rules of reconnecting that take minutes (growth of delays, spread, pings) are unit tests with simulated
time; what is here happens over real sockets.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import push
from harness.certificates import CertificateAuthority
from harness.daemon import Daemon, Daemons
from harness.ports import free_port
from harness.reference_ws import V2_FIELDS, ReferenceWs
from harness.relay import Proxy
from harness.waiting import eventually
from independent_upstream import FOREVER, Reset, Upstream, any_request, customer, edge

RECONNECT_SECONDS = 30.0
"""The first attempt after a loss comes 0.5 to 8 s later, the next one as much as 24 s; with room for a busy machine."""

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture
def live(upstream: Upstream, feed: ReferenceWs, daemon: Daemons) -> Daemon:
    """A daemon with a live feed that has read customer c."""
    upstream.world.customer("c").boolean("flag").metered("seats", limit=5, usage=3)
    live = daemon(upstream, WS_ENABLED=1, WS_URL=feed.url)
    feed.wait_for_subscriptions(*V2_FIELDS)
    live.client.entitlements("c")
    return live


def fetches(upstream: Upstream, customer_id: str = "c") -> int:
    return upstream.recorder.count(edge() & customer(customer_id))


def wait_for_return(feed: ReferenceWs, acknowledged: int = 2) -> None:
    feed.wait_for_acknowledged(acknowledged, RECONNECT_SECONDS)
    feed.wait_for_subscriptions(*V2_FIELDS)


def assert_serves(daemon: Daemon, *sources: str) -> None:
    """Without cover what is held is suspect: a read asks upstream, if that answers in time, else memory tells."""
    answer = daemon.client.traced.boolean("c", "flag")
    assert (answer.message.has_access, answer.message.is_fallback) == (True, False)
    assert answer.source in (sources or ("memory", "upstream"))


def assert_hears(daemon: Daemon, feed: ReferenceWs) -> None:
    feed.publish("usageUpdatedV2", push.usage_v2("c", "seats", 5))
    eventually(lambda: daemon.client.metered("c", "seats").entitlement.current_usage, lambda seen: seen == 5)


class TestBeginning:
    def test_the_key_travels_in_the_first_message(self, live: Daemon, feed: ReferenceWs, upstream: Upstream) -> None:
        (init,) = feed.state["inits"]
        assert init["X-API-KEY"] == upstream.api_key
        assert init["source"] == "NODE_SERVER_SDK"
        assert len(init["X-SDK-INSTANCE-ID"]) == 21
        assert init["X-SDK-OS-PROCESS-HOSTNAME"]
        assert init["X-SDK-OS-PROCESS-ID"] == live.process.pid
        assert isinstance(init["X-SDK-OS-PROCESS-TIMESTAMP"], int)
        assert re.fullmatch("[0-9a-f]{32}", init["X-SDK-OS-PROCESS-FINGERPRINT"])

    def test_the_upgrade_carries_no_key(self, live: Daemon, feed: ReferenceWs, upstream: Upstream) -> None:
        headers = feed.state["upgradeHeaders"]
        assert headers["sec-websocket-protocol"] == "graphql-transport-ws"
        assert headers["host"] == f"127.0.0.1:{feed.port}"
        assert upstream.api_key not in str(headers)

    def test_each_subscription_is_one_message(self, live: Daemon, feed: ReferenceWs) -> None:
        subscribes = feed.state["subscribes"]
        operations = ["OnEntitlementsUpdatedV2", "OnUsageUpdatedV2", "OnPackagePublished"]
        assert [each["operationName"] for each in subscribes] == operations
        assert all(UUID.fullmatch(each["id"]) for each in subscribes)
        assert len({each["id"] for each in subscribes}) == len(operations)

    def test_both_channels_have_one_identity(self, live: Daemon, feed: ReferenceWs, upstream: Upstream) -> None:
        (init,) = feed.state["inits"]
        seen = {request.headers["X-SDK-INSTANCE-ID"] for request in upstream.recorder.requests()}
        assert seen == {init["X-SDK-INSTANCE-ID"]}

    def test_nothing_waits_for_it(self, upstream: Upstream, daemon: Daemons) -> None:
        """Nobody listens where WS_URL points."""
        upstream.world.customer("c").boolean("flag")
        alone = daemon(upstream, WS_ENABLED=1, WS_URL=f"ws://127.0.0.1:{free_port()}")
        assert alone.client.boolean("c", "flag").has_access

    def test_a_server_that_comes_later_is_found(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.world.customer("c").boolean("flag").metered("seats", limit=5, usage=3)
        port = free_port()
        early = daemon(upstream, WS_ENABLED=1, WS_URL=f"ws://127.0.0.1:{port}")
        early.client.boolean("c", "flag")
        with ReferenceWs(api_key=upstream.api_key or "", port=port) as late:
            wait_for_return(late, acknowledged=1)
            assert_hears(early, late)

    def test_an_upgrade_that_is_refused_is_tried_again(
        self, upstream: Upstream, feed: ReferenceWs, daemon: Daemons
    ) -> None:
        upstream.world.customer("c").boolean("flag").metered("seats", limit=5, usage=3)
        feed.refuse(503)
        refused = daemon(upstream, WS_ENABLED=1, WS_URL=feed.url)
        refused.client.boolean("c", "flag")
        eventually(lambda: feed.state["upgrades"] == 1)
        feed.refuse(0)
        wait_for_return(feed, acknowledged=1)
        assert_hears(refused, feed)

    def test_a_private_authority_is_trusted_when_it_is_named(
        self, upstream: Upstream, daemon: Daemons, tmp_path: Path
    ) -> None:
        upstream.world.customer("c").metered("seats", limit=5, usage=3)
        authority = CertificateAuthority(tmp_path)
        certificate, key = authority.server("localhost")
        with ReferenceWs(api_key=upstream.api_key or "", tls={"cert": str(certificate), "key": str(key)}) as secured:
            url = f"wss://localhost:{secured.port}"
            trusting = daemon(upstream, WS_ENABLED=1, WS_URL=url, EXTRA_CA_FILE=authority.ca_file)
            secured.wait_for_subscriptions(*V2_FIELDS)
            trusting.client.metered("c", "seats")
            assert_hears(trusting, secured)
            distrusting = daemon(upstream, WS_ENABLED=1, WS_URL=url, LOG_LEVEL="info")
            distrusting.process.stderr.wait_for(lambda line: "WebSocket" in line and "again" in line)
            assert secured.state["acknowledged"] == 1

    def test_a_proxy_is_used(self, upstream: Upstream, feed: ReferenceWs, daemon: Daemons) -> None:
        """By CONNECT for both schemes: what passes is not HTTP for long."""
        upstream.world.customer("c").metered("seats", limit=5, usage=3)
        proxy = Proxy(feed.port)
        proxy_url = f"http://user:secret@127.0.0.1:{proxy.port}"
        behind = daemon(upstream, WS_ENABLED=1, WS_URL="ws://api.stigg.test", HTTP_PROXY=proxy_url)
        feed.wait_for_subscriptions(*V2_FIELDS)
        behind.client.metered("c", "seats")
        assert_hears(behind, feed)
        assert proxy.heads[0].startswith("CONNECT api.stigg.test:80 HTTP/1.1")
        assert "Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=" in proxy.heads[0]
        proxy.close()


class TestLoss:
    @pytest.mark.parametrize("how", ["without a word", "1000", "1011", "1012", "4400"])
    def test_the_data_stays_and_the_connection_comes_back(
        self, how: str, live: Daemon, feed: ReferenceWs, upstream: Upstream
    ) -> None:
        """The vendor drops its cache here (section 3.4)."""
        upstream.faults.inject(any_request(), Reset(), times=FOREVER)
        if how == "without a word":
            feed.drop()
        else:
            feed.close_all(int(how), "as the test wants")
        eventually(lambda: feed.state["connections"] == 0)
        assert_serves(live, "memory")
        wait_for_return(feed)
        assert_serves(live, "memory")
        assert_hears(live, feed)

    def test_what_changed_in_the_gap_is_fetched_without_being_asked(
        self, live: Daemon, feed: ReferenceWs, upstream: Upstream
    ) -> None:
        feed.drop()
        upstream.world.customer("c").metered("seats", limit=50, usage=3)
        wait_for_return(feed)
        eventually(lambda: fetches(upstream) == 2)
        eventually(lambda: live.client.metered("c", "seats").entitlement.usage_limit == 50)
        answer = live.client.traced.metered("c", "seats")
        assert (answer.source, answer.age_ms) == ("memory", 0)
        assert fetches(upstream) == 2

    def test_the_age_of_an_answer_tells_of_the_gap(self, live: Daemon, feed: ReferenceWs, upstream: Upstream) -> None:
        """Covered: 0. Then: since it was last known current."""
        assert live.client.traced.boolean("c", "flag").age_ms == 0
        upstream.stop()
        feed.stop()
        eventually(lambda: (live.client.traced.boolean("c", "flag").age_ms or 0) > 0)

    def test_a_server_that_restarts_is_found_again(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.world.customer("c").boolean("flag").metered("seats", limit=5, usage=3)
        with ReferenceWs(api_key=upstream.api_key or "") as first:
            port = first.port
            lasting = daemon(upstream, WS_ENABLED=1, WS_URL=first.url)
            first.wait_for_subscriptions(*V2_FIELDS)
            lasting.client.boolean("c", "flag")
        assert_serves(lasting)
        with ReferenceWs(api_key=upstream.api_key or "", port=port) as second:
            wait_for_return(second, acknowledged=1)
            assert_hears(lasting, second)

    def test_a_peer_that_is_only_half_there_is_found_out(
        self, live: Daemon, feed: ReferenceWs, upstream: Upstream
    ) -> None:
        """It takes a ping after 10 s and 10 s without a pong; then the first attempt 0.5 to 8 s later."""
        feed.mute()
        assert_serves(live)
        feed.wait_for_acknowledged(2, 20 + RECONNECT_SECONDS)
        assert_serves(live)

    def test_a_message_beyond_4_mib_ends_the_connection_and_nothing_else(
        self, live: Daemon, feed: ReferenceWs, upstream: Upstream
    ) -> None:
        feed.send('{"type":"next","payload":"' + "x" * (4 << 20) + '"}')
        eventually(lambda: feed.state["connections"] == 0)
        assert_serves(live)
        wait_for_return(feed)
        assert_hears(live, feed)

    def test_one_failing_subscription_leaves_the_others(
        self, upstream: Upstream, feed: ReferenceWs, daemon: Daemons
    ) -> None:
        """It is begun again on the same connection (section 3.3, our way)."""
        upstream.world.customer("c").boolean("flag").metered("seats", limit=5, usage=3)
        feed.fail_next_subscribe("usageUpdatedV2")
        started = daemon(upstream, WS_ENABLED=1, WS_URL=feed.url)
        feed.wait_for_subscriptions(*V2_FIELDS)
        started.client.entitlements("c")
        assert_hears(started, feed)
        state = feed.state
        assert state["accepted"] == 1
        assert len(state["subscribes"]) == len(V2_FIELDS) + 1


class TestInvalidKey:
    @pytest.fixture
    def key_file(self, tmp_path: Path) -> Path:
        path = tmp_path / "key"
        path.write_text("wrong")
        return path

    @pytest.fixture
    def rejected(
        self, upstream: Upstream, feed: ReferenceWs, key_file: Path, daemon: Daemons
    ) -> Iterator[Daemon]:
        """Its key is good for HTTP, and rejected on the WebSocket."""
        upstream.api_key = None
        upstream.world.customer("c").boolean("flag").metered("seats", limit=5, usage=3)
        rejected = daemon(upstream, WS_ENABLED=1, WS_URL=feed.url, SERVER_API_KEY=None, SERVER_API_KEY_FILE=key_file)
        eventually(lambda: feed.state["rejected"] == 1)
        yield rejected

    def test_it_is_counted_and_checks_go_on(self, rejected: Daemon) -> None:
        eventually(lambda: rejected.metrics()["sidecar_invalid_api_key_errors_total"] == 1)
        assert rejected.client.boolean("c", "flag").has_access

    def test_it_is_said_and_never_shown(self, rejected: Daemon) -> None:
        line = rejected.process.stderr.wait_for(lambda line: "WebSocket" in line and "SERVER_API_KEY" in line)
        assert line is not None

    def test_a_new_key_is_tried_at_once(self, rejected: Daemon, feed: ReferenceWs, key_file: Path) -> None:
        """Not after the 15 s of a rejected one."""
        key_file.write_text(feed.api_key)
        feed.wait_for_acknowledged(1, within=10)

    def test_it_is_tried_again_by_itself(self, rejected: Daemon, feed: ReferenceWs) -> None:
        """Also the vendor's answer may be wrong for a while."""
        feed.set_key("wrong")
        rejected.client.boolean("c", "flag")
        feed.wait_for_acknowledged(1, within=25)
        feed.wait_for_subscriptions(*V2_FIELDS)
        assert_hears(rejected, feed)


class TestEnd:
    def test_the_daemon_says_goodbye(self, live: Daemon, feed: ReferenceWs) -> None:
        live.stop()
        state: dict[str, Any] = eventually(lambda: feed.state, lambda seen: seen["closes"])
        assert state["closes"] == [{"code": 1000, "reason": "Normal Closure"}]
        assert state["completes"] == len(V2_FIELDS)

    def test_a_peer_that_does_not_answer_holds_nobody_up(self, live: Daemon, feed: ReferenceWs) -> None:
        feed.mute()
        live.stop()
