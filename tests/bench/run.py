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
from servers import compare, hit_instructions, load, machine, start_daemon, start_floor, world


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
    page.publish("bench", text, options.write)


if __name__ == "__main__":
    main()
