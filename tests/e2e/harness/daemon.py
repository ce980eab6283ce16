"""Running daemons: `serve` and `dev`, with everything that a test asks of one."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .client import Client
from .ports import free_ports
from .process import Process
from .waiting import PATIENCE_SECONDS, eventually
from .web import HttpAnswer, Metrics, http

if TYPE_CHECKING:
    from independent_upstream import Upstream

READY = "Sidecar is ready"
"""Printed on standard output as a whole line, at any log level, once listeners accept."""

DEFAULTS: dict[str, object] = {
    "LISTEN_ADDRESS": "127.0.0.1",
    "WS_ENABLED": 0,
    "DRAIN_SETTLE_MS": 0,
    "GRPC_FRONT": os.environ.get("SIDECAR_FRONT"),
}
"""What tests want unless they say otherwise: loopback only, no feed, no settling before the end; the front that
SIDECAR_FRONT names, if it is set."""

_STARTS_MAX = 3
"""Ports found free may be taken by a neighbour before the daemon binds them; then others are tried."""

_DEV_UPSTREAM = "dev upstream on "


def upstream_environment(upstream: "Upstream") -> dict[str, object]:
    """EDGE_API_URL must be said: derived from a loopback host it is port 3060 (docs/protocol.md section 1.1)."""
    return {"API_URL": upstream.url, "EDGE_API_URL": upstream.url, "SERVER_API_KEY": upstream.api_key}


class Daemon:
    """A daemon that has said it is ready."""

    def __init__(self, process: Process, port: int, http_port: int) -> None:
        self.process = process
        self.port = port
        self.http_port = http_port
        self.client = Client(self.target)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def dev_upstream_port(self) -> int:
        """Of `dev`: where its embedded upstream listens, with the control endpoint of its faults."""
        line = next(line for line in self.process.stdout.lines if line.startswith(_DEV_UPSTREAM))
        return int(line.removeprefix(_DEV_UPSTREAM).split()[0].rpartition(":")[2])

    def http(self, path: str, method: str = "GET", **headers: str) -> HttpAnswer:
        """Names of headers with underscores for hyphens."""
        return http(self.http_port, path, method, headers={name.replace("_", "-"): text for name, text in headers.items()})

    def metrics(self) -> Metrics:
        return Metrics(self.http("/metrics").body.decode())

    def wait_until_ready_to_serve(self) -> None:
        """Until the start-up check of upstream has ended, which /readyz waits for."""
        eventually(lambda: self.http("/readyz").status == 200)

    def memory_kib(self, figure: str) -> int:
        """A figure of /proc/<pid>/status: VmRSS is what the process holds now, VmHWM the most since the last reset."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(figure + ":"):
                return int(line.split()[1])
        raise KeyError(figure)

    def reset_memory_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def stop(self) -> None:
        """SIGTERM; requires exit code 0."""
        self.client.close()
        self.process.stop()


class Daemons:
    """Starts daemons and ends those that a test leaves running.

    daemon = daemons(upstream, ENTITLEMENTS_TTL_SECS=1)
    daemon = daemons.dev("--data", path)
    """

    def __init__(self) -> None:
        self.started: list[Daemon] = []

    def __call__(self, upstream: "Upstream | None" = None, **environment: object) -> Daemon:
        """`serve`, against `upstream` if given. A variable that is None is left unset."""
        return self.start([], (upstream_environment(upstream) if upstream is not None else {}) | environment)

    def dev(self, *arguments: str, **environment: object) -> Daemon:
        return self.start(["dev", *arguments], environment)

    def cache_service(self, upstream: "Upstream", **environment: object) -> Daemon:
        return self.start(["cache-service"], upstream_environment(upstream) | environment)

    def stop(self) -> None:
        """Every daemon must end cleanly, unless the test saw to its end; all are ended, then the first defect tells."""
        defects: list[BaseException] = []
        for daemon in reversed(self.started):
            try:
                if daemon.process.running:
                    daemon.stop()
                daemon.client.close()
                daemon.process.assert_no_sanitizer_report()
            except BaseException as defect:
                defects.append(defect)
        self.started.clear()
        if defects:
            raise defects[0]

    def start(self, arguments: list[str], environment: dict[str, object], under: Sequence[str] = ()) -> Daemon:
        """Any verb that serves, with its arguments; ports of its own unless the environment says them.

        `under`: a program that becomes the binary, as of `Process`."""
        for _ in range(_STARTS_MAX):
            port, http_port = free_ports(2)
            variables = DEFAULTS | {"PORT": port, "HTTP_PORT": http_port} | environment
            process = Process(arguments, variables, under)
            if process.stdout.wait_for(lambda line: line == READY) is not None:
                daemon = Daemon(process, _number(variables["PORT"]), _number(variables["HTTP_PORT"]))
                self.started.append(daemon)
                return daemon
            code = process.wait(PATIENCE_SECONDS)
            if "in use" not in process.stderr.text:
                break
        raise AssertionError(f"the daemon ended with {code} instead of getting ready:\n{process.stderr.text}")


def _number(port: object) -> int:
    """0 when the variable is left to its default."""
    return int(str(port or 0))
