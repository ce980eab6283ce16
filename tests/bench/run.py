"""Compares the daemon with an empty server of the same contract, alternating in one run.

Every round measures every server once, in turn; figures are medians over the rounds, ratios
are medians of the rounds' own ratios, so that what the machine does meanwhile cancels out.
Standard library only. Started by scripts/bench.
"""

import argparse
import contextlib
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
import tempfile

FEATURES = 20
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def world(customers: int) -> dict:
    """A data file (docs/dev.md) of customers with twenty metered features each."""
    features = {
        f"feature-{i:02d}": {"type": "metered", "units": "call", "unitsPlural": "calls"} for i in range(FEATURES)
    }
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


class Server:
    """A process that serves the contract on a port, until it is stopped."""

    def __init__(self, name: str, command: list, environment: dict, ready: str, port: int = 0):
        self.name = name
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

    def rss_kib(self) -> int:
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def stop(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def start_floor(build: pathlib.Path, queues: int) -> Server:
    return Server(f"floor-{queues}", [build / "tests/bench/floor_server", str(queues)], {}, r"port (\d+)")


def start_daemon(build: pathlib.Path, data_file: str, name: str = "stigg-sidecar") -> Server:
    port = free_port()
    environment = {
        "OFFLINE": "1",
        "OFFLINE_DATA_FILE": data_file,
        "ENTITLEMENTS_TTL_SECS": "86400",
        "PORT": str(port),
        "HTTP_PORT": "0",
        "LISTEN_ADDRESS": "127.0.0.1",
    }
    return Server(name, [build / "stigg-sidecar"], environment, "Sidecar is ready", port)


def load(build: pathlib.Path, server: Server, **options) -> dict:
    command = [build / "tests/bench/load_generator", "--target", f"127.0.0.1:{server.port}", "--pid", str(server.pid)]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if result["failures"]:
        raise RuntimeError(f"{server.name}: {result['failures']} calls failed")
    return result


def compare(build: pathlib.Path, servers: list, rounds: int, label: str, **options) -> list:
    """Rows of (label, server, medians of its figures, median ratios to the first server)."""
    figures = {server.name: [] for server in servers}
    for round_number in range(rounds):
        for server in servers:
            figures[server.name].append(load(build, server, **options))
        print(f"  {label}: round {round_number + 1} of {rounds}", file=sys.stderr)
    base = figures[servers[0].name]
    rows = []
    for server in servers:
        own = figures[server.name]
        median = {key: statistics.median(run[key] for run in own) for key in own[0]}
        ratios = {
            key: statistics.median(run[key] / other[key] for run, other in zip(own, base)) for key in ("rps", "cpu_s_per_1m")
        }
        rows.append((label, server.name, median, ratios))
    return rows


def load_tables(build: pathlib.Path, rounds: int, seconds: float, customers: int) -> tuple:
    with contextlib.ExitStack() as stack, tempfile.NamedTemporaryFile("w", suffix=".json") as data:
        json.dump(world(customers), data)
        data.flush()
        servers = [start_floor(build, 1), start_daemon(build, data.name)]
        for server in servers:
            stack.callback(server.stop)
        idle = {server.name: server.rss_kib() for server in servers}
        # Every customer once, so that the rounds see hits only.
        load(build, servers[1], customers=customers, inflight=16, seconds=2)
        rows = []
        for inflight, connections in ((1, 1), (64, 4), (256, 4)):
            rows += compare(
                build, servers, rounds, f"{inflight}:{connections}", inflight=inflight, connections=connections,
                seconds=seconds, customers=customers, warmup=0.3,
            )
        for rate in (2000, 10000):
            rows += compare(
                build, servers, rounds, f"{rate}/s", inflight=256, connections=4, rate=rate, seconds=seconds,
                customers=customers, warmup=0.3,
            )
        return rows, idle


def in_process(build: pathlib.Path) -> list:
    print("  in process", file=sys.stderr)
    output = subprocess.run(
        [build / "tests/bench/check_benchmark", "--benchmark_format=json", "--benchmark_repetitions=5",
         "--benchmark_report_aggregates_only=true", "--benchmark_min_time=0.3"],
        check=True, capture_output=True, text=True,
    ).stdout
    return [
        (run["run_name"], run["cpu_time"]) for run in json.loads(output)["benchmarks"] if run["aggregate_name"] == "median"
    ]


def hit_instructions(build: pathlib.Path) -> int:
    """Instructions of one hit in the handler: the difference of two runs under callgrind."""
    print("  instructions of a hit", file=sys.stderr)
    counts = []
    for hits in (1000, 11000):
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", build / "tests/bench/hit_path", str(hits)],
            check=True, capture_output=True, text=True,
        )
        counts.append(int(re.search(r"refs:\s+([\d,]+)", run.stderr).group(1).replace(",", "")))
    return round((counts[1] - counts[0]) / 10000)


def machine() -> str:
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text()).group(1).strip()
    return f"{os.cpu_count()} CPUs ({model}), shared with the load generator, on {datetime.date.today()}"


def report(rows: list, idle: dict, checks: list, instructions: int, rounds: int, seconds: float) -> str:
    lines = [
        f"Measured on {machine()}; {rounds} rounds of {seconds} s, medians; ratios to `{rows[0][1]}` of the same round.",
        "",
        "| in flight:connections, or rate | server | req/s | ratio | p50 µs | p99 µs | p99.9 µs | CPU s/1M | ratio | RSS MiB |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for label, name, median, ratios in rows:
        lines.append(
            f"| {label} | {name} | {median['rps']:,.0f} | {ratios['rps']:.2f} | {median['p50_us']:,.0f} | "
            f"{median['p99_us']:,.0f} | {median['p999_us']:,.0f} | {median['cpu_s_per_1m']:.2f} | "
            f"{ratios['cpu_s_per_1m']:.2f} | {median['rss_kib'] / 1024:.0f} |"
        )
    lines += ["", "Resident memory at rest, nothing cached: " + ", ".join(f"{n} {k / 1024:.1f} MiB" for n, k in idle.items()) + "."]
    lines += ["", "| in process | CPU ns |", "|---|--:|"]
    lines += [f"| `{name}` | {ns:.0f} |" for name, ns in checks]
    lines += ["", f"Instructions of one hit, from request bytes to response bytes: {instructions:,}."]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--customers", type=int, default=1000)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    options = parser.parse_args()
    rows, idle = load_tables(options.build, options.rounds, options.seconds, options.customers)
    text = report(rows, idle, in_process(options.build), hit_instructions(options.build), options.rounds, options.seconds)
    print(text)
    if options.write:
        page = pathlib.Path("docs/performance.md")
        before, rest = page.read_text().split(BEGIN)
        page.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
