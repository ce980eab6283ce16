"""From start to end: ready, drain, second signal, and output that nobody reads (design sections 3 and 13)."""

import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import grpc
import pytest

from harness.client import Client
from harness.daemon import DEFAULTS, READY, Daemon, Daemons
from harness.failures import refusal
from harness.ports import free_port, free_ports
from harness.process import BINARY, is_sanitized, process_environment, run
from harness.waiting import PATIENCE_SECONDS, SLACK_SECONDS, eventually, timed
from harness.web import http
from independent_upstream import FOREVER, Gate, Hold, Silent, Upstream, any_request, edge


class TestStart:
    @pytest.mark.parametrize("level", ["error", "warn", "info", "debug"])
    def test_it_says_that_it_is_ready_at_any_log_level(self, level: str, daemon: Daemons) -> None:
        assert daemon(OFFLINE=1, LOG_LEVEL=level).process.stdout.lines.count(READY) == 1

    def test_it_says_so_only_once_listeners_accept(self, daemon: Daemons) -> None:
        served = daemon(OFFLINE=1)
        for port in (served.port, served.http_port):
            socket.create_connection(("127.0.0.1", port), 1).close()

    def test_it_says_how_large_its_cache_may_grow_and_why(self, daemon: Daemons) -> None:
        lines = daemon(OFFLINE=1, CACHE_MAX_SIZE_BYTES=64 << 20).process.stdout.lines
        assert any("64 MiB" in line and "CACHE_MAX_SIZE_BYTES" in line for line in lines)
        assert any("half of" in line for line in daemon(OFFLINE=1).process.stdout.lines)

    def test_upstream_refused_and_fallbacks_set(self, upstream: Upstream, daemon: Daemons) -> None:
        """Scenario 1: it starts, is alive, gets ready, and answers the fallbacks."""
        upstream.stop()
        served = daemon(upstream, ENTITLEMENTS_FALLBACK='{"flag":{"hasAccess":true}}')
        assert served.http("/livez").status == 200
        served.wait_until_ready_to_serve()
        answer = served.client.boolean("c", "flag")
        assert (answer.has_access, answer.is_fallback) == (True, True)

    def test_upstream_silent_and_no_fallbacks(self, upstream: Upstream, daemon: Daemons) -> None:
        """Scenario 2."""
        upstream.faults.inject(any_request(), Silent(), times=FOREVER)
        served = daemon(upstream, ENTITLEMENTS_TIMEOUT_MS=300)
        answer = served.client.boolean("c", "flag")
        assert (answer.has_access, answer.is_fallback) == (False, True)
        assert served.process.running

    def test_it_says_that_upstream_cannot_be_reached(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.stop()
        assert daemon(upstream).process.stderr.wait_for(lambda line: "upstream cannot be reached" in line)


class TestDrain:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
    def test_an_idle_daemon_ends_at_once_with_0(self, number: signal.Signals, daemon: Daemons) -> None:
        served = daemon(OFFLINE=1)
        served.process.signal(number)
        code, seconds = timed(served.process.wait)
        assert code == 0
        assert seconds < 1 + SLACK_SECONDS

    def test_idle_connections_do_not_hold_it_up(self, daemon: Daemons) -> None:
        served = daemon(OFFLINE=1)
        with closing(socket.create_connection(("127.0.0.1", served.port))), Client(served.target) as client:
            client.boolean("c", "flag")
            served.process.signal(signal.SIGTERM)
            code, seconds = timed(served.process.wait)
        assert (code, seconds < 1 + SLACK_SECONDS) == (0, True)

    def test_while_settling_it_is_not_ready_and_serves_on(self, daemon: Daemons) -> None:
        settling = daemon(OFFLINE=1, DRAIN_SETTLE_MS=1500)
        settling.wait_until_ready_to_serve()
        settling.process.signal(signal.SIGTERM)
        eventually(lambda: settling.http("/readyz").status == 503)
        assert settling.http("/readyz").body == b'{"status":"DOWN"}'
        assert http(settling.port, "/readyz").status == 503
        assert settling.http("/livez").status == 200
        assert settling.client.boolean("c", "flag").is_fallback
        with Client(settling.target) as newcomer:
            assert newcomer.boolean("c", "flag").is_fallback
        assert settling.process.wait() == 0

    def test_it_settles_for_as_long_as_it_is_told(self, daemon: Daemons) -> None:
        settling = daemon(OFFLINE=1, DRAIN_SETTLE_MS=700)
        settling.process.signal(signal.SIGTERM)
        code, seconds = timed(settling.process.wait)
        assert code == 0
        assert 0.7 <= seconds < 0.7 + 1

    def test_after_settling_the_door_is_closed(self, upstream: Upstream, daemon: Daemons) -> None:
        """A call in progress keeps the daemon alive; nobody new gets in."""
        gate = Gate()
        upstream.faults.inject(edge(), Hold(gate), times=FOREVER)
        served = daemon(upstream)
        held = served.client.background.boolean("c", "flag")
        gate.wait_until_held()
        served.process.signal(signal.SIGTERM)
        eventually(lambda: refuses_connections(served.port))
        gate.release()
        assert not held.result(timeout=PATIENCE_SECONDS).is_fallback
        assert served.process.wait() == 0

    def test_calls_in_progress_are_finished(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.world.customer("c").boolean("flag").metered("seats", limit=5)
        gate = Gate()
        upstream.faults.inject(any_request() & edge(), Hold(gate), times=FOREVER)
        served = daemon(upstream, DRAIN_SETTLE_MS=200)
        calls = [served.client.background.boolean("c", "flag") for _ in range(20)]
        gate.wait_until_held()
        served.process.signal(signal.SIGTERM)
        eventually(lambda: refuses_connections(served.port))
        gate.release()
        assert all(call.result(timeout=PATIENCE_SECONDS).has_access for call in calls)
        assert served.process.wait() == 0

    def test_a_report_in_progress_is_finished(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.world.customer("c").metered("seats", limit=5)
        gate = Gate()
        upstream.faults.inject(any_request() & ~edge(), Hold(gate), times=FOREVER)
        served = daemon(upstream, EDGE_ENABLED=0)
        report = served.client.background.report_usage("c", "seats", 1)
        gate.wait_until_held(2)  # the start-up check is the other
        served.process.signal(signal.SIGTERM)
        eventually(lambda: refuses_connections(served.port))
        gate.release()
        assert report.result(timeout=PATIENCE_SECONDS).current_usage == 1
        assert served.process.wait() == 0

    def test_a_call_that_outlasts_the_drain_ends_unavailable(self, upstream: Upstream, daemon: Daemons) -> None:
        gate = Gate()
        upstream.faults.inject(edge(), Hold(gate), times=FOREVER)
        served = daemon(upstream, DRAIN_TIMEOUT_MS=500)
        held = served.client.background.boolean("c", "flag", timeout=30)
        gate.wait_until_held()
        served.process.signal(signal.SIGTERM)
        code, seconds = timed(served.process.wait)
        assert code == 0
        assert seconds < 0.5 + 1
        assert refusal(held.result).code is grpc.StatusCode.UNAVAILABLE

    def test_clients_under_load_lose_nothing(self, daemon: Daemons) -> None:
        """Whoever sees readiness go and moves away; here: whoever stops within the settling time."""
        served = daemon(OFFLINE=1, DRAIN_SETTLE_MS=1000)
        served.wait_until_ready_to_serve()
        calls = []
        served.process.signal(signal.SIGTERM)
        while served.http("/readyz").status == 200:
            calls += [served.client.background.boolean("c", "flag") for _ in range(50)]
        calls += [served.client.background.boolean("c", "flag") for _ in range(50)]
        assert all(call.result(timeout=PATIENCE_SECONDS).is_fallback for call in calls)
        assert served.process.wait() == 0

    def test_ctrl_c_ends_dev_without_settling(self, daemon: Daemons) -> None:
        dev = daemon.dev(DRAIN_SETTLE_MS=8000)
        dev.process.signal(signal.SIGINT)
        code, seconds = timed(dev.process.wait)
        assert (code, seconds < 2) == (0, True)

    def test_ctrl_c_ends_dev_with_a_call_in_flight(self, daemon: Daemons) -> None:
        """Nobody waits for it any more (design section 12)."""
        dev = daemon.dev()
        dev.wait_until_ready_to_serve()
        port = dev.dev_upstream_port
        assert http(port, "/_dev/faults", "POST", b'{"fault": "silent"}').status == 200
        before = http(port, "/_dev/requests").body
        held = dev.client.background.boolean("customer-demo-01", "feature-03-custom-domain", timeout=30)
        eventually(lambda: http(port, "/_dev/requests").body != before)
        dev.process.signal(signal.SIGINT)
        code, seconds = timed(dev.process.wait)
        assert (code, seconds < 1) == (0, True)
        assert refusal(held.result).code is grpc.StatusCode.UNAVAILABLE

    def test_sigterm_lets_dev_settle(self, daemon: Daemons) -> None:
        dev = daemon.dev(DRAIN_SETTLE_MS=700)
        dev.process.signal(signal.SIGTERM)
        code, seconds = timed(dev.process.wait)
        assert code == 0
        assert seconds >= 0.7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("stage", ["settling", "waiting for a call"])
def test_a_second_signal_ends_it_quickly_with_1(
    stage: str, number: signal.Signals, upstream: Upstream, daemon: Daemons
) -> None:
    gate = Gate()
    upstream.faults.inject(edge(), Hold(gate), times=FOREVER)
    settle_ms = 9000 if stage == "settling" else 0
    served = daemon(upstream, DRAIN_SETTLE_MS=settle_ms, DRAIN_TIMEOUT_MS=10_000)
    served.wait_until_ready_to_serve()
    held = served.client.background.boolean("c", "flag", timeout=30)
    gate.wait_until_held()
    served.process.signal(signal.SIGTERM)
    eventually(lambda: served.http("/readyz").status == 503)
    served.process.signal(number)
    code, seconds = timed(served.process.wait)
    assert code == 1
    assert seconds < 3
    held.cancel()


def refuses_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # it was being closed at this very moment: the next look tells
        return False
    return False


class FullPipe:
    """A pipe that nobody reads: `fill` stuffs it until the next writer would block."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        fcntl.fcntl(self.write_end, fcntl.F_SETPIPE_SZ, 4096)

    def fill(self) -> None:
        description = os.open(f"/proc/self/fd/{self.write_end}", os.O_WRONLY | os.O_NONBLOCK)
        try:
            for size in (512, 1):
                with suppress(BlockingIOError):
                    while True:
                        os.write(description, b"x" * size)
        finally:
            os.close(description)

    def close(self) -> None:
        os.close(self.read_end)
        os.close(self.write_end)


class TestUnreadOutput:
    """After the ready line nothing that is logged may block a request, or the end."""

    @pytest.fixture
    def pipes(self) -> Iterator[tuple[FullPipe, FullPipe]]:
        stdout, stderr = FullPipe(), FullPipe()
        yield stdout, stderr
        stdout.close()
        stderr.close()

    def test_the_daemon_keeps_answering_and_ends(self, pipes: tuple[FullPipe, FullPipe], upstream: Upstream) -> None:
        """Standard error is full from the start, standard output from the ready line on, and there is much to log."""
        stdout, stderr = pipes
        stderr.fill()
        port, http_port = free_ports(2)
        upstream.api_key = "another"  # a reason to log
        variables = DEFAULTS | {
            "PORT": port, "HTTP_PORT": http_port, "LOG_LEVEL": "debug", "REDIS_HOTS": "a typo to warn of",
            "API_URL": upstream.url, "EDGE_API_URL": upstream.url, "SERVER_API_KEY": "wrong",
        }  # fmt: skip
        child = subprocess.Popen(
            [BINARY], env=process_environment(variables), stdin=subprocess.DEVNULL,
            stdout=stdout.write_end, stderr=stderr.write_end,
        )  # fmt: skip
        try:
            self.read_until_ready(stdout)
            stdout.fill()
            with Client(f"127.0.0.1:{port}") as client:
                for i in range(200):
                    answer, seconds = timed(lambda each=f"c{i}": client.boolean(each, "flag", timeout=5))
                    assert answer.is_fallback
                    assert seconds < 2
            assert http(http_port, "/livez").status == 200
            child.send_signal(signal.SIGTERM)
            assert child.wait(PATIENCE_SECONDS) == 0
        finally:
            child.kill()
            child.wait()

    @staticmethod
    def read_until_ready(pipe: FullPipe) -> None:
        deadline, seen = time.monotonic() + PATIENCE_SECONDS, b""
        while READY.encode() not in seen:
            assert time.monotonic() < deadline, seen
            seen += os.read(pipe.read_end, 4096)

    def test_closed_output_is_survived(self) -> None:
        """A log collector that went away: no SIGPIPE, from the first line on."""
        for _ in range(10):
            self.start_and_stop_without_a_reader()

    @staticmethod
    def start_and_stop_without_a_reader() -> None:
        port, http_port = free_ports(2)
        variables = DEFAULTS | {"PORT": port, "HTTP_PORT": http_port, "OFFLINE": 1, "REDIS_HOTS": "a typo to warn of"}
        read_end, write_end = os.pipe()
        child = subprocess.Popen([BINARY], env=process_environment(variables), stdout=subprocess.PIPE, stderr=write_end)
        os.close(write_end)
        os.close(read_end)
        try:
            assert child.stdout is not None
            assert any(line.rstrip() == READY.encode() for line in child.stdout)
            child.stdout.close()
            with Client(f"127.0.0.1:{port}") as client:
                assert client.boolean("c", "flag").is_fallback
            child.send_signal(signal.SIGTERM)
            assert child.wait(PATIENCE_SECONDS) == 0
        finally:
            child.kill()
            child.wait()


def test_it_ends_with_its_parent_when_asked_to(tmp_path: Path) -> None:
    """As below npx, whose shell is killed and passes nothing on."""
    port, pid_file = free_port(), tmp_path / "pid"
    variables = process_environment(DEFAULTS | {"PORT": port, "HTTP_PORT": 0, "OFFLINE": 1, "END_WITH_PARENT": 1})
    script = f'"$0" & echo $! >{pid_file}; wait'
    shell = subprocess.Popen(["/bin/sh", "-c", script, BINARY], env=variables, stdout=subprocess.PIPE)
    with shell, Client(f"127.0.0.1:{port}") as client:
        assert shell.stdout is not None
        assert any(line.rstrip() == READY.encode() for line in shell.stdout)
        assert client.boolean("c", "flag").is_fallback
        shell.kill()
        shell.wait()
        started = Path(f"/proc/{int(pid_file.read_text())}")
        eventually(lambda: not started.exists() or "State:\tZ" in (started / "status").read_text())


@pytest.mark.skipif(is_sanitized(), reason="the memory of an instrumented binary says nothing")
def test_memory_and_descriptors_do_not_grow_with_calls(upstream: Upstream, daemon: Daemons) -> None:
    """A short form of the soak: misses, hits, failures and connections, over and over."""
    served: Daemon = daemon(upstream, CACHE_MAX_SIZE_BYTES=1 << 20)

    def churn(round_number: int) -> None:
        with Client(served.target) as client:
            for i in range(300):
                client.boolean(f"c{round_number}-{i}", "flag")

    def descriptors() -> int:
        return len(os.listdir(f"/proc/{served.process.pid}/fd"))

    churn(0)
    churn(1)
    before_kib, open_before = served.memory_kib("VmRSS"), descriptors()
    for i in range(2, 6):
        churn(i)
    assert served.memory_kib("VmRSS") - before_kib < 8 * 1024
    eventually(lambda: descriptors() <= open_before + 2)


def test_a_bad_start_ends_at_once() -> None:
    ended, seconds = timed(lambda: run("serve", PORT="abc"))
    assert ended.returncode == 78
    assert seconds < 1 + SLACK_SECONDS
