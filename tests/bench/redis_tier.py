"""What Redis costs a hit, what a miss costs that Redis answers, and how soon changes show elsewhere.

Two replicas and a daemon without Redis follow one upstream. Started by `scripts/bench redis`, in
the environment of the end-to-end tests, whose client and Redis server it uses.
"""

import contextlib
import json
import pathlib
import statistics
import sys
import tempfile
import time

sys.path.insert(0, "tests/e2e")

import page  # noqa: E402
from harness.client import Client  # noqa: E402
from harness.redis_server import RedisServer  # noqa: E402
from harness.waiting import eventually  # noqa: E402
from harness.web import http  # noqa: E402
from servers import compare, load, machine, start_follower, start_upstream, world  # noqa: E402

CHANGES = 300
MISSED_CUSTOMERS = 10_000
CUSTOMER, FEATURE = "customer-0000000", "feature-00"
LOADS = ((64, 4), (256, 4))


def visible(look, wanted) -> float:
    """Seconds until `look` says what is wanted, asked again and again."""
    start = time.perf_counter()
    while look() != wanted:
        if time.perf_counter() - start > 5:
            raise RuntimeError(f"{wanted} does not show")
    return time.perf_counter() - start


def usage_key(redis, value: int) -> None:
    name = f"production:c_{CUSTOMER}:f_{FEATURE}"
    redis.mset({name: json.dumps({"currentUsage": value}), f"{name}#timestamp": str(int(time.time() * 1000) + value)})


def new_layout_list(redis, value: int) -> None:
    feature = {"id": FEATURE, "displayName": FEATURE, "featureType": "NUMBER", "meterType": "INCREMENTAL"}
    grant = {"type": "FEATURE", "feature": feature, "usageLimit": value, "hasUnlimitedUsage": False}
    entry = {"calculatedEntitlement": grant, "usageData": {"currentUsage": 1, "updatedAt": 5}}
    name, date = f"production:c_{CUSTOMER}", str(int(time.time() * 1000) + value)
    redis.mset({name: json.dumps({FEATURE: entry}), f"{name}#timestamp": date})


def delays(upstream, servers: dict, redis) -> list:
    """(what changed, seconds of each change)."""
    rows = []
    with contextlib.ExitStack() as stack:
        clients = {name: stack.enter_context(Client(f"127.0.0.1:{server.port}")) for name, server in servers.items()}

        def usage(name: str) -> float:
            return clients[name].metered(CUSTOMER, FEATURE).entitlement.current_usage

        def limit(name: str) -> float:
            return clients[name].metered(CUSTOMER, FEATURE).entitlement.usage_limit

        now = usage("second")
        for label, reporter in (("report to another replica", "first"), ("push, from the report to upstream on", "alone")):
            seen = []
            for _ in range(CHANGES):
                now += 1
                clients[reporter].report_usage(CUSTOMER, FEATURE, 1)
                seen.append(visible(lambda: usage("second"), now))
            rows.append((label, seen))
        for label, change, look, first in (
            ("SET of a usage key, old layout", usage_key, usage, 100_000),
            ("SET of a list, new layout", new_layout_list, limit, 200_000),
        ):
            seen = []
            for value in range(first, first + CHANGES):
                change(redis, value)
                seen.append(visible(lambda: look("second"), value))
            rows.append((label, seen))
    return rows


def measure(build: pathlib.Path, options) -> tuple:
    with contextlib.ExitStack() as stack, tempfile.NamedTemporaryFile("w", suffix=".json") as data:
        json.dump(world(MISSED_CUSTOMERS), data)
        data.flush()
        server = stack.enter_context(RedisServer())
        upstream = start_upstream(build, data.name)
        stack.callback(upstream.stop)

        def start(name: str, **more: object):
            started = start_follower(build, upstream, name, {key: str(value) for key, value in more.items()})
            stack.callback(started.stop)
            return started

        shared = server.environment()
        alone, first = start("alone"), start("first", **shared)
        second = start("second", WS_ENABLED=0, CACHE_MAX_SIZE_BYTES=1 << 20, **shared)
        print("  changes", file=sys.stderr)
        changes = delays(upstream, {"alone": alone, "first": first, "second": second}, server.client())

        print("  hits", file=sys.stderr)
        for each in (alone, first):
            load(build, each, customers=options.customers, inflight=16, seconds=3)
        rows = []
        for inflight, connections in LOADS:
            rows += compare(
                build, [alone, first], options.rounds, f"{inflight}:{connections}", inflight=inflight,
                connections=connections, seconds=options.seconds, customers=options.customers, warmup=0.3,
            )

        print("  misses", file=sys.stderr)
        client = server.client()
        customers = [f"customer-{n:07d}" for n in range(MISSED_CUSTOMERS)]
        patient = start("filler", WS_ENABLED=0, REDIS_TIMEOUT_MS=5000, **shared)
        with Client(f"127.0.0.1:{patient.port}") as filler:
            for at in range(0, MISSED_CUSTOMERS, 50):
                calls = [filler.background.metered(name, FEATURE) for name in customers[at : at + 50]]
                for call in calls:
                    call.result()
        eventually(lambda: client.exists(*(f"production:sidecar:c_{name}" for name in customers)) == MISSED_CUSTOMERS)
        requests = lambda: json.loads(http(upstream.port, "/_dev/requests").body)["edge"]  # noqa: E731
        before = requests()
        misses = [
            (inflight, load(build, second, customers=MISSED_CUSTOMERS, inflight=inflight, connections=1, seconds=3, warmup=0.5))
            for inflight in (1, 16)
        ]
        return changes, rows, misses, requests() - before


def percentile(values: list, share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def report(changes: list, rows: list, misses: list, asked: int, options) -> str:
    lines = [
        f"Measured on {machine()}; Redis on the same machine.",
        "",
        f"| a change, until a replica in another process answers with it ({CHANGES} of each) | p50 ms | p99 ms |",
        "|---|--:|--:|",
    ]
    for label, seen in changes:
        lines.append(f"| {label} | {statistics.median(seen) * 1000:.1f} | {percentile(seen, 0.99) * 1000:.1f} |")
    lines += [
        "",
        f"Hits, {options.rounds} rounds of {options.seconds} s, medians; ratios to the daemon without Redis of the same round:",
        "",
        "| in flight:connections | daemon | req/s | p99 µs | ratio | CPU s/1M | ratio |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    names = {"alone": "without Redis", "first": "with Redis"}
    for label, name, median, ratios in rows:
        lines.append(
            f"| {label} | {names[name]} | {median['rps']:,.0f} | {median['p99_us']:,.0f} | {ratios['p99_us']:.2f} | "
            f"{median['cpu_s_per_1m']:.2f} | {ratios['cpu_s_per_1m']:.2f} |"
        )
    lines += [
        "",
        f"Misses that Redis answers: {MISSED_CUSTOMERS:,} customers in Redis, 1 MiB of memory, uniform; upstream was asked "
        f"{asked} times meanwhile:",
        "",
        "| in flight | req/s | p50 µs | p99 µs |",
        "|--:|--:|--:|--:|",
    ]
    for inflight, result in misses:
        lines.append(f"| {inflight} | {result['rps']:,.0f} | {result['p50_us']:,.0f} | {result['p99_us']:,.0f} |")
    return "\n".join(lines)


def main() -> None:
    options = page.options(__doc__)
    page.publish("redis", report(*measure(options.build, options), options), options.write)


if __name__ == "__main__":
    main()
