"""The shared tier: what one replica learns, the others read; memory follows Redis (docs/redis.md)."""

import json
import signal
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from harness import push
from harness.certificates import CertificateAuthority
from harness.client import Client
from harness.daemon import Daemon, Daemons
from harness.ports import free_ports
from harness.process import is_sanitized, run
from harness.redis_sentinels import SentinelGroup
from harness.redis_server import RedisServer
from harness.relay import SlowRelay
from harness.reference_ws import V2_FIELDS, ReferenceWs
from harness.waiting import PATIENCE_SECONDS, SLACK_SECONDS, eventually, timed
from independent_upstream import FOREVER, Gate, Hold, Silent, Upstream, any_request, customer, edge

FAILOVER_SECONDS = 30.0
"""Until Sentinels have agreed, and a replica is the master; not ours to shorten."""

LEASE_SECONDS = 10.0
"""Of the leader (docs/redis.md)."""


def fetches(upstream: Upstream, customer_id: str = "c") -> int:
    return upstream.recorder.count(edge() & customer(customer_id))


def usage(daemon: Daemon, customer_id: str = "c", **call: Any) -> float:
    return daemon.client.metered(customer_id, "seats", **call).entitlement.current_usage


def seconds_until(look: Callable[[], float], wanted: float) -> float:
    """Asked without a pause, so that what is measured is not the time between two looks."""

    def ask_again() -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (seen := look()) != wanted:
            assert time.monotonic() < deadline, f"{wanted} does not show; last seen: {seen}"

    return timed(ask_again)[1]


def source(daemon: Daemon, customer_id: str = "c") -> str:
    return daemon.client.traced.metered(customer_id, "seats").source


@pytest.fixture
def world(upstream: Upstream) -> Upstream:
    scope = upstream.world.customer("c")
    scope.boolean("flag").numeric("size", 7).metered("seats", limit=5, usage=3)
    scope.credit("coins", limit=10, usage=4).metered("drafts", unlimited=True, credit_rate=(1, "coins"))
    return upstream


@pytest.fixture
def replica(world: Upstream, redis_server: RedisServer, daemon: Daemons) -> Any:
    """Starts a replica; each reads by hand what it is asked for."""

    def start(**environment: object) -> Daemon:
        started = daemon(world, **(redis_server.environment() | environment))
        eventually(lambda: started.metrics()["sidecar_redis_up"] == 1)
        return started

    return start


def stored(server: RedisServer, customer_id: str = "c") -> None:
    """Returns once the record is in Redis: nobody who is answered waits for that."""
    client = server.client()
    eventually(lambda: client.exists(f"production:sidecar:c_{customer_id}"))


def misses_are_quick_and_hits_stay(served: Daemon) -> None:
    """Twelve misses beside a hit."""
    worst = 0.0
    for n in range(12):
        _, seconds = timed(lambda n=n: served.client.metered(f"other-{n}", "seats"))
        worst = max(worst, seconds)
        assert usage(served) == 3
    assert worst < 0.3 + SLACK_SECONDS


class Hits:
    """A caller that asks for one customer in memory again and again."""

    def __init__(self, served: Daemon) -> None:
        self._client = Client(served.target)
        self._stop = Event()
        self._thread = Thread(target=self._run)
        self.count = self.fallbacks = 0
        self.worst = 0.0

    def _run(self) -> None:
        while not self._stop.is_set():
            answer, seconds = timed(lambda: self._client.metered("c", "seats"))
            self.count += 1
            self.fallbacks += answer.is_fallback
            self.worst = max(self.worst, seconds)

    def __enter__(self) -> "Hits":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._client.close()


