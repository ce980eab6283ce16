"""What the daemon sends upstream: addresses, headers, encodings, and to which of the two APIs.

docs/protocol.md sections 1.1, 1.2, 1.6 and 2.1.
"""

import hashlib
import re
import socket
import time

import pytest

from harness.client import Client
from harness.daemon import Daemon, Daemons
from harness.process import run
from harness.waiting import eventually
from independent_upstream import (
    FOREVER,
    Gate,
    GraphqlError,
    Hold,
    Request,
    Status,
    Upstream,
    customer,
    edge,
    graphql,
    operation,
    sdk_configuration,
)


@pytest.fixture(scope="module")
def version() -> str:
    return run("version").stdout.strip().rpartition(" ")[2]


def edge_request(sidecar: Daemon, upstream: Upstream) -> Request:
    sidecar.client.boolean("c", "flag")
    return upstream.recorder.wait_for(edge())


def graphql_request(sidecar: Daemon, upstream: Upstream) -> Request:
    sidecar.client.reload("c")
    return upstream.recorder.wait_for(graphql())


class TestHeaders:
    def test_the_edge_gets_what_section_1_2_lists(self, upstream: Upstream, daemon: Daemons, version: str) -> None:
        before_ms = time.time() * 1000
        sidecar = daemon(upstream)
        after_ms = time.time() * 1000
        headers = edge_request(sidecar, upstream).headers
        host, pid = headers["X-SDK-OS-PROCESS-HOSTNAME"], headers["X-SDK-OS-PROCESS-ID"]
        started = headers["X-SDK-OS-PROCESS-TIMESTAMP"]
        assert headers["X-API-KEY"] == upstream.api_key
        assert headers["X-API-VERSION"] == "1"
        assert headers["source"] == "NODE_SERVER_SDK"
        assert re.fullmatch(r"[A-Za-z0-9_-]{21}", headers["X-SDK-INSTANCE-ID"])
        assert host == socket.gethostname()
        assert int(pid) == sidecar.process.pid
        assert before_ms - 1 <= int(started) <= after_ms
        assert headers["X-SDK-OS-PROCESS-FINGERPRINT"] == hashlib.md5(f"{host}{pid}{started}".encode()).hexdigest()
        assert headers["User-Agent"] == f"stigg-sidecar/{version}"
        assert "Accept" in headers

    def test_graphql_gets_what_section_2_1_lists(self, sidecar: Daemon, upstream: Upstream, version: str) -> None:
        request = graphql_request(sidecar, upstream)
        headers = request.headers
        assert (request.method, request.target) == ("POST", "/graphql")
        assert headers["X-API-KEY"] == upstream.api_key
        assert "X-API-VERSION" not in headers
        assert headers["Content-Type"].startswith("application/json")
        assert headers["x-graphql-operation-name"] == request.operation == "GetEntitlementsState"
        assert headers["apollographql-client-name"] == "stigg-sidecar"
        assert headers["apollographql-client-version"] == version
        assert headers["User-Agent"] == f"stigg-sidecar/{version}"

    def test_one_instance_is_one_identity_on_both_apis(self, sidecar: Daemon, upstream: Upstream) -> None:
        one, other = edge_request(sidecar, upstream).headers, graphql_request(sidecar, upstream).headers
        for name in ("source", "X-SDK-INSTANCE-ID", "X-SDK-OS-PROCESS-ID", "X-SDK-OS-PROCESS-FINGERPRINT"):
            assert one[name] == other[name]

    def test_two_instances_are_two_identities(self, upstream: Upstream, daemon: Daemons) -> None:
        for sidecar in (daemon(upstream), daemon(upstream)):
            sidecar.client.boolean("c", "flag")
        ids = {request.headers["X-SDK-INSTANCE-ID"] for request in upstream.recorder.requests(edge())}
        assert len(ids) == 2

    def test_the_names_are_those_of_the_vendor_and_no_others(self, sidecar: Daemon, upstream: Upstream) -> None:
        edge_request(sidecar, upstream)
        graphql_request(sidecar, upstream)
        known = {
            "x-api-key", "x-api-version", "source", "x-sdk-instance-id", "x-sdk-os-process-hostname",
            "x-sdk-os-process-id", "x-sdk-os-process-timestamp", "x-sdk-os-process-fingerprint", "accept",
            "accept-encoding", "user-agent", "connection", "host", "content-type", "content-length",
            "transfer-encoding", "x-graphql-operation-name", "apollographql-client-name",
            "apollographql-client-version",
        }  # fmt: skip
        assert upstream.recorder.header_names <= known


