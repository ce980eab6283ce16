"""deploy/compose.yaml, its services started as processes on loopback: commands and environments are the file's own."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.daemon import Daemon, Daemons
from harness.ports import free_ports
from harness.redis_server import RedisServer
from harness.waiting import eventually

FILE = Path(__file__).resolve().parents[2] / "deploy/compose.yaml"

CUSTOMER, FEATURE = "customer-demo-01", "feature-01-templates"


class Compose:
    """The services, under the names that the file gives them. What another container is reached by becomes a port
    of this machine."""

    def __init__(self, daemons: Daemons) -> None:
        self.services: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]
        self._daemons = daemons
        self.redis = RedisServer(**self._redis_options())
        (upstream_port,) = free_ports(1)
        self._places = {
            "http://upstream:4000": f"http://127.0.0.1:{upstream_port}",
            "ws://upstream:4000": f"ws://127.0.0.1:{upstream_port}",
            "4000": str(upstream_port),
            "0.0.0.0": "127.0.0.1",
            "redis": "127.0.0.1",
            "6379": str(self.redis.port),
        }
        self.daemons = {name: self._start(name) for name in self.services if name != "redis"}

    def _redis_options(self) -> dict[str, object]:
        program, *options = self.services["redis"]["command"]
        assert program == "redis-server"
        return {name.removeprefix("--"): value for name, value in zip(options[::2], options[1::2], strict=True) if value}

    def _start(self, name: str) -> Daemon:
        service = self.services[name]
        for other in service.get("depends_on", []):
            assert other in self.services
        arguments = [self._places.get(word, word) for word in service.get("command", [])]
        environment = {key: self._places.get(value, value) for key, value in service.get("environment", {}).items()}
        return self._daemons.start(arguments, environment | {"WS_ENABLED": environment.get("WS_ENABLED")})


@pytest.fixture
def compose(daemon: Daemons) -> Iterator[Compose]:
    started = Compose(daemon)
    yield started
    started.redis.stop()


def usage(daemon: Daemon) -> float:
    return daemon.client.metered(CUSTOMER, FEATURE).entitlement.current_usage


def test_two_sidecars_share_what_the_cache_service_keeps_current(compose: Compose) -> None:
    service = compose.daemons["cache-service"]
    sidecars = [compose.daemons["sidecar-1"], compose.daemons["sidecar-2"]]
    eventually(lambda: service.http("/readyz").status == 200)
    eventually(lambda: json.loads(service.http("/status").body)["feed"], lambda seen: seen == "live")
    for each in sidecars:
        eventually(lambda each=each: each.metrics()["sidecar_redis_up"] == 1)
    before = usage(sidecars[0])
    eventually(lambda: compose.redis.client().exists(f"production:sidecar:c_{CUSTOMER}"))
    assert sidecars[1].client.traced.metered(CUSTOMER, FEATURE).source == "redis"
    sidecars[0].client.report_usage(CUSTOMER, FEATURE, 1)
    for each in sidecars:
        eventually(lambda each=each: usage(each), lambda seen: seen == before + 1)


def test_ports_that_are_published_do_not_clash(compose: Compose) -> None:
    published = [port.split(":")[0] for each in compose.services.values() for port in each.get("ports", [])]
    assert len(published) == len(set(published)) == 4