class TestSharing:
    def test_what_one_has_fetched_the_other_reads_from_redis(
        self, replica: Any, world: Upstream, redis_server: RedisServer
    ) -> None:
        first, second = replica(), replica()
        assert source(first) == "upstream"
        stored(redis_server)
        assert source(second) == "redis"
        assert source(second) == "memory"
        assert fetches(world) == 1
        assert usage(second) == 3
        assert second.client.boolean("c", "flag").has_access
        assert second.client.numeric("c", "size").entitlement.value == 7
        assert second.client.v2("c", currency="coins") == first.client.v2("c", currency="coins")

    def test_an_unknown_customer_is_shared_too(
        self, replica: Any, world: Upstream, redis_server: RedisServer
    ) -> None:
        first, second = replica(), replica()
        reasons = {first.client.boolean("nobody", "flag").access_denied_reason}
        stored(redis_server, "nobody")
        reasons.add(second.client.boolean("nobody", "flag").access_denied_reason)
        assert len(reasons) == 1
        assert fetches(world, "nobody") == 1

    def test_data_that_nobody_kept_current_says_its_age(
        self, replica: Any, world: Upstream, redis_server: RedisServer
    ) -> None:
        """Without a WebSocket; and a caller who wants younger data gets it from upstream."""
        usage(replica())
        stored(redis_server)
        others = [replica(REDIS_TIMEOUT_MS=5000) for _ in range(2)]
        aged = others[0].client.traced.metered("c", "seats")
        assert aged.source == "redis"
        assert 0 < aged.age_ms < PATIENCE_SECONDS * 1000
        fresh = others[1].client.traced.metered("c", "seats", max_staleness_ms=0)
        assert (fresh.source, fresh.age_ms) == ("upstream", 0)
        assert fetches(world) == 2

    def test_500_misses_of_two_replicas_make_one_request_each_at_most(self, replica: Any, world: Upstream) -> None:
        """Upstream holds its answer until all of them wait, for longer than one replica waits for the other."""
        replicas = [replica(), replica()]
        gate = Gate()
        world.faults.inject(edge(), Hold(gate), times=FOREVER)
        calls = [each.client.background.metered("c", "seats") for _ in range(250) for each in replicas]
        for each in replicas:
            eventually(lambda each=each: each.metrics()["sidecar_upstream_coalesced_total"], lambda seen: seen == 249)
        gate.wait_until_held(len(replicas))
        assert fetches(world) == len(replicas)
        gate.release()
        assert {call.result().entitlement.current_usage for call in calls} == {3}

    def test_a_fetch_that_somebody_else_has_begun_is_waited_for(
        self, replica: Any, world: Upstream, redis_server: RedisServer
    ) -> None:
        """The vendor's lock and channel (docs/protocol.md section 7.7)."""
        first = replica()
        usage(first)
        stored(redis_server)
        client = redis_server.client()
        names = client.keys("production:*c_c*")
        values = client.mget(names)
        client.delete(*names)
        second = replica()
        client.set("production:refetchEntityEntitlementsAfterCacheMiss-c", "somebody", px=5000)
        call = second.client.background.metered("c", "seats")
        channel = "production:refetchEntityEntitlementsAfterCacheMiss:c"
        eventually(lambda: client.pubsub_numsub(channel)[0][1] == 1)
        client.mset(dict(zip(names, values, strict=True)))
        client.delete("production:refetchEntityEntitlementsAfterCacheMiss-c")
        client.publish(channel, "{}")
        assert call.result().entitlement.current_usage == 3
        assert fetches(world) == 1

    def test_a_restart_without_upstream_answers_from_redis(
        self, replica: Any, world: Upstream, redis_server: RedisServer
    ) -> None:
        first = replica()
        usage(first)
        stored(redis_server)
        world.stop()
        answer = replica(ENTITLEMENTS_TIMEOUT_MS=1000).client.metered("c", "seats")
        assert (answer.is_fallback, answer.entitlement.current_usage) == (False, 3)