ORDINARY = "customer-demo_01.x~y"


@pytest.mark.parametrize(
    "id",
    [
        "a b", "a/b", "a?b", "a#b", "a&b=c", "a%2Fb", "100%", "a+b", 'quote"', "back\\slash", "semi;colon", "käse",
        "日本語", "😀", ".", "..", "a..b", "<>|^`{}", "x" * 1024,
    ],
)  # fmt: skip
class TestIdsArePercentEncoded:
    """Section 1.1: unlike the vendor's engine, which breaks its URLs."""

    def test_in_the_path(self, id: str, shared_client: Client, shared_upstream: Upstream) -> None:
        shared_upstream.world.customer(id).boolean("flag")
        assert shared_client.boolean(id, "flag").has_access
        (request,) = shared_upstream.recorder.requests(customer(id))
        assert request.target.isascii()
        assert not set(' "<>\\^`{|}#') & set(request.target)

    def test_in_the_query(self, id: str, shared_client: Client, shared_upstream: Upstream) -> None:
        shared_upstream.world.customer("owner").resource(id).boolean("flag")
        assert shared_client.boolean("owner", "flag", resource=id).has_access

    def test_as_they_are_in_graphql(self, id: str, shared_client: Client, shared_upstream: Upstream) -> None:
        shared_upstream.world.customer(f"g{id}"[:1024]).resource(id).boolean("flag")
        assert shared_client.reload(f"g{id}"[:1024], resource=id).entitled_entity_exists


@pytest.fixture(scope="module")
def shared_client(shared_upstream: Upstream, shared_daemons: Daemons) -> Client:
    return shared_daemons(shared_upstream).client


def test_ordinary_ids_give_the_same_bytes_as_the_vendors(sidecar: Daemon, upstream: Upstream) -> None:
    sidecar.client.boolean(ORDINARY, "flag", resource=ORDINARY)
    (request,) = upstream.recorder.requests(edge())
    assert request.target == f"/v1/c/{ORDINARY}/entitlements-state.json?resourceId={ORDINARY}"


