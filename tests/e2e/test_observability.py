"""What the daemon tells of itself: metrics by label, /status, systemd (design section 13)."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from harness.contract import pb, pb_grpc
from harness.daemon import DEFAULTS, Daemon, Daemons
from harness.ports import free_ports
from harness.process import Process
from harness.waiting import PATIENCE_SECONDS, eventually
from independent_upstream import FOREVER, Status, Upstream, any_request, customer, edge


def rpc(method: str, code: str) -> str:
    return f'sidecar_rpc_requests_total{{method="{method}",code="{code}"}}'


class TestMetrics:
    def test_calls_by_method_and_code(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.world.customer("c").boolean("flag")
        served = daemon(upstream)
        for _ in range(3):
            served.client.boolean("c", "flag")
        with pytest.raises(Exception, match="customer_id"):
            served.client.boolean("", "flag")
        series = served.metrics().series
        assert series[rpc("GetBooleanEntitlement", "OK")] == 3
        assert series[rpc("GetBooleanEntitlement", "INVALID_ARGUMENT")] == 1
        assert series[rpc("GetEntitlements", "OK")] == 0
        assert series['sidecar_rpc_duration_seconds_count{method="GetBooleanEntitlement"}'] == 4
        assert 0 < series['sidecar_rpc_duration_seconds_sum{method="GetBooleanEntitlement"}'] < PATIENCE_SECONDS

    def test_decisions_by_type_verdict_and_source(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.world.customer("c").metered("seats", limit=5, usage=5).boolean("flag")
        served = daemon(upstream)
        served.client.boolean("c", "flag")
        served.client.boolean("c", "flag")
        served.client.metered("c", "seats", requested_usage=1)
        upstream.faults.inject(any_request(), Status(403), times=FOREVER)
        served.client.enum("other", "region")

        def decided(kind: str, result: str, source: str) -> float:
            return served.metrics().series.get(
                f'sidecar_decisions_total{{type="{kind}",result="{result}",source="{source}"}}', 0
            )

        assert decided("boolean", "granted", "upstream") == 1
        assert decided("boolean", "granted", "memory") == 1
        assert decided("metered", "denied", "memory") == 1
        assert decided("enum", "denied", "fallback") == 1

    def test_exchanges_with_upstream_by_outcome(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.world.customer("c").boolean("flag")
        served = daemon(upstream)
        served.wait_until_ready_to_serve()
        series = served.metrics().series
        ok = 'sidecar_upstream_requests_total{target="edge",outcome="ok"}'
        before = series[ok]
        served.client.boolean("c", "flag")
        assert served.metrics().series[ok] == before + 1
        for status, outcome in ((403, "refused"), (429, "throttled"), (503, "server_error"), (401, "invalid_key")):
            upstream.faults.clear()
            upstream.faults.inject(any_request(), Status(status), times=1)
            served.client.boolean(f"c-{status}", "flag", timeout=5)
            name = f'sidecar_upstream_requests_total{{target="edge",outcome="{outcome}"}}'
            eventually(lambda name=name: served.metrics().series[name], lambda seen: seen >= 1)
        assert served.metrics().series['sidecar_upstream_request_duration_seconds_count{target="edge"}'] >= before + 5

    def test_the_process(self, daemon: Daemons) -> None:
        served = daemon(OFFLINE=1)
        metrics = served.metrics()
        assert metrics["process_resident_memory_bytes"] > 1 << 20
        assert metrics["process_virtual_memory_bytes"] > metrics["process_resident_memory_bytes"]
        # Counted in hundredths: a start may take none.
        assert eventually(lambda: served.metrics()["process_cpu_seconds_total"]) < 60
        assert abs(metrics["process_start_time_seconds"] - time.time()) < 120
        assert 3 < metrics["process_open_fds"] < metrics["process_max_fds"]
        assert metrics["process_threads"] == len(list(Path(f"/proc/{served.process.pid}/task").iterdir()))


class TestStatus:
    def status(self, daemon: Daemon) -> dict[str, Any]:
        answer = daemon.http("/status", Accept="application/json")
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        return dict(json.loads(answer.body))

    def test_what_answers_are_made_of(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.world.customer("c").boolean("flag")
        served = daemon(upstream)
        served.client.boolean("c", "flag")
        for _ in range(3):
            served.client.boolean("c", "flag")
        seen = self.status(served)
        assert seen["reads"] == {"hits": 3, "misses": 1, "hitRatio": 0.75, "stale": 0, "fallbacks": 0}
        assert seen["decisionsBySource"]["memory"] == 3
        assert seen["cache"]["entries"] == 1
        assert seen["upstream"]["edge"]["breaker"] == "closed"
        assert (seen["websocket"], seen["redis"], seen["spool"], seen["snapshot"], seen["tls"]) == (None,) * 5

    def test_the_configuration_is_shown_without_secrets(self, upstream: Upstream, daemon: Daemons) -> None:
        seen = self.status(daemon(upstream, ENTITLEMENTS_TTL_SECS=7))
        assert "ENTITLEMENTS_TTL_SECS=7 (set)" in seen["configuration"]
        assert upstream.api_key not in json.dumps(seen)

    def test_a_breaker_that_is_open(self, upstream: Upstream, daemon: Daemons) -> None:
        served = daemon(upstream)
        upstream.faults.inject(any_request(), Status(503), times=FOREVER)
        for n in range(6):
            served.client.boolean(f"c{n}", "flag", timeout=1)
        eventually(lambda: self.status(served)["upstream"]["edge"]["breaker"], lambda state: state == "open")

    def test_a_page_for_browsers(self, daemon: Daemons) -> None:
        answer = daemon(OFFLINE=1).http("/status", Accept="text/html,application/xhtml+xml,*/*;q=0.8")
        assert answer.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert b"http://" not in answer.body
        assert b"https://" not in answer.body


class Notified:
    """The receiving end of sd_notify(3)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(PATIENCE_SECONDS)

    def next(self) -> str:
        return self._socket.recv(1024).decode()

    def close(self) -> None:
        self._socket.close()


