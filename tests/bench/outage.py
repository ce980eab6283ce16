"""What a hit costs while upstream and its feed are gone, beside a daemon that has both.

Two daemons with the same customers in memory; the upstream of one is killed, and its records
are past their time to live. Rounds alternate between the two; ratios are medians of the
rounds' own. Started by `scripts/bench outage`.
"""

import contextlib
import json
import pathlib
import tempfile
import time

import page
from servers import compare, hit_instructions, load, machine, start_follower, start_upstream, world

LOADS = ({"inflight": 64, "connections": 4}, {"inflight": 64, "connections": 4, "rate": 5000})


def label(options: dict) -> str:
    return f"{options['rate']}/s" if "rate" in options else f"{options['inflight']}:{options['connections']}"


def rows_of(build: pathlib.Path, rounds: int, seconds: float, customers: int) -> list:
    with contextlib.ExitStack() as stack, tempfile.NamedTemporaryFile("w", suffix=".json") as data:
        json.dump(world(customers), data)
        data.flush()
        upstreams, servers = [], []
        for name in ("healthy", "outage"):
            upstreams.append(start_upstream(build, data.name))
            stack.callback(upstreams[-1].stop)
            servers.append(start_follower(build, upstreams[-1], name))
            stack.callback(servers[-1].stop)
            load(build, servers[-1], customers=customers, inflight=16, seconds=3)
        upstreams[1].stop()
        time.sleep(3)  # its records are past their second, and its breaker is open
        rows = []
        for options in LOADS:
            rows += compare(
                build, servers, rounds, label(options), seconds=seconds, customers=customers, warmup=0.5, **options
            )
        return rows


def report(rows: list, instructions: dict, rounds: int, seconds: float) -> str:
    ratio = instructions["outage"] / instructions["healthy"]
    lines = [
        f"Measured on {machine()}; {rounds} rounds of {seconds} s, medians; ratios to `healthy` of the same round.",
        "",
        "| in flight:connections, or rate | daemon | req/s | p99 µs | ratio | CPU s/1M | ratio |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for name, server, median, ratios in rows:
        lines.append(
            f"| {name} | {server} | {median['rps']:,.0f} | {median['p99_us']:,.0f} | {ratios['p99_us']:.2f} | "
            f"{median['cpu_s_per_1m']:.2f} | {ratios['cpu_s_per_1m']:.2f} |"
        )
    lines += [
        "",
        f"Instructions of one hit in the handler: {instructions['healthy']:,} healthy, {instructions['outage']:,} after an "
        f"hour of simulated outage: {(ratio - 1) * 100:+.1f} %.",
    ]
    return "\n".join(lines)


def main() -> None:
    options = page.options(__doc__)
    instructions = {state: hit_instructions(options.build, state) for state in ("healthy", "outage")}
    rows = rows_of(options.build, options.rounds, options.seconds, options.customers)
    text = report(rows, instructions, options.rounds, options.seconds)
    page.publish("outage", text, options.write)


if __name__ == "__main__":
    main()
