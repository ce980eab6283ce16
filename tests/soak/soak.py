"""A long run of two daemons that share a Redis, beside a model of what is right. Started by scripts/soak.

Rounds of faults (faults.py), each followed by a calm in which both must come to answer exactly what upstream says. One
daemon is killed and drained among the faults, the other lives from beginning to end: its memory, descriptors and threads
must not grow.
"""

import argparse
import datetime
import os
import pathlib
import random
import re
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

import faults
from harness import push
from harness.daemon import Daemon, Daemons, upstream_environment
from harness.redis_server import RedisServer
from harness.reference_ws import ReferenceWs
from independent_upstream import Upstream
from resources import FLAT, Trend, sample
from traffic import Tally, Target, Traffic
from truth import History, Sight

CUSTOMERS = 300
FAULT_SECONDS = (4.0, 12.0)
SETTLE_SECONDS = 45.0
DELIVERY_SECONDS = 120.0
"""A report that upstream took and said nothing to is given REPORT_TIMEOUT_MS, a minute, before it is sent again."""
CALM_SECONDS = 3.0


class Cloud:
    """Upstream with its feed: changes what is true, and tells whoever listens."""

    def __init__(self, upstream: Upstream, feed: ReferenceWs, history: History, customers: list[str], seed: int) -> None:
        self.paused = threading.Event()
        self._upstream = upstream
        self._feed = feed
        self._history = history
        self._customers = customers
        self._chance = random.Random(seed)
        self._stop = threading.Event()
        self._value = 0
        self._told = 0
        self.changes = 0
        for customer in customers:
            scope = upstream.world.customer(customer).boolean("on").metered("calls", unlimited=True)
            with history.change(customer, 0):
                scope.numeric("level", 0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            self._tell_usage()
            if not self.paused.is_set():
                self._change(self._chance.choice(self._customers[: CUSTOMERS // 3]))

    def _change(self, customer: str) -> None:
        self._value += 1
        with self._history.change(customer, self._value):
            self._upstream.world.customer(customer).numeric("level", self._value)
            self._feed.publish("entitlementsUpdatedV2", push.list_v2(self._upstream, customer))
        self.changes += 1

    def _tell_usage(self) -> None:
        counted = self._upstream.world.measurements
        for customer in {each.report.customer_id for each in counted[self._told :]}:
            usage = self._upstream.world.usage(customer, "calls") or 0
            self._feed.publish("usageUpdatedV2", push.usage_v2(customer, "calls", usage))
        self._told = len(counted)


class Soak:
    def __init__(self, folder: pathlib.Path, upstream: Upstream, feed: ReferenceWs, redis: RedisServer, rate: float,
                 seed: int, always: list[faults.Fault]) -> None:
        self._daemons = Daemons()
        self._folder = folder
        self._environment = upstream_environment(upstream) | redis.environment() | {
            "WS_ENABLED": 1,
            "WS_URL": feed.url,
            "ENTITLEMENTS_TTL_SECS": 10,
            "SNAPSHOT_INTERVAL_SECS": 5,
        }
        self.upstream = upstream
        self.chance = random.Random(seed)
        self.always = always
        self.history = History()
        self.sight = Sight()
        self.tally = Tally()
        self.trend = Trend()
        self.slowest = 0.0
        self._said = 0
        self.injected: dict[str, int] = {}
        self.customers = [f"customer-{i}" for i in range(CUSTOMERS)]
        self.cloud = Cloud(upstream, feed, self.history, self.customers, seed)
        self.steady = Target("steady", self._start("steady"), mortal=False)
        self.mortal = Target("mortal", self._start("mortal"), mortal=True)
        self.targets = [self.steady, self.mortal]
        self.world = faults.Surroundings(upstream, feed, redis, self._restart, self.sight)
        self.traffic = Traffic(self.targets, self.customers, self.history, self.sight, self.tally, rate, seed)
        self.started = time.monotonic()

    def _start(self, name: str, **more: object) -> Daemon:
        paths = {"SPOOL_PATH": self._folder / f"{name}.spool", "SNAPSHOT_PATH": self._folder / f"{name}.snapshot"}
        return self._daemons(**self._environment | paths | more)

    def _restart(self, cleanly: bool) -> None:
        before = self.mortal.daemon
        if cleanly:
            before.process.stop()
        else:
            before.process.kill()
        # The same ports: its clients come back by themselves.
        self.mortal.daemon = self._start("mortal", PORT=before.port, HTTP_PORT=before.http_port)
        before.client.close()
        self._daemons.started.remove(before)
        self.mortal.stub = type(self.mortal.stub)(self.mortal.daemon.client.channel)

    @property
    def minute(self) -> float:
        return (time.monotonic() - self.started) / 60

    def say(self, text: str) -> None:
        print(f"{self.minute:6.2f} min  {text}", flush=True)

    def run(self, minutes: float) -> None:
        threading.Thread(target=self._sample, daemon=True).start()
        while self._differing(self.customers):  # all are known from now on
            time.sleep(0.2)
        self.traffic.start()
        while self.minute < minutes:
            self._break_things()
            self._calm_down()
        self.traffic.stop()
        self._settle_reports()
        self.cloud.stop()

    def stop(self) -> None:
        self._daemons.stop()

    def _sample(self) -> None:
        pid = self.steady.daemon.process.pid
        while self.steady.daemon.process.running:
            self.trend.samples.append(sample(pid, self.minute))
            time.sleep(1)

    def _break_things(self) -> None:
        chosen = self.always or faults.draw(self.chance)
        self.say("faults: " + ", ".join(each.__name__ for each in chosen))
        undo = []
        for fault in chosen:
            self.injected[fault.__name__] = self.injected.get(fault.__name__, 0) + 1
            undo.append(fault(self.world))
            time.sleep(self.chance.uniform(0, 1))
        time.sleep(self.chance.uniform(*FAULT_SECONDS))
        for each in undo:
            each()

    def _calm_down(self) -> None:
        """Until both daemons say of all what upstream says."""
        self.cloud.paused.set()
        self.traffic.quiet.set()
        began = time.monotonic()
        sampled = self.chance.sample(self.customers, 40) + self.customers[:20]
        while differing := self._differing(sampled):
            if time.monotonic() - began > SETTLE_SECONDS:
                self.tally.note(*["wrong"] * len(differing))
                self.tally.wrong += [f"after {SETTLE_SECONDS:g} s of calm, {each}" for each in differing[:5]]
                break
            time.sleep(0.2)
        took = time.monotonic() - began
        self.slowest = max(self.slowest, took)
        self.say(f"right again after {took:.1f} s; {self.tally.counts['check']} checks, {len(self.tally.usages)} reports taken, "
                 f"{len(self.tally.wrong)} wrong")
        for each in self.tally.wrong[self._said :][:5]:
            self.say(f"WRONG {each}")
        self._said = len(self.tally.wrong)
        self.upstream.recorder.clear()
        self.cloud.paused.clear()
        self.traffic.quiet.clear()
        self.traffic.calm.set()
        time.sleep(CALM_SECONDS)
        self.traffic.calm.clear()

    def _differing(self, customers: list[str]) -> list[str]:
        found = []
        for target in self.targets:
            client = target.daemon.client
            for customer in customers:
                level = client.numeric(customer, "level", timeout=10)
                usage = client.metered(customer, "calls", timeout=10)
                wanted = (self.history.now(customer), self.upstream.world.usage(customer, "calls"))
                seen = (level.entitlement.value, usage.entitlement.current_usage)
                if level.is_fallback or usage.is_fallback or seen != wanted:
                    found.append(f"{target.name} says {seen} of {customer}, upstream {wanted}")
        return found

    def _settle_reports(self) -> None:
        deadline = time.monotonic() + DELIVERY_SECONDS
        while any(target.daemon.metrics()["sidecar_spool_records"] > 0 for target in self.targets):
            if time.monotonic() > deadline:
                self.tally.wrong.append("a spool is not emptied")
                break
            time.sleep(0.2)

    def judge(self) -> tuple[list[tuple[str, str]], list[str]]:
        """Figures, and what is wrong."""
        counts, wrong = self.tally.counts, list(self.tally.wrong)
        counted = [each.report.dimensions["name"] for each in self.upstream.world.measurements]
        lost = set(self.tally.usages) - set(counted)
        events = [each.idempotency_key for each in self.upstream.world.events]
        lost_events = set(self.tally.events) - set(events)
        twice = len(counted) - len(set(counted))
        wrong += [f"lost: {name}" for name in sorted(lost | lost_events)[:5]]
        if twice:
            wrong.append(f"{twice} reports were counted twice")
        dead = sum(target.daemon.metrics()["sidecar_spool_dead_total"] for target in self.targets)
        for figure, most in FLAT.items():
            if self.trend.growth(figure) > most:
                wrong.append(f"{figure} grew by {self.trend.growth(figure):.0f}")
        sources = ", ".join(f"{name[5:]} {counts[name]:,}" for name in sorted(counts) if name.startswith("from "))
        refusals = ", ".join(f"{name[8:]} {counts[name]:,}" for name in sorted(counts) if name.startswith("refused "))
        rows = [
            ("minutes", f"{self.minute:.0f}"),
            ("checks", f"{counts['check']:,} (those with a source: {sources})"),
            ("fallbacks, marked, all of a daemon that had just been started in faults", f"{counts['fallback']:,}"),
            ("wrong answers", f"{counts['wrong']:,}"),
            ("changes pushed", f"{self.cloud.changes:,}"),
            ("usage reports and events taken", f"{len(self.tally.usages):,} and {len(self.tally.events):,}"),
            ("of them lost, and counted twice", f"{len(lost) + len(lost_events)}, {twice}"),
            ("dead letters", f"{dead:g}"),
            ("calls refused: reports in faults, anything by a daemon that was down", refusals or "none"),
            ("faults", ", ".join(f"{name} {count}" for name, count in sorted(self.injected.items()))),
            ("all right again after faults, longest", f"{self.slowest:.1f} s"),
            ("memory a minute", f"{self.trend.per_minute('rss_kib'):+.1f} KiB, peak {self.trend.peak('rss_kib') / 1024:.0f} MiB"),
            ("descriptors a minute", f"{self.trend.per_minute('descriptors'):+.3f}, peak {self.trend.peak('descriptors')}"),
            ("threads a minute", f"{self.trend.per_minute('threads'):+.3f}, peak {self.trend.peak('threads')}"),
        ]
        return rows, wrong


def write_page(rows: list[tuple[str, str]], seed: int) -> None:
    page = ROOT / "docs/reliability.md"
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())[1].strip()
    lines = [f"Run on {datetime.date.today()}, {os.cpu_count()} CPUs ({model}), seed {seed}.", "", "| figure | |", "|---|---|"]
    lines += [f"| {name} | {text} |" for name, text in rows]
    text = page.read_text()
    begin, end = "<!-- soak:begin -->\n", "<!-- soak:end -->"
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    page.write_text(head + begin + "\n".join(lines) + "\n" + end + tail)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("minutes", type=float)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--rate", type=float, default=100, help="checks a second and daemon")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/reliability.md")
    parser.add_argument("--faults", default="", help="instead of drawn ones, these in every round: name,name")
    options = parser.parse_args()
    always = [getattr(faults, name) for name in options.faults.split(",") if name]
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, Upstream() as upstream, RedisServer() as redis:
        with ReferenceWs(api_key=upstream.api_key or "") as feed:
            soak = Soak(pathlib.Path(folder), upstream, feed, redis, options.rate, options.seed, always)
            try:
                soak.run(options.minutes)
                rows, wrong = soak.judge()
            finally:
                soak.stop()
    for name, text in rows:
        print(f"{name}: {text}")
    for each in wrong[:20]:
        print(f"WRONG {each}")
    if wrong:
        for target in soak.targets:
            print(f"-- the last that {target.name} said:", *target.daemon.process.stderr.lines[-30:], sep="\n")
    if options.write and not wrong:
        write_page(rows, options.seed)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
