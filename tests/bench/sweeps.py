"""Throughput against connections, first calls after a silence, CPU against rate, and where the time goes. Standard library only. Started by scripts/bench sweeps."""

import contextlib
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

import page
import plots
from servers import GRPC_FRONT_NAME, compare, load, machine, start_daemon, start_floor, start_limit, world

CONNECTIONS = (1, 2, 4, 8, 16, 64)
RATES = (2_000, 5_000, 10_000, 20_000)


def by_connections(build: pathlib.Path, servers: list, rounds: int, seconds: float, customers: int) -> list:
    lines = ["| connections | server | req/s | ratio | CPU s/1M | ratio |", "|--:|---|--:|--:|--:|--:|"]
    kept = []
    for connections in CONNECTIONS:
        for _, name, median, ratios in compare(
            build, servers, rounds, f"{connections} connections", inflight=64, connections=connections, seconds=seconds,
            customers=customers, warmup=0.3,
        ):
            kept.append([name, connections, median["rps"]])
            lines.append(
                f"| {connections} | {name} | {median['rps']:,.0f} | {ratios['rps']:.2f} | {median['cpu_s_per_1m']:.2f} | "
                f"{ratios['cpu_s_per_1m']:.2f} |"
            )
    page.keep("connections", kept)
    return lines


def silence(build: pathlib.Path, servers: list) -> list:
    lines = ["| first call after 5 s of silence | p50 µs | p90 µs | worst of 60 µs |", "|---|--:|--:|--:|"]
    for server in servers:
        print(f"  silence: {server.name}", file=sys.stderr)
        run = load(build, server, silence=5, connections=20)
        lines.append(f"| {server.name} | {run['p50_us']:,.0f} | {run['p90_us']:,.0f} | {run['max_us']:,.0f} |")
    return lines


def by_rate(build: pathlib.Path, daemon, rounds: int, seconds: float, customers: int) -> list:
    """CPU a request falls with the rate: a wake-up serves more calls. Two rates tell the two costs, the others check them."""
    cost = {}
    for rate in RATES:
        runs = [
            load(build, daemon, inflight=256, connections=4, rate=rate, seconds=seconds * 2, warmup=0.3, customers=customers)
            for _ in range(rounds)
        ]
        print(f"  {rate:,}/s", file=sys.stderr)
        cost[rate] = statistics.median(run["cpu_s_per_1m"] for run in runs)
    low, high = RATES[0], RATES[-1]
    wake = (cost[low] - cost[high]) / (1 / low - 1 / high)  # µs of CPU a second that do not depend on the rate
    call = cost[low] - wake / low
    lines = ["| rate | CPU µs a request | by the model | error | of one CPU |", "|--:|--:|--:|--:|--:|"]
    for rate in RATES:
        model = call + wake / rate
        error = "fitted" if rate in (low, high) else f"{model / cost[rate] - 1:+.0%}"
        lines.append(f"| {rate:,}/s | {cost[rate]:.1f} | {model:.1f} | {error} | {cost[rate] * rate / 1e6:.0%} |")
    lines += ["", f"The model: {call:.1f} µs a call and {wake / 1e6:.3f} CPU seconds a second for waking up."]
    return lines


COMPONENTS = (
    ("kernel: network, scheduling", r"\[kernel|\[unknown\]|^\[k\]|vmlinux"),
    ("grpc-core and grpc++", r"libgrpc|libgpr|libaddress_sorting|libupb"),
    ("libnghttp2", r"libnghttp2"),
    ("abseil", r"libabsl"),
    ("C and C++ library: copying, allocation", r"libc\.so|libstdc\+\+|libpthread|ld-linux"),
    ("stigg-sidecar", r"stigg-sidecar"),
    ("clock", r"vdso"),
)


def profile(build: pathlib.Path, daemon, customers: int) -> list:
    if shutil.which("perf") is None:
        return ["`perf` is not there."]
    with tempfile.TemporaryDirectory() as folder:
        recorder = subprocess.Popen(
            ["perf", "record", "-q", "-F", "1999", "-o", f"{folder}/perf", "-p", str(daemon.pid), "--", "sleep", "5"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        load(build, daemon, inflight=64, connections=4, seconds=5, customers=customers)
        recorder.wait()
        report = subprocess.run(
            ["perf", "report", "-q", "-i", f"{folder}/perf", "--no-children", "--sort", "dso,sym", "--stdio", "-g", "none"],
            capture_output=True, text=True,
        ).stdout
    shares: dict = {}
    tops: dict = {}
    for line in report.splitlines():
        if not (found := re.match(r"\s*([\d.]+)%\s+(\S+)\s+\[(.)\]\s+(.*)", line)):
            continue
        share, dso, _, symbol = float(found[1]), found[2], found[3], found[4].strip()
        name = next((name for name, pattern in COMPONENTS if re.search(pattern, dso)), "other")
        shares[name] = shares.get(name, 0) + share
        tops.setdefault(name, []).append((share, symbol))
    lines = ["| component | share of CPU | the most in |", "|---|--:|---|"]
    for name, share in sorted(shares.items(), key=lambda each: -each[1]):
        most = ", ".join(f"`{re.sub(r'<.*|[(].*', '', symbol)}` {part:.0f} %" for part, symbol in sorted(tops[name], reverse=True)[:3] if part >= 0.5)
        lines.append(f"| {name} | {share:.0f} % | {most} |")
    return lines


def main() -> None:
    options = page.options(__doc__)
    build, rounds, seconds = options.build, options.rounds, options.seconds
    text = [f"Measured on {machine()}; {rounds} rounds of {seconds} s, medians."]
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder, "data.json")
        data.write_text(json.dumps(world(options.customers)))
        grpc = start_daemon(build, str(data), GRPC_FRONT_NAME, GRPC_FRONT="grpc")
        servers = [start_floor(build, 1), start_daemon(build, str(data)), grpc, start_limit(build)]
        for server in servers:
            stack.callback(server.stop)
        daemon = servers[1]
        for each in (daemon, grpc):
            load(build, each, customers=options.customers, inflight=16, fill=1)
        for part in (
            by_connections(build, servers, rounds, seconds, options.customers),
            silence(build, servers[:3]),
            by_rate(build, daemon, rounds, seconds, options.customers),
            profile(build, daemon, options.customers),
        ):
            text += ["", *part]
    page.publish("sweeps", "\n".join(text), options.write)
    if options.write:
        plots.draw()


if __name__ == "__main__":
    main()
