"""Tables and plots of docs/scale.md. Standard library only. Started by scripts/bench scale."""

import argparse
import pathlib
import sys
import typing

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import model  # noqa: E402
import page  # noqa: E402
import plots  # noqa: E402
from model import Fleet, Load  # noqa: E402

# What was measured (docs/performance.md: "Against connections, rates and customers", "Past one machine", "Redis").
CUSTOMER_BYTES = 1_187  # of 20 metered features
CALL_CPU, WAKE_CPU = 14.4e-6, 0.051  # seconds, of a hit, and a second for waking up (a sidecar takes rate × one + the other)
REDIS_COMMAND_CPU = 12e-6  # seconds, of Redis

# What is assumed.
CHECKS_EACH = 1_000.0  # a second and sidecar
CHANGE_SHARE = 0.01  # of the checks is followed by a report of usage, which is pushed
CHANGES_MAX = 1_000.0  # a second: 600 bulks of 100 a minute (docs/protocol.md section 2.5)
MEMORY = 1 << 30  # CACHE_MAX_SIZE_BYTES
DAY = 86_400.0
DEPLOY = 600.0  # seconds, in which every sidecar is restarted once; one a day
READ_LIMIT = 100.0  # requests a second: one of the vendor's pages says 6,000 a minute, another that there is no limit

SIDECARS = (1, 10, 100, 1_000, 10_000)
CUSTOMERS = (1_000_000, 10_000_000, 100_000_000)
MODES = {
    "nothing": {"feed": False, "redis": False},
    "Redis": {"feed": False, "redis": True},
    "feed": {"feed": True, "redis": False},
    "feed, by customer": {"feed": True, "redis": False, "affinity": True},
    "feed and Redis": {"feed": True, "redis": True},
}


def fleet(sidecars: int, customers: int, mode: str) -> Fleet:
    checks = CHECKS_EACH * sidecars
    return Fleet(
        sidecars, customers, checks, min(CHANGES_MAX, checks * CHANGE_SHARE), capacity=MEMORY / CUSTOMER_BYTES, **MODES[mode]
    )


class Outlook(typing.NamedTuple):
    steady: Load  # half a day after the last deploy
    deploy: Load  # at its worst
    unknown: float  # share of checks that nobody could answer if the cloud were gone in a deploy
    unknown_with_snapshot: float


def outlook(one: Fleet) -> Outlook:
    filled = 7 * DAY  # REDIS_KEYS_TTL_IN_SECS
    steady = model.load(one, [(1, DAY / 2)], filled)
    during = [model.load(one, model.rolling(DEPLOY * k / 12, DEPLOY, DAY), filled) for k in range(1, 16)]
    worst = max(during, key=lambda load: load.upstream)
    # With a feed or without, what a sidecar has ever heard of it answers. Redis has what anybody asked for; a
    # snapshot what this one held before.
    known = one._replace(feed=True, redis=False)
    lost = max(model.load(known, model.rolling(DEPLOY * k / 12, DEPLOY, DAY), filled).waiting for k in range(1, 16))
    never = model.load(known, [(1, DAY)], filled).waiting
    first = model.load(one._replace(feed=True, redis=True), [(1, DAY)], filled).upstream / one.checks
    return Outlook(steady, worst, first if one.redis else lost, first if one.redis else never)


