"""The servers that benchmarks measure, and the load on them. Standard library only."""

import datetime
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import typing

FEATURES = 20
GRPC_FRONT_NAME = "stigg-sidecar, grpc++ front"


def world(customers: int, count: int = FEATURES) -> dict:
    """A data file (docs/dev.md) of customers with `count` metered features each."""
    features = {f"feature-{i:02d}": {"type": "metered", "units": "call", "unitsPlural": "calls"} for i in range(count)}
    plan = {feature: {"limit": 1000, "reset": "month"} for feature in features}
    usage = {feature: 420 for feature in features}
    return {
        "features": features,
        "plans": {"plan": plan},
        "customers": {f"customer-{i:07d}": {"plan": "plan", "usage": usage} for i in range(customers)},
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Endpoint(typing.NamedTuple):
    """Where load goes, and whose CPU it costs."""

    name: str
    pid: int
    target: str


class Server:
    """A process that serves the contract on a port, and perhaps a unix socket, until it is stopped."""

    def __init__(self, name: str, command: list, environment: dict, ready: str, port: int = 0, socket: str = ""):
        self.name = name
        self.socket = socket
        self.process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.port = port
        for line in self.process.stdout:
            if found := re.search(ready, line):
                self.port = port or int(found.group(1))
                break
        else:
            raise RuntimeError(f"{name} did not start")

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def over_unix(self) -> Endpoint:
        return Endpoint(f"{self.name} unix", self.pid, f"unix:{self.socket}")

    def rss_kib(self) -> int:
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def stop(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def start_floor(build: pathlib.Path, queues: int, socket: str = "") -> Server:
    command = [build / "tests/bench/floor_server", str(queues)] + [socket] * bool(socket)
    return Server(f"floor-{queues}", command, {}, r"port (\d+)", socket=socket)


def start_limit(build: pathlib.Path, socket: str = "") -> Server:
    command = [build / "tests/bench/limit_server"] + [socket] * bool(socket)
    return Server("limit", command, {}, r"port (\d+)", socket=socket)


def start_daemon(build: pathlib.Path, data_file: str, name: str = "stigg-sidecar", socket: str = "", **more: str) -> Server:
    port, http_port = free_port(), free_port()
    environment = {
        "OFFLINE": "1",
        "OFFLINE_DATA_FILE": data_file,
        "ENTITLEMENTS_TTL_SECS": "86400",
        "PORT": str(port),
        "HTTP_PORT": str(http_port),
        "LISTEN_ADDRESS": "127.0.0.1",
    } | ({"GRPC_SOCKET": socket} if socket else {}) | more
    daemon = Server(name, [build / "stigg-sidecar"], environment, "Sidecar is ready", port, socket)
    daemon.http_port = http_port
    return daemon


def start_upstream(build: pathlib.Path, data_file: str) -> Server:
    """A cloud of the data file: the one of `dev`. Its `port` is the cloud's."""
    port = free_port()
    environment = {"PORT": str(free_port()), "HTTP_PORT": "0", "LISTEN_ADDRESS": "127.0.0.1"}
    command = [build / "stigg-sidecar", "dev", "--data", data_file, "--upstream-port", str(port)]
    return Server("upstream", command, environment, "Sidecar is ready", port)


def start_follower(build: pathlib.Path, upstream: Server, name: str, more: dict | None = None) -> Server:
    """A daemon that asks the upstream and listens to its changes."""
    port, url = free_port(), f"http://127.0.0.1:{upstream.port}"
    environment = {
        "SERVER_API_KEY": "dev",
        "API_URL": url,
        "EDGE_API_URL": url,
        "WS_URL": url.replace("http", "ws"),
        "ENTITLEMENTS_TTL_SECS": "1",
        "PORT": str(port),
        "HTTP_PORT": "0",
        "LISTEN_ADDRESS": "127.0.0.1",
    } | (more or {})
    return Server(name, [build / "stigg-sidecar"], environment, "Sidecar is ready", port)


def start_load(build: pathlib.Path, server: Server | Endpoint, **options) -> subprocess.Popen:
    """The load generator, for end_load; `options` are its own."""
    command = [build / "tests/bench/load_generator", "--target", server.target, "--pid", str(server.pid)]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end_load(server: Server | Endpoint, generator: subprocess.Popen) -> dict:
    """What it says in the end."""
    said, errors = generator.communicate()
    if generator.returncode != 0:
        raise RuntimeError(f"{server.name}: the load generator ended with {generator.returncode}: {errors}")
    result = json.loads(said)
    if result["failures"]:
        raise RuntimeError(f"{server.name}: {result['failures']} calls failed")
    return result


def load(build: pathlib.Path, server: Server | Endpoint, **options) -> dict:
    return end_load(server, start_load(build, server, **options))


def compare(build: pathlib.Path, servers: list, rounds: int, label: str, **options) -> list:
    """Rows of (label, server, medians of its figures, median ratios to the first server); quantiles are the last round's."""
    figures = {server.name: [] for server in servers}
    for round_number in range(rounds):
        for server in servers:
            figures[server.name].append(load(build, server, **options))
        print(f"  {label}: round {round_number + 1} of {rounds}", file=sys.stderr)
    base = figures[servers[0].name]
    rows = []
    for server in servers:
        own = figures[server.name]
        median = {key: statistics.median(run[key] for run in own) for key in own[0] if key != "quantiles"}
        median["quantiles"] = own[-1]["quantiles"]
        ratios = {
            key: statistics.median(run[key] / other[key] for run, other in zip(own, base)) for key in ("rps", "p99_us", "cpu_s_per_1m")
        }
        rows.append((label, server.name, median, ratios))
    return rows


def machine() -> str:
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text()).group(1).strip()
    return f"{os.cpu_count()} CPUs ({model}), shared with the load generator, on {datetime.date.today()}"


def hit_instructions(build: pathlib.Path, *state: str) -> int:
    """Instructions of one hit in the handler: the difference of two runs under callgrind."""
    print("  instructions of a hit", *state, file=sys.stderr)
    counts = []
    for hits in (1000, 11000):
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", build / "tests/bench/hit_path", str(hits), *state],
            check=True, capture_output=True, text=True,
        )
        counts.append(int(re.search(r"refs:\s+([\d,]+)", run.stderr).group(1).replace(",", "")))
    return round((counts[1] - counts[0]) / 10000)