class TestStartUpCheck:
    def test_there_is_one_over_the_edge(self, sidecar: Daemon, upstream: Upstream) -> None:
        request = upstream.recorder.wait_for(sdk_configuration())
        sidecar.wait_until_ready_to_serve()
        assert (request.method, request.target) == ("GET", "/v1/config/server-sdk-configuration.json")
        assert upstream.recorder.count() == 1

    def test_there_is_one_over_graphql_when_the_edge_is_off(self, upstream: Upstream, daemon: Daemons) -> None:
        daemon(upstream, EDGE_ENABLED=0).wait_until_ready_to_serve()
        assert upstream.recorder.counters == {"GetSdkConfiguration": 1}

    def test_its_failure_is_counted_and_stops_nothing(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.world.customer("c").boolean("flag")
        upstream.faults.inject(sdk_configuration(), Status(500), times=FOREVER)
        sidecar = daemon(upstream)
        eventually(lambda: sidecar.metrics()["sidecar_initialization_errors_total"] == 1)
        assert sidecar.client.boolean("c", "flag").has_access


class TestWhichApi:
    def test_reads_go_to_the_edge(self, sidecar: Daemon, upstream: Upstream) -> None:
        upstream.world.customer("c").boolean("flag")
        assert sidecar.client.boolean("c", "flag").has_access
        assert upstream.recorder.count(graphql()) == 0

    def test_reads_go_to_graphql_when_the_edge_is_off(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.world.customer("c").boolean("flag").resource("r").boolean("flag")
        client = daemon(upstream, EDGE_ENABLED="off").client
        assert client.boolean("c", "flag").has_access
        assert client.boolean("c", "flag", resource="r").has_access
        assert [request.variables for request in upstream.recorder.requests(operation("GetEntitlementsState"))] == [
            {"query": {"customerId": "c"}},
            {"query": {"customerId": "c", "resourceId": "r"}},
        ]
        assert upstream.recorder.count(edge()) == 0

    def test_the_two_have_addresses_of_their_own(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.world.customer("c").boolean("flag")
        with Upstream(world=upstream.world) as edge_host:
            client = daemon(upstream, EDGE_API_URL=edge_host.url + "/").client
            assert client.boolean("c", "flag").has_access
            assert client.reload("c").entitled_entity_exists
            assert edge_host.recorder.count(edge()) == 1
            assert upstream.recorder.count(graphql()) == 1
            assert upstream.recorder.count(edge()) == edge_host.recorder.count(graphql()) == 0

    def test_an_edge_failure_is_not_taken_to_graphql(self, sidecar: Daemon, upstream: Upstream) -> None:
        upstream.faults.inject(edge(), Status(403), times=FOREVER)
        assert sidecar.client.boolean("c", "flag").is_fallback
        assert upstream.recorder.count(graphql()) == 0

    @pytest.mark.parametrize(
        "failure",
        [Status(403), Status(503), GraphqlError("UnexpectedError")],
        ids=["refused", "unavailable", "errors in a 200"],
    )
    def test_unless_the_setting_says_so(
        self, failure: Status | GraphqlError, upstream: Upstream, daemon: Daemons
    ) -> None:
        """EDGE_FALLBACK_TO_GRAPHQL, an extension (section 1.5)."""
        upstream.world.customer("c").boolean("flag")
        upstream.faults.inject(edge(), failure, times=FOREVER)
        answer = daemon(upstream, EDGE_FALLBACK_TO_GRAPHQL=1).client.traced.boolean("c", "flag")
        assert (answer.message.has_access, answer.source) == (True, "upstream")
        assert upstream.recorder.count(operation("GetEntitlementsState")) == 1

    def test_with_the_setting_both_must_fail_for_a_fallback(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.faults.inject(edge(), Status(403), times=FOREVER)
        upstream.faults.inject(graphql(), Status(403), times=FOREVER)
        assert daemon(upstream, EDGE_FALLBACK_TO_GRAPHQL=1).client.boolean("c", "flag").is_fallback


class TestRetriesOfReads:
    """Section 1.5: network errors, 429 and 5xx inside the deadline, nothing else."""

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_a_passing_failure_is_not_seen_by_the_caller(
        self, status: int, sidecar: Daemon, upstream: Upstream
    ) -> None:
        upstream.world.customer("c").boolean("flag")
        upstream.faults.inject(edge(), Status(status))
        assert sidecar.client.boolean("c", "flag").has_access
        assert upstream.recorder.count(edge()) == 2

    @pytest.mark.parametrize("status", [400, 401, 403])
    def test_a_refusal_is_final(self, status: int, sidecar: Daemon, upstream: Upstream) -> None:
        upstream.faults.inject(edge(), Status(status), times=FOREVER)
        assert sidecar.client.boolean("c", "flag").is_fallback
        assert upstream.recorder.count(edge()) == 1

    @pytest.mark.parametrize("count", [1, 20])
    def test_pooled_connections_that_were_closed_are_not_seen_by_the_caller(
        self, count: int, sidecar: Daemon, upstream: Upstream
    ) -> None:
        gate = Gate()
        upstream.faults.inject(edge(), Hold(gate), times=count)
        calls = [sidecar.client.background.boolean(f"c{i}", "flag") for i in range(count)]
        gate.wait_until_held(count)
        gate.release()
        for call in calls:
            call.result()
        upstream.drop_connections()
        upstream.world.customer("next").boolean("flag")
        assert sidecar.client.boolean("next", "flag").has_access

    def test_retry_after_is_honoured(self, sidecar: Daemon, upstream: Upstream) -> None:
        """Longer than the caller waits: there is no second request before its time."""
        upstream.faults.inject(edge(), Status(503, {"Retry-After": "60"}), times=FOREVER)
        assert sidecar.client.boolean("c", "flag").is_fallback
        assert upstream.recorder.count(edge()) == 1


def test_connections_are_kept_alive(sidecar: Daemon, upstream: Upstream) -> None:
    """A connection may be on its way back into the pool when the next request looks for one: then there are two."""
    for i in range(20):
        sidecar.client.boolean(f"c{i}", "flag")
    assert len({request.connection_id for request in upstream.recorder.requests(edge())}) < 5


def test_compressed_answers_are_not_asked_for(sidecar: Daemon, upstream: Upstream) -> None:
    """What is not asked for need not be unpacked: no bomb can be hidden in it."""
    accepted = edge_request(sidecar, upstream).headers.get("Accept-Encoding", "identity")
    assert accepted == "identity"