def number(value: float) -> str:
    if value < 0.01:
        return "0"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def tables() -> list:
    lines = []
    for customers in CUSTOMERS:
        lines += [
            f"{customers // 1_000_000} M customers:", "",
            "| sidecars | with | requests/s to the cloud | in a deploy | pushes/s from it | Redis commands/s (CPUs) | checks that wait | mean age s |",
            "|--:|---|--:|--:|--:|--:|--:|--:|",
        ]  # fmt: skip
        for sidecars in SIDECARS:
            for mode in MODES:
                one = fleet(sidecars, customers, mode)
                seen = outlook(one)
                redis = f"{number(seen.deploy.redis)} ({seen.deploy.redis * REDIS_COMMAND_CPU:.2f})" if one.redis else "-"
                lines.append(
                    f"| {sidecars:,} | {mode} | {number(seen.steady.upstream)} | {number(seen.deploy.upstream)} | "
                    f"{number(seen.deploy.pushes)} | {redis} | {seen.steady.waiting:.2%} | {number(seen.steady.age)} |"
                )
        lines.append("")
    lines += [
        f"At {CHECKS_EACH:,.0f} checks a second a sidecar uses {CHECKS_EACH * CALL_CPU + WAKE_CPU:.1%} of a CPU for its hits, and "
        f"{CUSTOMER_BYTES:,} bytes a customer.", "",
        "If the cloud is gone in the middle of a deploy, this share of checks has no data (10 M customers):", "",
        "| sidecars | feed alone | with SNAPSHOT_PATH | with Redis |", "|--:|--:|--:|--:|",
    ]  # fmt: skip
    for sidecars in SIDECARS:
        alone, shared = (outlook(fleet(sidecars, 10_000_000, mode)) for mode in ("feed", "feed and Redis"))
        lines.append(f"| {sidecars:,} | {alone.unknown:.2%} | {alone.unknown_with_snapshot:.2%} | {shared.unknown:.3%} |")
    return lines


def chart(file: str, title: str, x_name: str, y_name: str, lines: dict, y_log: bool = True) -> None:
    every_x = [x for points in lines.values() for x, _ in points]
    every_y = [y for points in lines.values() for _, y in points]
    if y_log:
        y = plots.decades(max(min(every_y), 1e-3), max(every_y), plots.HEIGHT - plots.BOTTOM, plots.TOP)
        lines = {name: [(x, max(value, y.low)) for x, value in points] for name, points in lines.items()}
    else:
        y = plots.linear(max(every_y) * 1.05, plots.HEIGHT - plots.BOTTOM, plots.TOP)
    if min(every_x) > 0:
        x = plots.decades(min(every_x), max(every_x), plots.LEFT, plots.WIDTH - plots.RIGHT)
    else:
        x = plots.linear(max(every_x), plots.LEFT, plots.WIDTH - plots.RIGHT)
    plots.write(file, plots.chart(title, x_name, y_name, x, y, lines))


def draw() -> None:
    customers = 10_000_000
    for file, title, which in (
        ("scale-steady.svg", "Requests a second to the cloud, 10 M customers", lambda seen: seen.steady.upstream),
        ("scale-deploy.svg", "The same, at the worst of a deploy", lambda seen: seen.deploy.upstream),
    ):
        lines = {mode: [(n, which(outlook(fleet(n, customers, mode)))) for n in SIDECARS] for mode in MODES}
        lines["100 a second"] = [(n, READ_LIMIT) for n in SIDECARS]
        chart(file, title, "sidecars", "requests/s", lines)
    times = [DEPLOY * k / 20 for k in range(41)]
    chart(
        "scale-rolling.svg", "A deploy of 1,000 sidecars in ten minutes, 1 M customers", "seconds", "requests/s",
        {
            mode: [
                (at, model.load(fleet(1_000, 1_000_000, mode), model.rolling(at, DEPLOY, DAY), 7 * DAY).upstream) for at in times
            ]
            for mode in ("feed", "feed, by customer", "feed and Redis")
        },
        y_log=False,
    )  # fmt: skip
    chart(
        "scale-redis.svg", "Commands a second to Redis, with a feed", "sidecars", "commands/s",
        {
            f"{m // 1_000_000} M customers": [(n, outlook(fleet(n, m, "feed and Redis")).deploy.redis) for n in SIDECARS]
            for m in CUSTOMERS
        },
    )  # fmt: skip
    rates = [10 ** (k / 4 - 3) for k in range(21)]
    chart(
        "scale-age.svg", "Mean age of an answer without a feed", "checks a second of one customer at one sidecar", "seconds",
        {f"TTL {ttl} s": [(rate, rate * ttl * ttl / 2 / (1 + rate * ttl)) for rate in rates] for ttl in (5, 30, 120)},
        y_log=False,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", help="not used: nothing is run")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/scale.md, and draw its plots")
    options = parser.parse_args()
    page.publish("scale", "\n".join(tables()), options.write, pathlib.Path("docs/scale.md"))
    if options.write:
        draw()


if __name__ == "__main__":
    main()
