"""Compares the daemon with an empty server of the same contract, alternating in one run.

Every round measures every server once, in turn; figures are medians over the rounds, ratios
are medians of the rounds' own ratios, so that what the machine does meanwhile cancels out.
Standard library only. Started by scripts/bench.
"""

import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile

import page
import plots
from servers import GRPC_FRONT_NAME, compare, hit_instructions, load, machine, start_daemon, start_floor, start_limit, world


def load_tables(build: pathlib.Path, rounds: int, seconds: float, customers: int) -> tuple:
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder, "data.json")
        data.write_text(json.dumps(world(customers)))
        floor = start_floor(build, 1, f"{folder}/floor")
        limit = start_limit(build, f"{folder}/limit")
        daemon = start_daemon(build, str(data), socket=f"{folder}/daemon")
        grpc = start_daemon(build, str(data), GRPC_FRONT_NAME, socket=f"{folder}/grpc", GRPC_FRONT="grpc")
        servers = [floor, daemon, grpc, limit]
        for server in servers:
            stack.callback(server.stop)
        idle = {server.name: server.rss_kib() for server in servers}
        # Every customer once, so that the rounds see hits only.
        for each in (daemon, grpc):
            load(build, each, customers=customers, inflight=16, fill=1)
        common = {"seconds": seconds, "customers": customers, "warmup": 0.3}
        rows = []
        for inflight, connections in ((1, 1), (64, 4), (256, 4)):
            rows += compare(build, servers, rounds, f"{inflight}:{connections}", inflight=inflight, connections=connections, **common)
        for inflight in (64, 256):
            label = f"{inflight}:4, 2 client threads"
            rows += compare(build, servers, rounds, label, inflight=inflight, connections=4, threads=2, **common)
        over_unix = [floor, *(server.over_unix() for server in servers)]
        rows += compare(build, over_unix, rounds, "64:4, unix", inflight=64, connections=4, **common)[1:]
        for rate in (2000, 10000):
            rows += compare(build, servers, rounds, f"{rate}/s", inflight=256, connections=4, rate=rate, **common)
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
    options = page.options(__doc__)
    rows, idle = load_tables(options.build, options.rounds, options.seconds, options.customers)
    text = report(rows, idle, in_process(options.build), hit_instructions(options.build), options.rounds, options.seconds)
    page.keep("latency", [[label, name, median["quantiles"]] for label, name, median, _ in rows])
    page.publish("bench", text, options.write)
    if options.write:
        plots.draw()


if __name__ == "__main__":
    main()