class TestCoherence:
    def test_an_external_set_of_the_old_layout_reaches_a_running_daemon(
        self, replica: Any, redis_server: RedisServer
    ) -> None:
        reader = replica(REDIS_EXTERNAL_WRITER=1)
        usage(reader)
        client = redis_server.client()
        name = "production:c_c:f_seats"
        eventually(lambda: client.exists(name))
        delays = []
        for n in range(4, 24):
            date = str(int(time.time() * 1000) + 1000 + n)
            client.mset({name: f'{{"currentUsage":{n}}}', name + "#timestamp": date})
            delays.append(seconds_until(lambda: usage(reader), n))
        assert statistics.median(delays) < 0.05

    def test_an_external_set_of_the_new_layout_does_too(self, replica: Any, redis_server: RedisServer) -> None:
        reader = replica(REDIS_EXTERNAL_WRITER=1)
        usage(reader)
        client = redis_server.client()
        eventually(lambda: client.exists("production:c_c"))
        feature = {"id": "seats", "displayName": "Seats", "featureType": "NUMBER", "meterType": "Fluctuating"}
        entry = {
            "calculatedEntitlement": {
                "type": "FEATURE",
                "feature": feature | {"units": "seat", "unitsPlural": "seats"},
                "usageLimit": 50,
                "hasUnlimitedUsage": False,
                "hasSoftLimit": False,
                "enumValues": [],
                "resetPeriod": None,
            },
            "usageData": {"currentUsage": 9, "usagePeriodStart": None, "usagePeriodEnd": None, "updatedAt": 5},
        }
        now = str(int(time.time() * 1000) + 1000)
        client.mset(
            {
                "production:c_c": json.dumps({"seats": entry}),
                "production:c_c#timestamp": now,
                "production:c_c:metadata": '{"accessDeniedReason":null}',
                "production:c_c:metadata#timestamp": now,
            }
        )
        eventually(lambda: reader.client.metered("c", "seats").entitlement.usage_limit, lambda seen: seen == 50)

    def test_a_report_to_one_shows_in_the_other(self, replica: Any, world: Upstream) -> None:
        first, second = replica(), replica()
        usage(first)
        eventually(lambda: usage(second) == 3)
        delays = []
        for n in range(4, 24):
            first.client.report_usage("c", "seats", 1)
            delays.append(seconds_until(lambda: usage(second), n))
        assert statistics.median(delays) < 0.05  # of all: scripts/bench redis

    def test_flushall_doubts_everything_and_it_is_filled_again(
        self, replica: Any, redis_server: RedisServer, world: Upstream
    ) -> None:
        """Scenarios 24 and 29."""
        reader = replica()
        usage(reader)
        client = redis_server.client()
        eventually(lambda: client.exists("production:c_c"))
        client.flushall()
        eventually(lambda: usage(reader) == 3 and client.exists("production:c_c"))


