"""That the soak's judgement can fail: what it must find wrong, and what it must not."""

import time

from resources import FLAT, Sample, Trend
from truth import BLIND, SPREAD, History, Sight


def changed(history: History, *values: float) -> None:
    for value in values:
        with history.change("c", value):
            time.sleep(0.001)


def test_the_present_value_is_right_and_a_former_one_is_not() -> None:
    history = History()
    changed(history, 1, 2)
    now = time.monotonic()
    assert history.fault_of_value("c", 2, now, now) is None
    assert "1, but it was 2" in (history.fault_of_value("c", 1, now, now) or "")
    assert history.fault_of_value("c", 3, now, now) is not None


def test_a_former_value_is_right_as_far_back_as_the_answer_says() -> None:
    history = History()
    changed(history, 1)
    before = time.monotonic()
    changed(history, 2)
    assert history.fault_of_value("c", 1, before, time.monotonic()) is None


def test_while_it_changes_both_are_right() -> None:
    history = History()
    changed(history, 1)
    with history.change("c", 2):
        now = time.monotonic()
        assert history.fault_of_value("c", 1, now, now) is None
        assert history.fault_of_value("c", 2, now, now) is None


def test_usage_is_never_more_than_was_reported() -> None:
    history = History()
    history.reports("c", 2)
    assert history.fault_of_usage("c", 2) is None
    assert history.fault_of_usage("c", 3) is not None
    assert history.fault_of_usage("c", -1) is not None


def test_late_news_is_excused_only_after_a_silent_fault() -> None:
    sight = Sight()
    assert sight.allowance(100) == SPREAD
    sight.blinded(100)
    assert sight.allowance(101) == BLIND
    assert sight.allowance(100 + BLIND + 1) == SPREAD


def test_growth_is_seen_through_noise() -> None:
    def trend(kib_a_minute: float) -> Trend:
        noise = (0, 300, -200)
        return Trend([Sample(i / 60, 30_000 + round(kib_a_minute * i / 60) + noise[i % 3], 30, 20) for i in range(600)])

    assert trend(0).growth("rss_kib") < FLAT["rss_kib"]
    assert trend(1000).growth("rss_kib") > FLAT["rss_kib"]
    assert abs(trend(1000).per_minute("rss_kib") - 1000) < 50