class TestSystemd:
    @pytest.fixture
    def systemd(self, tmp_path: Path) -> Iterator[Notified]:
        made = Notified(tmp_path / "notify")
        yield made
        made.close()

    def test_it_hears_of_start_and_end(self, systemd: Notified, daemon: Daemons) -> None:
        served = daemon(OFFLINE=1, NOTIFY_SOCKET=systemd.path)
        assert systemd.next() == "READY=1"
        served.stop()
        assert systemd.next() == "STOPPING=1"

    def test_its_watchdog_is_answered(self, systemd: Notified, daemon: Daemons) -> None:
        daemon(OFFLINE=1, NOTIFY_SOCKET=systemd.path, WATCHDOG_USEC=200_000)
        assert systemd.next() == "READY=1"
        assert [systemd.next() for _ in range(3)] == ["WATCHDOG=1"] * 3

    def test_a_watchdog_of_another_process_is_not(self, systemd: Notified, daemon: Daemons) -> None:
        served = daemon(OFFLINE=1, NOTIFY_SOCKET=systemd.path, WATCHDOG_USEC=1_000, WATCHDOG_PID=1)
        served.stop()
        assert [systemd.next(), systemd.next()] == ["READY=1", "STOPPING=1"]


class TestDescriptors:
    def test_some_are_kept_for_upstream(self, upstream: Upstream) -> None:
        """Scenario 42: connections beyond the limit are closed at once, and misses still reach upstream."""
        port, http_port = free_ports(2)
        environment = DEFAULTS | {
            "PORT": port,
            "HTTP_PORT": http_port,
            "API_URL": upstream.url,
            "EDGE_API_URL": upstream.url,
            "SERVER_API_KEY": upstream.api_key,
        }
        upstream.world.customer("c").boolean("flag")
        process = Process([], environment, under=["prlimit", "--nofile=300:300"])
        try:
            assert process.stdout.wait_for(lambda line: line == "Sidecar is ready")
            served = Daemon(process, port, http_port)
            served.client.boolean("c", "flag")
            crowd = [socket.create_connection(("127.0.0.1", port)) for _ in range(300)]
            eventually(
                lambda: process.stderr.wait_for(lambda line: "connections are refused" in line), lambda line: line
            )
            upstream.world.customer("d").boolean("flag")
            assert served.client.boolean("d", "flag").has_access
            for each in crowd:
                each.close()
            eventually(lambda: served.metrics()["sidecar_connections_refused_total"], lambda seen: seen > 0)
            served.stop()
        finally:
            if process.running:
                process.kill()


class TestLog:
    def test_lines_are_json_where_nobody_sits_at_a_terminal(self, upstream: Upstream, daemon: Daemons) -> None:
        served = daemon(upstream, LOG_LEVEL="info")
        line = served.process.stderr.wait_for(lambda line: "configuration" in line)
        assert line is not None
        for each in served.process.stderr.lines:
            assert set(json.loads(each)) == {"time", "level", "message"}

    def test_text_can_be_asked_for(self, daemon: Daemons) -> None:
        served = daemon(OFFLINE=1, LOG_LEVEL="info", LOG_FORMAT="text")
        line = served.process.stderr.wait_for(lambda line: "configuration" in line)
        assert line is not None
        assert " info configuration: " in line