class TestFaults:
    def test_down_at_the_start(self, world: Upstream, redis_server: RedisServer, daemon: Daemons) -> None:
        """Scenario 22: it serves, and joins when Redis is there."""
        redis_server.kill()
        served = daemon(world, **redis_server.environment())
        assert usage(served) == 3
        assert served.metrics()["sidecar_redis_up"] == 0
        redis_server.start()
        eventually(lambda: served.metrics()["sidecar_redis_up"] == 1)

    def test_killed_in_traffic_and_back_empty(
        self, replica: Any, redis_server: RedisServer, world: Upstream
    ) -> None:
        """Scenarios 23 and 24: hits stay hits, misses go upstream, what is used is written again."""
        served = replica()
        usage(served)
        redis_server.kill()
        eventually(lambda: served.metrics()["sidecar_redis_up"] == 0)
        for name in ("c", "c", "other", "c"):
            answer, seconds = timed(lambda name=name: served.client.metered(name, "seats"))
            assert seconds < 0.3 + SLACK_SECONDS
        assert usage(served) == 3
        redis_server.start()
        eventually(lambda: served.metrics()["sidecar_redis_up"] == 1)
        client = redis_server.client()
        eventually(lambda: usage(served) == 3 and client.exists("production:c_c"))

    def test_back_empty_without_upstream_it_is_filled_from_memory(
        self, replica: Any, redis_server: RedisServer, world: Upstream
    ) -> None:
        """Scenario 24."""
        served = replica(ENTITLEMENTS_TTL_SECS=2)
        usage(served)
        stored(redis_server)
        eventually(lambda: source(served), lambda seen: seen == "memory")
        world.faults.inject(any_request(), Silent(), times=FOREVER)
        redis_server.kill()
        redis_server.start()
        client = redis_server.client()
        eventually(lambda: usage(served) == 3 and client.exists("production:c_c"))

    def test_stopped_in_traffic(self, replica: Any, redis_server: RedisServer, world: Upstream) -> None:
        """Scenario 26: a Redis that does not answer costs each miss its time limit, until it is left alone."""
        served = replica()
        usage(served)
        redis_server.pause()
        misses_are_quick_and_hits_stay(served)
        assert served.metrics()["sidecar_redis_up"] == 0
        redis_server.resume()
        eventually(lambda: served.metrics()["sidecar_redis_up"] == 1)

    def test_slowed_to_2_seconds_a_command(
        self, world: Upstream, redis_server: RedisServer, daemon: Daemons
    ) -> None:
        """Scenario 26."""
        with closing(SlowRelay(redis_server.port)) as relay:
            served = daemon(world, **(redis_server.environment() | {"REDIS_PORT": relay.port}))
            eventually(lambda: served.metrics()["sidecar_redis_up"] == 1)
            usage(served)
            relay.delay = 2
            misses_are_quick_and_hits_stay(served)
            eventually(lambda: served.metrics()["sidecar_redis_up"] == 0)
            relay.delay = 0
            eventually(lambda: served.metrics()["sidecar_redis_up"] == 1)

    @pytest.mark.parametrize(
        "value",
        ["", "{", "[]", "7", '{"seats":7}', '{"seats":{"calculatedEntitlement":[]}}', "\xff\xfe", '{"a":{"b":' * 100],
    )
    def test_a_corrupt_value_is_a_miss(
        self, value: str, replica: Any, redis_server: RedisServer, world: Upstream
    ) -> None:
        """Scenario 27."""
        client = redis_server.client()
        client.mset({"production:c_c": value, "production:c_c#timestamp": "1"})
        served = replica()
        assert usage(served) == 3
        assert served.metrics()["sidecar_redis_malformed_total"] >= 1

    def test_a_value_of_another_type_is_a_miss(
        self, replica: Any, redis_server: RedisServer, world: Upstream
    ) -> None:
        client = redis_server.client()
        client.rpush("production:c_c", "x")
        client.hset("production:c_c#timestamp", "a", "b")
        assert usage(replica()) == 3
        eventually(lambda: client.type("production:c_c") == "string")

    def test_a_replica_in_the_masters_place_is_read_and_not_written(
        self, world: Upstream, redis_server: RedisServer, daemon: Daemons
    ) -> None:
        """Scenario 25."""
        redis_server.client().replicaof("127.0.0.1", 1)
        served = daemon(world, **redis_server.environment())
        assert usage(served) == 3
        assert usage(served) == 3

    def test_a_full_redis_is_read_and_not_written(
        self, replica: Any, redis_server: RedisServer, world: Upstream
    ) -> None:
        """Scenario 25: OOM."""
        served = replica(ENTITLEMENTS_TTL_SECS=1)
        client = redis_server.client()
        client.config_set("maxmemory", 1)
        assert usage(served) == 3
        eventually(lambda: served.metrics()["sidecar_redis_client_errors_total"] > 0)
        assert served.metrics()["sidecar_redis_up"] == 1
        client.config_set("maxmemory", 0)
        eventually(lambda: usage(served) == 3 and client.exists("production:c_c"))

    def test_one_that_cannot_save_itself_is_read_and_not_written(
        self, replica: Any, world: Upstream, daemon: Daemons
    ) -> None:
        """Scenario 25: MISCONF."""
        with RedisServer(save="3600 1") as server:
            served = daemon(world, **server.environment())
            assert usage(served) == 3
            stored(server)
            client = server.client()
            server.lose_folder()
            client.bgsave()
            eventually(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")
            assert served.client.metered("other", "seats") is not None
            eventually(lambda: served.metrics()["sidecar_redis_failed_writes_total"] > 0)
            assert served.metrics()["sidecar_redis_up"] == 1
            assert not client.exists("production:c_other")
            second = daemon(world, **server.environment())
            assert source(second) == "redis"
            client.config_set("stop-writes-on-bgsave-error", "no")
            assert second.client.metered("another", "seats") is not None
            stored(server, "another")

    def test_one_that_is_loading_is_waited_for(
        self, replica: Any, redis_server: RedisServer, world: Upstream
    ) -> None:
        """Scenario 25: LOADING. Hits stay hits, misses go upstream; what it had is read when it is there."""
        served = replica()
        usage(served)
        stored(redis_server)
        client = redis_server.client()
        client.config_set("rdbcompression", "no")  # it looks at its clients after so many bytes
        client.mset({f"filler-{n}": "x" * 1024 for n in range(500)})
        client.save()
        redis_server.kill()
        redis_server.start(ready=False, key_load_delay=4000, loading_process_events_interval_bytes=1024)
        eventually(lambda: redis_server.answers() or "LOADING" in redis_server.refusal())
        assert "LOADING" in redis_server.refusal()
        misses_are_quick_and_hits_stay(served)
        assert "LOADING" in redis_server.refusal()
        assert served.metrics()["sidecar_redis_up"] == 0
        eventually(lambda: served.metrics()["sidecar_redis_up"] == 1)
        second = replica()
        assert source(second) == "redis"

    def test_a_connection_that_is_cut_is_made_again(
        self, replica: Any, redis_server: RedisServer, world: Upstream
    ) -> None:
        """Scenario 28: what changed while nobody listened shows all the same."""
        served = replica(REDIS_EXTERNAL_WRITER=1)
        usage(served)
        stored(redis_server)
        client = redis_server.client()
        name = "production:c_c:f_seats"
        pipeline = client.pipeline()
        pipeline.client_kill_filter(_type="normal", skipme=True)
        pipeline.mset({name: '{"currentUsage":4}', name + "#timestamp": str(int(time.time() * 1000) + 1000)})
        pipeline.execute()
        eventually(lambda: usage(served), lambda seen: seen == 4)

    def test_a_cluster_is_refused(self, world: Upstream, daemon: Daemons) -> None:
        with RedisServer(cluster_enabled="yes") as clustered, pytest.raises(AssertionError) as refused:
            daemon(world, **clustered.environment())
        assert "78" in str(refused.value)
        assert "Cluster" in str(refused.value)


class TestLogin:
    def test_user_password_and_database(self, world: Upstream, daemon: Daemons) -> None:
        with RedisServer() as server:
            client = server.client()
            client.acl_setuser("app", enabled=True, passwords=["+secret"], keys=["*"], channels=["*"], categories=["+@all"])
            client.acl_setuser("default", enabled=False)
            login: dict[str, object] = {"REDIS_USERNAME": "app", "REDIS_PASSWORD": "secret", "REDIS_DB": 3}
            served = daemon(world, **(server.environment() | login))
            usage(served)
            inside = server.client(username="app", password="secret", db=3)
            eventually(lambda: inside.exists("production:c_c"))

    def test_a_wrong_password_is_said_and_served_without(self, world: Upstream, daemon: Daemons) -> None:
        with RedisServer(requirepass="right") as server:
            served = daemon(world, **(server.environment() | {"REDIS_PASSWORD": "wrong"}))
            assert usage(served) == 3
            said = served.process.stderr.wait_for(lambda line: "REDIS_PASSWORD" in line)
            assert said is not None
            assert "wrong" not in said


class TestLeader:
    @pytest.fixture
    def fed(self, replica: Any, feed: ReferenceWs) -> Any:
        return lambda **more: replica(WS_ENABLED=1, WS_URL=feed.url, **more)

    def test_one_of_three_holds_the_feed_and_all_hear_of_a_push(
        self, fed: Any, feed: ReferenceWs, world: Upstream
    ) -> None:
        replicas = [fed(), fed(), fed()]
        feed.wait_for_subscriptions(*V2_FIELDS)
        for each in replicas:
            eventually(lambda each=each: usage(each) == 3)
        assert feed.publish("usageUpdatedV2", push.usage_v2("c", "seats", 4)) == 1
        for each in replicas:
            eventually(lambda each=each: usage(each), lambda seen: seen == 4)

    def test_another_takes_over_when_the_leader_ends(self, fed: Any, feed: ReferenceWs, world: Upstream) -> None:
        first = fed()
        feed.wait_for_subscriptions(*V2_FIELDS)
        second = fed()
        usage(second)
        first.stop()
        feed.wait_for_subscriptions(*V2_FIELDS)
        feed.publish("usageUpdatedV2", push.usage_v2("c", "seats", 4))
        eventually(lambda: usage(second), lambda seen: seen == 4)

    def test_a_paused_leader_overwrites_nothing(
        self, fed: Any, feed: ReferenceWs, world: Upstream, redis_server: RedisServer
    ) -> None:
        """200 pushes; the leader is stopped in the middle of them and goes on when another leads."""
        replicas = [fed() for _ in range(3)]
        feed.wait_for_subscriptions(*V2_FIELDS)
        for each in replicas:
            eventually(lambda each=each: usage(each) == 3)
        client = redis_server.client()
        stored(redis_server)
        leader = next(each for each in replicas if each.metrics()["sidecar_ws_connected"] == 1)
        for n in range(100):
            feed.publish("usageUpdatedV2", push.usage_v2("c", "seats", n))
        leader.process.signal(signal.SIGSTOP)
        client.delete("production:sidecar:leader")  # its lease runs out
        others = [each for each in replicas if each is not leader]
        eventually(lambda: any(each.metrics()["sidecar_ws_connected"] == 1 for each in others))
        for n in range(100, 200):
            feed.publish("usageUpdatedV2", push.usage_v2("c", "seats", n))
        value = "production:c_c:f_seats"
        eventually(lambda: json.loads(client.get(value) or "{}").get("currentUsage") == 199)
        leader.process.signal(signal.SIGCONT)
        eventually(lambda: leader.metrics()["sidecar_ws_connected"] == 0)
        for each in replicas:
            eventually(lambda each=each: usage(each), lambda seen: seen == 199)
        assert json.loads(client.get(value) or "{}")["currentUsage"] == 199

    def test_a_push_that_does_not_reach_redis_is_not_missed(
        self, fed: Any, feed: ReferenceWs, world: Upstream, redis_server: RedisServer
    ) -> None:
        """What Redis has from before is not taken for current when it is back (found by scripts/soak)."""
        replicas = [fed(), fed()]
        feed.wait_for_subscriptions(*V2_FIELDS)
        for each in replicas:
            eventually(lambda each=each: usage(each) == 3)
        stored(redis_server)
        leader = next(each for each in replicas if each.metrics()["sidecar_ws_connected"] == 1)
        redis_server.pause()
        eventually(lambda: leader.metrics()["sidecar_redis_up"] == 0)
        world.world.customer("c").set_usage("seats", 4)
        feed.publish("usageUpdatedV2", push.usage_v2("c", "seats", 4))
        eventually(lambda: leader.metrics()["sidecar_redis_failed_writes_total"] > 0)
        redis_server.resume()
        for each in replicas:
            eventually(lambda each=each: usage(each), lambda seen: seen == 4)

    def test_credits_follow_pushes_in_every_replica(
        self, fed: Any, feed: ReferenceWs, world: Upstream, redis_server: RedisServer
    ) -> None:
        first = fed()
        feed.wait_for_subscriptions(*V2_FIELDS)
        second = fed()
        assert first.client.v2("c", currency="coins") is not None
        stored(redis_server)
        second.client.v2("c", currency="coins")
        feed.publish("usageUpdatedV2", push.usage_v2("c", "coins", 9, credit=True))
        for each in (first, second):
            eventually(
                lambda each=each: each.client.v2("c", currency="coins").entitlement.credit.current_usage, lambda seen: seen == 9
            )

    def test_a_push_that_says_only_that_something_changed_is_fetched_by_all(
        self, fed: Any, feed: ReferenceWs, world: Upstream, redis_server: RedisServer
    ) -> None:
        replicas = [fed(), fed()]
        feed.wait_for_subscriptions(*V2_FIELDS)
        for each in replicas:
            eventually(lambda each=each: usage(each) == 3)
        stored(redis_server)
        world.world.customer("c").metered("seats", limit=50, usage=3)
        feed.publish("packagePublished", push.package("ALL_CUSTOMERS"))
        for each in replicas:
            eventually(lambda each=each: each.client.metered("c", "seats").entitlement.usage_limit, lambda n: n == 50)


class TestCacheService:
    def test_it_keeps_redis_current_for_sidecars_without_a_feed(
        self, world: Upstream, replica: Any, feed: ReferenceWs, redis_server: RedisServer, daemon: Daemons
    ) -> None:
        service = daemon.cache_service(world, WS_URL=feed.url, **redis_server.environment())
        feed.wait_for_subscriptions(*V2_FIELDS)
        eventually(lambda: service.http("/readyz").status == 200)
        sidecar = replica()
        assert usage(sidecar) == 3
        stored(redis_server)
        feed.publish("usageUpdatedV2", push.usage_v2("c", "seats", 4))
        eventually(lambda: usage(sidecar), lambda seen: seen == 4)
        status = json.loads(service.http("/status").body)
        assert status == {"redis": "up", "leader": True, "maintained": True, "feed": "live"}
        assert service.metrics()["persistent_cache_writes_total"] > 0

    def test_it_updates_what_is_there_and_adds_nothing_unless_told(
        self, world: Upstream, feed: ReferenceWs, redis_server: RedisServer, daemon: Daemons
    ) -> None:
        client = redis_server.client()
        service = daemon.cache_service(world, WS_URL=feed.url, **redis_server.environment())
        feed.wait_for_subscriptions(*V2_FIELDS)
        feed.publish("entitlementsUpdatedV2", push.list_v2(world, "c"))
        eventually(lambda: service.metrics()["persistent_cache_skipped_writes_total"] > 0)
        assert not client.exists("production:c_c")
        service.stop()
        daemon.cache_service(
            world, WS_URL=feed.url, CACHE_UPDATE_POLICY="UPSERT", KEYS_TTL_IN_SECS=100, **redis_server.environment()
        )
        feed.wait_for_subscriptions(*V2_FIELDS)
        feed.publish("entitlementsUpdatedV2", push.list_v2(world, "c"))
        eventually(lambda: client.exists("production:c_c"))
        assert 0 < client.ttl("production:c_c") <= 100

    def test_of_two_one_writes_and_the_other_takes_over(
        self, world: Upstream, feed: ReferenceWs, redis_server: RedisServer, daemon: Daemons
    ) -> None:
        def start() -> Daemon:
            return daemon.cache_service(world, WS_URL=feed.url, **redis_server.environment())

        first = start()
        feed.wait_for_subscriptions(*V2_FIELDS)
        second = start()
        eventually(lambda: second.http("/readyz").status == 200)
        assert [each.metrics()["persistent_cache_leader"] for each in (first, second)] == [1, 0]
        first.stop()
        eventually(lambda: second.metrics()["persistent_cache_leader"] == 1)

    def test_it_says_what_it_needs(self) -> None:
        result = run("cache-service", SERVER_API_KEY="key")
        assert result.returncode == 78
        assert "REDIS_ENVIRONMENT_PREFIX" in result.stderr


class TestLayout:
    def test_10_000_customers_are_read_back_by_an_independent_reader(
        self, replica: Any, world: Upstream, redis_server: RedisServer
    ) -> None:
        count = 1_000 if is_sanitized() else 10_000
        writer = replica(CACHE_MAX_SIZE_BYTES=64 << 20, REDIS_TIMEOUT_MS=5000)
        names = [f"customer-{n}" for n in range(count)]
        for name in names:
            world.world.customer(name).metered("seats", limit=5, usage=len(name)).boolean("flag")
        for start in range(0, count, 200):
            calls = [writer.client.background.metered(name, "seats") for name in names[start : start + 200]]
            assert all(not call.result().is_fallback for call in calls)
        client = redis_server.client()
        eventually(lambda: client.exists(*(f"production:sidecar:c_{name}" for name in names)) == count)
        keys = [f"production:c_{name}" for name in names]
        for name, text, usage_text in zip(
            names, client.mget(keys), client.mget([f"{key}:f_seats" for key in keys]), strict=True
        ):
            entry = json.loads(text)["seats"]["calculatedEntitlement"]
            assert (entry["feature"]["id"], entry["usageLimit"]) == ("seats", 5)
            assert json.loads(usage_text)["currentUsage"] == len(name)
        stamps = client.mget([f"{key}#timestamp" for key in keys])
        assert all(int(stamp) > 1_700_000_000_000 for stamp in stamps)
        assert all(0 < ttl <= 604_800 for ttl in map(client.ttl, keys[:100]))


class TestTls:
    def test_the_certificate_is_checked_against_our_own_authority(
        self, world: Upstream, daemon: Daemons, tmp_path: Path
    ) -> None:
        authority = CertificateAuthority(tmp_path)
        certificate, key = authority.server("localhost")
        options = {"tls_port": free_ports(1)[0], "tls_cert_file": certificate, "tls_key_file": key}
        with RedisServer(tls_ca_cert_file=authority.ca_file, tls_auth_clients="no", **options) as server:
            port: dict[str, object] = {"REDIS_PORT": options["tls_port"], "REDIS_TLS": 1, "REDIS_HOST": "localhost"}
            trusting = server.environment() | port | {"REDIS_TLS_CA_FILE": authority.ca_file}
            served = daemon(world, **trusting)
            eventually(lambda: served.metrics()["sidecar_redis_up"] == 1)
            usage(served)
            stored(server)
            for bad in ({"REDIS_TLS_CA_FILE": None}, {"REDIS_HOST": "127.0.0.1"}):
                refused = daemon(world, **(trusting | bad))
                assert usage(refused) == 3
                assert refused.metrics()["sidecar_redis_up"] == 0
                assert refused.process.stderr.wait_for(lambda line: "certificate" in line)


class TestSentinel:
    """A group of three Redis and three Sentinels fails over."""

    @pytest.fixture
    def group(self) -> Iterator[SentinelGroup]:
        with SentinelGroup() as started:
            yield started

    @staticmethod
    def fail_over(group: SentinelGroup, fault: Callable[[RedisServer], None]) -> RedisServer:
        """The new master, as soon as it is one."""
        former = group.master()
        assert former is not None
        fault(former)
        new: RedisServer | None = eventually(
            lambda: group.master(), lambda seen: seen is not None and seen is not former, within=FAILOVER_SECONDS
        )
        assert new is not None
        return new

    @pytest.mark.parametrize("fault", [RedisServer.kill, RedisServer.pause], ids=["killed", "paused"])
    def test_writes_and_tracking_follow_within_3_seconds_and_hits_are_unaffected(
        self, fault: Callable[[RedisServer], None], group: SentinelGroup, world: Upstream, daemon: Daemons
    ) -> None:
        writer, reader = (daemon(world, REDIS_EXTERNAL_WRITER=1, **group.environment()) for _ in range(2))
        for each in (writer, reader):
            eventually(lambda each=each: each.metrics()["sidecar_redis_up"] == 1)
            assert usage(each) == 3
        with Hits(reader) as hits:
            master = self.fail_over(group, fault)

            def writes_arrive() -> bool:
                """Each time a customer that nobody has asked for."""
                name = f"new-{uuid.uuid4()}"
                writer.client.metered(name, "seats")
                time.sleep(0.1)
                return bool(master.client().exists(f"production:c_{name}"))

            _, to_write = timed(lambda: eventually(writes_arrive))
            name = "production:c_c:f_seats"
            date = str(int(time.time() * 1000) + 1000)
            master.client().mset({name: '{"currentUsage":4}', name + "#timestamp": date})
            _, to_track = timed(lambda: eventually(lambda: usage(reader), lambda seen: seen == 4))
            assert to_write + to_track < 3 + SLACK_SECONDS
        assert hits.count > 100
        assert hits.fallbacks == 0
        assert hits.worst < 0.3 + SLACK_SECONDS

    def test_pushes_follow_within_a_lease(
        self, group: SentinelGroup, world: Upstream, daemon: Daemons, feed: ReferenceWs
    ) -> None:
        replicas = [
            daemon(world, WS_ENABLED=1, WS_URL=feed.url, **group.environment()) for _ in range(2)
        ]
        feed.wait_for_subscriptions(*V2_FIELDS)
        for each in replicas:
            eventually(lambda each=each: usage(each) == 3)
        master = self.fail_over(group, RedisServer.kill)
        client = master.client()

        def pushed() -> bool:
            feed.publish("usageUpdatedV2", push.usage_v2("c", "seats", 4))
            return json.loads(client.get("production:c_c:f_seats") or "{}").get("currentUsage") == 4

        eventually(pushed, within=LEASE_SECONDS + 3 + PATIENCE_SECONDS)
        for each in replicas:
            eventually(lambda each=each: usage(each), lambda seen: seen == 4)
        assert sum(each.metrics()["sidecar_ws_connected"] for each in replicas) == 1

    def test_sentinels_that_are_down_or_wrong_are_passed_over(
        self, group: SentinelGroup, world: Upstream, daemon: Daemons, redis_server: RedisServer
    ) -> None:
        for sentinel in group.sentinels[:2]:
            sentinel.kill()
        wrong = {"REDIS_SENTINELS": f"127.0.0.1:{redis_server.port}," + str(group.environment()["REDIS_SENTINELS"])}
        served = daemon(world, **(group.environment() | wrong))
        eventually(lambda: served.metrics()["sidecar_redis_up"] == 1)
        usage(served)
        stored(group.servers[0])

    def test_an_unknown_master_is_said_and_served_without(
        self, group: SentinelGroup, world: Upstream, daemon: Daemons
    ) -> None:
        served = daemon(world, **(group.environment() | {"REDIS_MASTER_NAME": "nobody"}))
        assert usage(served) == 3
        assert served.process.stderr.wait_for(lambda line: "nobody" in line and "REDIS_MASTER_NAME" in line)

    def test_a_sentinel_in_the_place_of_a_redis_is_refused(
        self, group: SentinelGroup, world: Upstream, daemon: Daemons
    ) -> None:
        with pytest.raises(AssertionError) as refused:
            daemon(world, **group.sentinels[0].environment())
        assert "78" in str(refused.value)
        assert "REDIS_SENTINELS" in str(refused.value)
