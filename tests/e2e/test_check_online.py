"""`check-config --online`: one line for each thing that the configuration names, and the fix for what fails."""

import json
import socket
from typing import Any

import pytest

from harness.daemon import upstream_environment
from harness.ports import free_port
from harness.process import run
from harness.redis_server import RedisServer
from harness.reference_ws import ReferenceWs
from independent_upstream import FOREVER, Status, Upstream, any_request


def findings(**environment: object) -> dict[str, dict[str, Any]]:
    ended = run("check-config", "--online", "--json", **environment)
    assert ended.returncode in (0, 69), ended.stderr
    every = {each["check"]: each for each in json.loads(ended.stdout)}
    assert (ended.returncode == 69) == any(each["verdict"] == "failed" for each in every.values())
    assert all(("fix" in each) == (each["verdict"] == "failed") for each in every.values())
    return every


def verdicts(**environment: object) -> dict[str, str]:
    return {name: each["verdict"] for name, each in findings(**environment).items()}


def test_all_is_well(upstream: Upstream, feed: ReferenceWs, redis_server: RedisServer) -> None:
    environment = upstream_environment(upstream) | {"WS_URL": feed.url} | redis_server.environment()
    redis_server.client().set("production:c_c", "{}")
    seen = findings(**environment)
    assert {name: each["verdict"] for name, each in seen.items()} == dict.fromkeys(
        ["Edge API", "GraphQL API", "WebSocket", "Redis", "Memory", "Descriptors"], "ok"
    ) | {"Clock": seen["Clock"]["verdict"]}
    assert "in use" in seen["Redis"]["seen"]
    assert upstream.api_key not in json.dumps(seen)


def test_what_is_off_is_skipped(upstream: Upstream) -> None:
    seen = verdicts(**upstream_environment(upstream), EDGE_ENABLED=0, WS_ENABLED=0)
    assert (seen["Edge API"], seen["WebSocket"], seen["Redis"]) == ("skipped",) * 3
    assert verdicts(OFFLINE=1)["Upstream"] == "skipped"


def test_a_rejected_key(upstream: Upstream) -> None:
    upstream.faults.inject(any_request(), Status(401), times=FOREVER)
    seen = findings(**upstream_environment(upstream), WS_ENABLED=0)
    for name in ("Edge API", "GraphQL API"):
        assert "rejects the key" in seen[name]["seen"]
        assert "SERVER_API_KEY" in seen[name]["fix"]


def test_nobody_there() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    redis = {"REDIS_ENVIRONMENT_PREFIX": "p", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": free_port()}
    seen = findings(SERVER_API_KEY="k", API_URL=url, EDGE_API_URL=url, WS_URL=url.replace("http", "ws"), **redis)
    for name in ("Edge API", "GraphQL API", "WebSocket", "Redis"):
        assert seen[name]["verdict"] == "failed"
    assert "REDIS_HOST" in seen["Redis"]["fix"]
    assert "proxy" in seen["Edge API"]["fix"]


def test_a_redis_that_lets_nobody_in() -> None:
    with RedisServer(requirepass="right") as server:
        seen = findings(OFFLINE=1, REDIS_PASSWORD="wrong", **server.environment())
        assert seen["Redis"]["verdict"] == "failed"
        assert "REDIS_PASSWORD" in seen["Redis"]["seen"] + seen["Redis"]["fix"]
        assert "wrong" not in json.dumps(seen)


def test_a_cluster(upstream: Upstream) -> None:
    with RedisServer(cluster_enabled="yes") as server:
        assert "Cluster" in findings(OFFLINE=1, **server.environment())["Redis"]["seen"]


def test_a_cache_that_does_not_fit() -> None:
    seen = findings(OFFLINE=1, CACHE_MAX_SIZE_BYTES=1 << 50)
    assert "CACHE_MAX_SIZE_BYTES" in seen["Memory"]["fix"]


def test_an_upstream_that_says_nothing_is_given_five_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        seen = findings(SERVER_API_KEY="k", API_URL=url, EDGE_ENABLED=0, WS_ENABLED=0)
        assert seen["GraphQL API"]["verdict"] == "failed"


def test_people_get_a_table(upstream: Upstream) -> None:
    ended = run("check-config", "--online", OFFLINE=1)
    assert ended.stdout.splitlines()[0].split() == ["skipped", "Upstream", "OFFLINE=1"]


@pytest.mark.parametrize("arguments", [["--json"], ["--offline"], ["--online", "x"]])
def test_other_arguments_are_refused(arguments: list[str]) -> None:
    assert run("check-config", *arguments).returncode == 2
