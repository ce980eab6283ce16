"""What several replicas ask of upstream, and what customers cost in memory, beside the models of docs/performance.md.

Standard library only. Started by scripts/bench fleet.
"""

import contextlib
import json
import pathlib
import re
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.append(str(pathlib.Path(__file__).parent / "sim"))

import model  # noqa: E402
import page  # noqa: E402
from model import Fleet  # noqa: E402
from servers import (  # noqa: E402
    Server, end_load, free_port, load, machine, start_daemon, start_follower, start_load, start_upstream, world,
)  # fmt: skip

CUSTOMERS = 10_000  # an object of JSON may have so many members
RATE = 400  # checks a second of all replicas together: what this machine serves beside upstream, Redis and load
ZIPF = 0.99
SECONDS = 15
TTL = 2  # seconds
CASES = (
    # replicas, live feed, Redis
    (1, False, False),
    (3, False, False),
    (3, False, True),
    (1, True, False),
    (3, True, False),
    (3, True, True),
)
FEATURES = (1, 5, 20, 60)


def expected(replicas: int, feed: bool, redis: bool) -> float:
    """Upstream requests by the model of docs/scale.md, from empty on."""
    fleet = Fleet(replicas, CUSTOMERS, RATE, changes=0, feed=feed, redis=redis, ttl=TTL, exponent=ZIPF)
    steps = SECONDS * 20
    moments = [SECONDS * (step + 0.5) / steps for step in range(steps)]
    return sum(model.load(fleet, [(1, at)], since_filled=at).upstream for at in moments) * SECONDS / steps


def edge_requests(daemon: Server) -> int:
    series = r'^sidecar_upstream_requests_total\{.*target="edge".*\} (\d+)$'
    return sum(int(n) for n in re.findall(series, page.metrics_text(daemon), re.MULTILINE))


def wait_until_ready(daemon: Server) -> None:
    """Until its start-up check of upstream has ended."""
    for _ in range(200):
        with contextlib.suppress(urllib.error.URLError):
            urllib.request.urlopen(f"http://127.0.0.1:{daemon.http_port}/readyz", timeout=10).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"{daemon.name} does not get ready")


def redis_cost(port: str) -> tuple:
    """Commands that Redis has run, and CPU seconds that it has used."""
    with socket.create_connection(("127.0.0.1", int(port))) as connection, connection.makefile("rb") as answer:
        connection.sendall(b"INFO\r\n")
        text = answer.read(int(answer.readline()[1:])).decode()
    figures = dict(re.findall(r"^(\w+):([\d.]+)", text, re.MULTILINE))
    return int(figures["total_commands_processed"]), float(figures["used_cpu_user"]) + float(figures["used_cpu_sys"])


def start_redis(stack: contextlib.ExitStack) -> dict:
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    redis = Server("redis", command, {}, "Ready to accept", port)
    stack.callback(redis.stop)
    return {"REDIS_ENVIRONMENT_PREFIX": "bench", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(port)}


def measure(build: pathlib.Path, data: str, replicas: int, feed: bool, redis: bool) -> tuple:
    """Requests to the Edge; Redis commands and their CPU seconds."""
    with contextlib.ExitStack() as stack:
        upstream = start_upstream(build, data)
        stack.callback(upstream.stop)
        more = {"ENTITLEMENTS_TTL_SECS": str(TTL), "WS_ENABLED": str(int(feed))}
        if redis:
            more |= start_redis(stack)
        daemons = []
        for number in range(replicas):
            http_port = free_port()
            daemon = start_follower(build, upstream, f"replica {number}", more | {"HTTP_PORT": str(http_port)})
            stack.callback(daemon.stop)
            daemon.http_port = http_port
            daemons.append(daemon)
        for daemon in daemons:
            wait_until_ready(daemon)
        before = sum(edge_requests(daemon) for daemon in daemons)
        redis_before = redis_cost(more["REDIS_PORT"]) if redis else (0, 0.0)
        options = {
            "inflight": 64, "connections": 2, "customers": CUSTOMERS, "zipf": ZIPF, "warmup": 0,
            "seconds": SECONDS, "rate": RATE / replicas,
        }  # fmt: skip
        loads = [start_load(build, daemon, seed=seed, **options) for seed, daemon in enumerate(daemons)]
        for daemon, generator in zip(daemons, loads):
            if (rps := end_load(daemon, generator)["rps"]) < 0.98 * RATE / replicas:
                raise RuntimeError(f"{rps:.0f} checks a second at {daemon.name}: the machine cannot keep up")
        redis_after = redis_cost(more["REDIS_PORT"]) if redis else (0, 0.0)
        cost = (redis_after[0] - redis_before[0], redis_after[1] - redis_before[1])
        return sum(edge_requests(daemon) for daemon in daemons) - before, cost


def of_upstream(build: pathlib.Path) -> list:
    lines = ["| replicas | live feed | Redis | requests a second | by the model | error | CPU µs of a Redis command |", "|--:|---|---|--:|--:|--:|--:|"]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as data:
        json.dump(world(CUSTOMERS), data)
        data.flush()
        for replicas, feed, redis in CASES:
            (seen, (commands, seconds)), said = measure(build, data.name, replicas, feed, redis), expected(replicas, feed, redis)
            each = f"{seconds / commands * 1e6:.0f}" if redis else "-"
            print(f"  {replicas} replicas, feed {feed}, Redis {redis}: {seen} of {said:.0f}", file=sys.stderr)
            lines.append(
                f"| {replicas} | {'yes' if feed else 'no'} | {'yes' if redis else 'no'} | {seen / SECONDS:,.0f} | "
                f"{said / SECONDS:,.0f} | {seen / said - 1:+.1%} | {each} |"
            )
    return lines


def of_memory(build: pathlib.Path) -> list:
    sizes = {}
    for features in FEATURES:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as data:
            json.dump(world(5_000, features), data)
            data.flush()
            daemon = start_daemon(build, data.name)
            try:
                load(build, daemon, customers=5_000, inflight=32, fill=1)
                metrics = page.fetch_metrics(daemon)
                sizes[features] = metrics["sidecar_cache_bytes"] / metrics["sidecar_cache_entries"]
            finally:
                daemon.stop()
    each = (sizes[FEATURES[-1]] - sizes[FEATURES[0]]) / (FEATURES[-1] - FEATURES[0])
    base = sizes[FEATURES[0]] - each * FEATURES[0]
    lines = ["| metered features a customer | bytes a customer | by the model | error |", "|--:|--:|--:|--:|"]
    for features, size in sizes.items():
        error = "fitted" if features in (FEATURES[0], FEATURES[-1]) else f"{(base + each * features) / size - 1:+.1%}"
        lines.append(f"| {features} | {size:,.0f} | {base + each * features:,.0f} | {error} |")
    return [*lines, "", f"The model: {base:.0f} bytes a customer and {each:.0f} a feature."]


def main() -> None:
    options = page.options(__doc__)
    text = [
        f"Measured on {machine()}; {RATE:,} checks a second of {CUSTOMERS:,} customers, zipf {ZIPF}, for {SECONDS} s from empty, "
        f"`ENTITLEMENTS_TTL_SECS={TTL}`.", "",
        *of_upstream(options.build), "",
        *of_memory(options.build),
    ]  # fmt: skip
    page.publish("fleet", "\n".join(text), options.write)


if __name__ == "__main__":
    main()
