"""HTTP/1.1: probes and metrics on HTTP_PORT, probes on the gRPC port too (the older documents publish only that)."""

import re
import socket
from contextlib import closing, suppress

import grpc
import pytest

from harness.client import Client
from harness.daemon import Daemon, Daemons
from harness.failures import refusal
from harness.waiting import PATIENCE_SECONDS, eventually
from harness.web import http, read_until_closed
from independent_upstream import FOREVER, Silent, Status, Upstream, any_request, sdk_configuration

UP = b'{"status":"UP"}'
DOWN = b'{"status":"DOWN"}'

OFFICIAL_COUNTERS = [
    "sidecar_initialization_errors_total",
    "sidecar_invalid_api_key_errors_total",
    "sidecar_network_request_errors_total",
    "sidecar_redis_client_errors_total",
    "sidecar_cache_hits_total",
    "sidecar_cache_misses_total",
]
"""The vendor's, by exact name (docs/protocol.md section 6)."""

DOCUMENTED = [
    *OFFICIAL_COUNTERS,
    "sidecar_stale_answers_total", "sidecar_fallback_answers_total", "sidecar_upstream_coalesced_total",
    "sidecar_upstream_shed_total", "sidecar_waiters_refused_total", "sidecar_upstream_malformed_responses_total",
    "sidecar_upstream_skipped_entitlements_total", "sidecar_clamped_values_total", "sidecar_rejected_requests_total",
    "sidecar_cache_entries", "sidecar_cache_bytes", "sidecar_cache_limit_bytes", "sidecar_cache_evictions_total",
    "sidecar_cache_oversize_total", "sidecar_build_info",
]  # fmt: skip
"""docs/metrics.md."""


@pytest.fixture(scope="module")
def offline(shared_daemons: Daemons) -> Daemon:
    daemon = shared_daemons(OFFLINE=1)
    daemon.wait_until_ready_to_serve()
    return daemon


@pytest.fixture(params=["HTTP_PORT", "PORT"])
def probe_port(request: pytest.FixtureRequest, offline: Daemon) -> int:
    return offline.http_port if request.param == "HTTP_PORT" else offline.port


class TestProbes:
    @pytest.mark.parametrize("path", ["/livez", "/readyz"])
    def test_they_answer_these_very_bytes(self, probe_port: int, path: str) -> None:
        answer = http(probe_port, path)
        assert (answer.status, answer.body) == (200, UP)
        assert answer.headers["content-type"].startswith("application/json")

    def test_a_query_makes_no_difference(self, probe_port: int) -> None:
        assert http(probe_port, "/livez?verbose=1").status == 200

    def test_head_answers_without_a_body(self, probe_port: int) -> None:
        answer = http(probe_port, "/livez", "HEAD")
        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["content-length"] == str(len(UP))

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
    def test_they_are_only_read(self, probe_port: int, method: str) -> None:
        assert http(probe_port, "/livez", method, b"{}").status == 405

    def test_an_unknown_path_names_the_known_ones(self, probe_port: int) -> None:
        answer = http(probe_port, "/healthz")
        assert answer.status == 404
        assert b"/livez" in answer.body
        assert b"/readyz" in answer.body

    @pytest.mark.parametrize("spelling", ["alive", "/alive"])
    def test_their_paths_can_be_chosen(self, spelling: str, daemon: Daemons) -> None:
        """HEALTH_ENDPOINT_URL and READY_ENDPOINT_URL, with or without the slash."""
        chosen = daemon(OFFLINE=1, HEALTH_ENDPOINT_URL=spelling, READY_ENDPOINT_URL=spelling + "/ready")
        assert chosen.http("/alive").status == 200
        assert chosen.http("/alive/ready").status == 200
        assert chosen.http("/livez").status == 404

    def test_a_connection_is_kept_for_more(self, probe_port: int) -> None:
        with closing(socket.create_connection(("127.0.0.1", probe_port), PATIENCE_SECONDS)) as connection:
            for closing_header in (b"", b"Connection: close\r\n"):
                connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n" + closing_header + b"\r\n")
            assert read_until_closed(connection).count(UP) == 2


