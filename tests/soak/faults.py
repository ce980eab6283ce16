"""What goes wrong, drawn by a seed, and how it is put right again."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from harness.redis_server import RedisServer
from harness.reference_ws import ReferenceWs
from independent_upstream import FOREVER, DropAfterProcessing, DropBeforeReading, Silent, Status, Upstream, any_request
from truth import Sight


@dataclass
class Surroundings:
    upstream: Upstream
    feed: ReferenceWs
    redis: RedisServer
    restart: Callable[[bool], None]
    """Ends the mortal daemon, cleanly or not, and starts it again."""
    sight: Sight


def _nothing() -> None:
    pass


def upstream_away(world: Surroundings) -> Callable[[], None]:
    world.upstream.stop()
    return lambda: world.upstream.start() and None


def upstream_refuses(world: Surroundings) -> Callable[[], None]:
    world.upstream.faults.inject(any_request(), Status(503), times=FOREVER)
    return world.upstream.faults.clear


def upstream_hangs_up(world: Surroundings) -> Callable[[], None]:
    world.upstream.faults.inject(any_request(), DropBeforeReading(), times=FOREVER)
    return world.upstream.faults.clear


def upstream_forgets_to_answer(world: Surroundings) -> Callable[[], None]:
    world.upstream.faults.inject(any_request(), DropAfterProcessing(), times=FOREVER)
    return world.upstream.faults.clear


def upstream_says_nothing(world: Surroundings) -> Callable[[], None]:
    world.upstream.faults.inject(any_request(), Silent(), times=FOREVER)
    return world.upstream.faults.clear


def feed_cut(world: Surroundings) -> Callable[[], None]:
    world.feed.drop()
    return _nothing


def feed_away(world: Surroundings) -> Callable[[], None]:
    world.feed.refuse(503)
    world.feed.drop()
    return lambda: world.feed.refuse(0)


def feed_half_open(world: Surroundings) -> Callable[[], None]:
    world.sight.blinded(time.monotonic())
    world.feed.mute()
    return _nothing


def redis_killed(world: Surroundings) -> Callable[[], None]:
    world.redis.kill()
    return world.redis.start


def redis_stopped(world: Surroundings) -> Callable[[], None]:
    world.sight.blinded(time.monotonic())

    def resume() -> None:
        world.redis.resume()
        world.sight.blinded(time.monotonic())

    world.redis.pause()
    return resume


def daemon_killed(world: Surroundings) -> Callable[[], None]:
    world.sight.blinded(time.monotonic())  # it may have been the one that listens for all
    world.restart(False)
    return _nothing


def daemon_drained(world: Surroundings) -> Callable[[], None]:
    world.sight.blinded(time.monotonic())
    world.restart(True)
    return _nothing


UPSTREAM = (upstream_away, upstream_refuses, upstream_hangs_up, upstream_forgets_to_answer, upstream_says_nothing)
FEED = (feed_cut, feed_away, feed_half_open)
REDIS = (redis_killed, redis_stopped)
DAEMON = (daemon_killed, daemon_drained)
KINDS = (UPSTREAM, FEED, REDIS, DAEMON)


Fault = Callable[[Surroundings], Callable[[], None]]
"""Does it, and returns what puts it right."""


def draw(chance: Random) -> list[Fault]:
    """One to three faults, of one kind each."""
    return [chance.choice(kind) for kind in chance.sample(KINDS, chance.randint(1, 3))]