class Collector:
    """Takes spans as an OpenTelemetry collector does: OTLP over HTTP, JSON."""

    def __init__(self, status: int = 200) -> None:
        collector = self
        self.spans: list[dict[str, Any]] = []
        self.service = ""

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/json") and status == 200:
                    collector._take(json.loads(body))
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self._server.serve_forever, daemon=True).start()

    def _take(self, request: dict[str, Any]) -> None:
        for resource in request["resourceSpans"]:
            names = {each["key"]: each["value"]["stringValue"] for each in resource["resource"]["attributes"]}
            self.service = names["service.name"]
            for scope in resource["scopeSpans"]:
                self.spans += scope["spans"]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class TestTraces:
    TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

    def check(self, daemon: Daemon, customer_id: str, flags: str = "01") -> None:
        request = pb.GetBooleanEntitlementRequest(customer_id=customer_id, feature_id="flag")
        metadata = (("traceparent", f"00-{self.TRACE}-{self.SPAN}-{flags}"),)
        stub = pb_grpc.SidecarServiceStub(daemon.client.channel)
        stub.GetBooleanEntitlement(request, metadata=metadata, timeout=PATIENCE_SECONDS)

    def sent_upstream(self, upstream: Upstream, customer_id: str) -> str | None:
        request = upstream.recorder.wait_for(edge() & customer(customer_id))
        return request.headers.get("traceparent")

    def test_the_callers_context_reaches_upstream(self, upstream: Upstream, daemon: Daemons) -> None:
        served = daemon(upstream)
        self.check(served, "c")
        assert self.sent_upstream(upstream, "c") == f"00-{self.TRACE}-{self.SPAN}-01"
        served.client.boolean("d", "flag")
        assert self.sent_upstream(upstream, "d") is None

    def test_spans_reach_a_collector(self, upstream: Upstream, daemon: Daemons) -> None:
        with closing(Collector()) as collector:
            served = daemon(upstream, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_SERVICE_NAME="checks")
            before = time.time()
            self.check(served, "c")
            served.client.boolean("c", "flag")  # without a context: no span
            self.check(served, "c", flags="00")  # not sampled: none either
            served.stop()  # sends what waits
            by_kind = {span["kind"]: span for span in collector.spans}
            assert len(collector.spans) == 2
            call, exchange = by_kind[2], by_kind[3]
            assert call["name"] == "stigg.sidecar.v1.SidecarService/GetBooleanEntitlement"
            assert (call["traceId"], call["parentSpanId"]) == (self.TRACE, self.SPAN)
            assert (exchange["traceId"], exchange["parentSpanId"]) == (self.TRACE, call["spanId"])
            assert self.sent_upstream(upstream, "c") == f"00-{self.TRACE}-{exchange['spanId']}-01"
            assert before - 1 < int(call["startTimeUnixNano"]) / 1e9 < int(call["endTimeUnixNano"]) / 1e9 < time.time() + 1
            assert collector.service == "checks"

    def test_a_collector_that_refuses_holds_up_nobody(self, upstream: Upstream, daemon: Daemons) -> None:
        with closing(Collector(status=500)) as collector:
            served = daemon(upstream, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
            self.check(served, "c")
            eventually(lambda: served.metrics().series['sidecar_spans_total{outcome="dropped"}'], lambda n: n == 2)

    def test_the_log_names_the_trace(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.faults.inject(customer("c"), Status(500), times=FOREVER)
        served = daemon(upstream, LOG_LEVEL="debug")
        self.check(served, "c")
        line = served.process.stderr.wait_for(lambda line: "edge failed" in line and "trace_id" in line)
        assert line is not None
        assert json.loads(line)["trace_id"] == self.TRACE
        served.client.boolean("d", "flag")
        served.stop()
        assert all(json.loads(each).get("trace_id") in (None, self.TRACE) for each in served.process.stderr.lines)

    def test_explain_names_the_trace(self, upstream: Upstream, daemon: Daemons) -> None:
        served = daemon(upstream)
        answer = served.http("/admin/explain?customer=c&feature=flag", traceparent=f"00-{self.TRACE}-{self.SPAN}-01")
        assert json.loads(answer.body)["traceId"] == self.TRACE
        assert self.sent_upstream(upstream, "c") == f"00-{self.TRACE}-{self.SPAN}-01"