class TestReadiness:
    """Once listeners accept and the first upstream attempt has ended, or START_GRACE_MS passed (design section 13)."""

    def test_it_waits_for_the_first_attempt(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.faults.inject(any_request(), Silent(), times=FOREVER)
        waiting = daemon(upstream, START_GRACE_MS=3_600_000)
        upstream.recorder.wait_for(sdk_configuration())
        for port in (waiting.http_port, waiting.port):
            answer = http(port, "/readyz")
            assert (answer.status, answer.body) == (503, DOWN)
            assert http(port, "/livez").body == UP

    def test_checks_are_answered_meanwhile(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.world.customer("c").boolean("flag")
        upstream.faults.inject(sdk_configuration(), Silent(), times=FOREVER)
        waiting = daemon(upstream, START_GRACE_MS=3_600_000)
        assert waiting.http("/readyz").status == 503
        assert waiting.client.boolean("c", "flag").has_access

    def test_it_waits_no_longer_than_the_grace(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.faults.inject(any_request(), Silent(), times=FOREVER)
        eventually(lambda: daemon(upstream, START_GRACE_MS=0).http("/readyz").status == 200)

    def test_a_failed_attempt_is_an_attempt(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.stop()
        daemon(upstream, START_GRACE_MS=3_600_000).wait_until_ready_to_serve()

    def test_a_rejected_key_is_an_attempt(self, upstream: Upstream, daemon: Daemons) -> None:
        daemon(upstream, SERVER_API_KEY="wrong", START_GRACE_MS=3_600_000).wait_until_ready_to_serve()

    def test_it_does_not_flip_when_upstream_is_lost_later(self, upstream: Upstream, daemon: Daemons) -> None:
        served = daemon(upstream)
        served.wait_until_ready_to_serve()
        upstream.faults.inject(any_request(), Status(403), times=FOREVER)
        assert served.client.boolean("c", "flag").is_fallback
        upstream.stop()
        assert served.http("/readyz").status == 200
        assert served.http("/livez").status == 200


class TestMetrics:
    def test_the_official_counters_are_there_from_the_start(self, daemon: Daemons) -> None:
        metrics = daemon(OFFLINE=1).metrics()
        assert {name: metrics[name] for name in OFFICIAL_COUNTERS} == dict.fromkeys(OFFICIAL_COUNTERS, 0)

    @pytest.mark.parametrize("name", DOCUMENTED)
    def test_every_documented_series_is_there(self, name: str, offline: Daemon) -> None:
        assert name in offline.metrics()

    def test_the_format_is_that_of_prometheus(self, offline: Daemon) -> None:
        answer = offline.http("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        line = re.compile(r'# (HELP|TYPE) \w+ .*|[a-zA-Z_:][\w:]*(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [-+0-9.eE]+')
        assert all(line.fullmatch(each) for each in answer.body.decode().splitlines())
        assert "# TYPE sidecar_cache_hits_total counter" in answer.body.decode()

    def test_hits_and_misses_are_counted(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.world.customer("c").boolean("flag")
        served = daemon(upstream)
        for _ in range(4):
            served.client.boolean("c", "flag")
        metrics = served.metrics()
        assert (metrics["sidecar_cache_misses_total"], metrics["sidecar_cache_hits_total"]) == (1, 3)
        assert metrics["sidecar_cache_entries"] == 1
        assert 0 < metrics["sidecar_cache_bytes"] <= metrics["sidecar_cache_limit_bytes"]

    def test_a_rejected_key_is_counted_apart(self, upstream: Upstream, daemon: Daemons) -> None:
        served = daemon(upstream, SERVER_API_KEY="wrong")
        served.wait_until_ready_to_serve()
        metrics = served.metrics()
        assert metrics["sidecar_initialization_errors_total"] == 1
        assert metrics["sidecar_invalid_api_key_errors_total"] == 1
        assert metrics["sidecar_network_request_errors_total"] == 0

    def test_fallbacks_are_counted(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.faults.inject(any_request(), Status(403), times=FOREVER)
        served = daemon(upstream)
        served.client.boolean("c", "flag")
        assert served.metrics()["sidecar_fallback_answers_total"] == 1

    def test_the_cache_limit_is_the_one_configured(self, daemon: Daemons) -> None:
        assert daemon(OFFLINE=1, CACHE_MAX_SIZE_BYTES=1 << 20).metrics()["sidecar_cache_limit_bytes"] == 1 << 20

    def test_they_are_not_on_the_grpc_port(self, offline: Daemon) -> None:
        answer = http(offline.port, "/metrics")
        assert answer.status == 404
        assert b"gRPC port" in answer.body


class TestStrangers:
    """Bytes that neither port expects: that connection ends, everybody else is served."""

    @pytest.mark.parametrize(
        "hello",
        [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),  # TLS
            b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
            b"*1\r\n$4\r\nPING\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 64,
            bytes(4096),
        ],
        ids=["TLS", "SSH", "Redis", "HTTP 9.9", "a long target", "many headers", "broken HTTP/2", "zeros"],
    )
    @pytest.mark.parametrize("port", ["HTTP_PORT", "PORT"])
    def test_their_connection_ends(self, hello: bytes, port: str, offline: Daemon) -> None:
        number = offline.http_port if port == "HTTP_PORT" else offline.port
        with closing(socket.create_connection(("127.0.0.1", number), PATIENCE_SECONDS)) as stranger:
            with suppress(OSError):  # closed before all was sent
                stranger.sendall(hello)
            read_until_closed(stranger)
        assert offline.client.boolean("c", "flag").is_fallback
        assert offline.http("/livez").status == 200

    def test_a_client_that_says_nothing_holds_up_nobody(self, offline: Daemon) -> None:
        silent = [socket.create_connection(("127.0.0.1", offline.port)) for _ in range(200)]
        try:
            with Client(offline.target) as newcomer:
                assert newcomer.boolean("c", "flag").is_fallback
            assert http(offline.port, "/livez").status == 200
        finally:
            for each in silent:
                each.close()

    def test_a_preface_that_comes_in_single_bytes_is_still_grpc(self, offline: Daemon) -> None:
        """What the daemon reads to tell the protocols apart is not lost."""
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
        with closing(socket.create_connection(("127.0.0.1", offline.port), PATIENCE_SECONDS)) as slow:
            slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in preface:
                slow.sendall(bytes([byte]))
            settings = slow.recv(9)
        assert settings[3] == 4, "the first frame of a server is SETTINGS"

    def test_grpc_on_the_http_port_is_unavailable(self, offline: Daemon) -> None:
        with Client(f"127.0.0.1:{offline.http_port}") as lost:
            refused = refusal(lambda: lost.boolean("c", "flag", timeout=5))
        assert refused.code is grpc.StatusCode.UNAVAILABLE
