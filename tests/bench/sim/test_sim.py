"""The model of model.py against the same rules played check by check."""

import math
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent)]

import model  # noqa: E402
from events import play  # noqa: E402
from model import Fleet  # noqa: E402

SECONDS, COUNTED = 60.0, 20.0
"""The last seconds are counted."""


def expected(fleet: Fleet, ages_at: object) -> tuple[float, float, float]:
    """Upstream requests, Redis commands and waiting checks of the counted seconds."""
    upstream = redis = waiting = 0.0
    steps = 20
    for step in range(steps):
        now = SECONDS - COUNTED + COUNTED * (step + 0.5) / steps
        load = model.load(fleet, ages_at(now), since_filled=now)  # type: ignore[operator]
        upstream += load.upstream * COUNTED / steps
        redis += load.redis * COUNTED / steps
        waiting += load.waiting * fleet.checks * COUNTED / steps
    return upstream, redis, waiting


@pytest.mark.parametrize("sidecars", [1, 4])
@pytest.mark.parametrize("feed", [True, False])
@pytest.mark.parametrize("redis", [True, False])
def test_steady(sidecars: int, feed: bool, redis: bool) -> None:
    fleet = Fleet(sidecars, 20_000, checks=3_000, changes=0, feed=feed, redis=redis, ttl=5)
    seen = play(fleet, SECONDS, SECONDS - COUNTED)
    upstream, commands, waiting = expected(fleet, lambda now: [(1, now)])
    assert seen.upstream == pytest.approx(upstream, rel=0.06)
    assert seen.redis == pytest.approx(commands, rel=0.06)
    assert seen.waiting == pytest.approx(waiting, rel=0.06)


def test_a_memory_that_holds_a_tenth() -> None:
    fleet = Fleet(2, 20_000, checks=3_000, changes=0, capacity=2_000)
    seen = play(fleet, SECONDS, SECONDS - COUNTED)
    assert seen.upstream == pytest.approx(expected(fleet, lambda now: [(1, now)])[0], rel=0.06)


@pytest.mark.parametrize("redis", [True, False])
def test_customers_that_stay_with_one_sidecar(redis: bool) -> None:
    fleet = Fleet(4, 20_000, checks=3_000, changes=0, redis=redis, capacity=2_000, affinity=True)
    seen = play(fleet, SECONDS, SECONDS - COUNTED)
    assert seen.upstream == pytest.approx(expected(fleet, lambda now: [(1, now)])[0], rel=0.06)


def test_a_rolling_deploy() -> None:
    fleet = Fleet(10, 5_000, checks=3_000, changes=0)
    begin, duration = SECONDS - COUNTED, COUNTED
    restarts = {which: begin + duration * (which + 0.5) / fleet.sidecars for which in range(fleet.sidecars)}
    seen = play(fleet, SECONDS, begin, restarts)
    upstream, _, _ = expected(fleet, lambda now: model.rolling(now - begin, duration, begin))
    assert seen.upstream == pytest.approx(upstream, rel=0.1)


def test_shares_add_up() -> None:
    for customers in (1, 10, 1_000, 1_000_000, 100_000_000):
        buckets = model.zipf(customers)
        assert sum(bucket.customers for bucket in buckets) == customers
        assert sum(bucket.customers * bucket.share for bucket in buckets) == pytest.approx(1)


def test_every_sidecar_has_an_age_throughout_a_deploy() -> None:
    for elapsed in (0, 1, 300, 600, 900):
        assert sum(share for share, _ in model.rolling(elapsed, 600, 86_400)) == pytest.approx(1)


def test_the_window_is_what_fits() -> None:
    buckets = model.zipf(100_000)
    assert model.window(100_000, model.ZIPF, 1_000, 100_000) == math.inf
    stays = model.window(100_000, model.ZIPF, 1_000, 10_000)
    held = sum(b.customers * -math.expm1(-1_000 * b.share * stays) for b in buckets)
    assert held == pytest.approx(10_000, rel=1e-3)
