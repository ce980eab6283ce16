"""SHADOW_TARGET: a sample of the reads is asked of another sidecar too, and the answers are compared (docs/migrating.md).

The other sidecar is a second daemon behind a relay that changes one field of its answers."""

import json
import os
import socket
import statistics
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import closing
from typing import Any

import grpc
import pytest

from harness.contract import pb
from harness.daemon import Daemon, Daemons, upstream_environment
from harness.ports import free_port
from harness.process import run
from harness.relay import SlowRelay
from harness.waiting import eventually, timed
from independent_upstream import Upstream

READS = {
    "GetBooleanEntitlement": lambda client: client.boolean("c", "flag"),
    "GetNumericEntitlement": lambda client: client.numeric("c", "size"),
    "GetMeteredEntitlement": lambda client: client.metered("c", "seats", requested_usage=1),
    "GetEnumEntitlement": lambda client: client.enum("c", "region"),
    "GetEntitlement": lambda client: client.generic("c", "seats"),
    "GetEntitlementV2": lambda client: client.v2("c", currency="coins"),
    "GetEntitlements": lambda client: client.entitlements("c"),
    "GetEntitlementsStateV2": lambda client: client.state("c"),
}

Change = Callable[[str, Any], Any]


class Other(grpc.GenericRpcHandler):
    """Passes calls on to a daemon, and may change what it answers."""

    def __init__(self, target: str) -> None:
        self.change: Change = lambda _method, answer: answer
        self.seen: list[str] = []
        self.hold = threading.Event()
        self.hold.set()
        self._channel = grpc.insecure_channel(target)
        self._server = grpc.server(futures.ThreadPoolExecutor(4), handlers=(self,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        method = details.method.rpartition("/")[2]

        def answer(request: bytes, _context: grpc.ServicerContext) -> bytes:
            self.seen.append(method)
            self.hold.wait(10)
            answered = self._channel.unary_unary(details.method)(request)
            response = getattr(pb, f"{method}Response").FromString(answered)
            return self.change(method, response).SerializeToString()

        return grpc.unary_unary_rpc_method_handler(answer)

    def stop(self) -> None:
        self.hold.set()
        self._server.stop(0).wait()
        self._channel.close()


@pytest.fixture
def other(upstream: Upstream, daemon: Daemons) -> Iterator[Other]:
    scope = upstream.world.customer("c")
    scope.boolean("flag").numeric("size", 7).metered("seats", limit=5, usage=3).enum("region", ["eu"])
    scope.credit("coins", limit=10, usage=4)
    relay = Other(daemon(upstream).target)
    yield relay
    relay.stop()


def shadowed(daemon: Daemons, upstream: Upstream, target: str, **environment: object) -> Daemon:
    return daemon(upstream, **({"SHADOW_TARGET": target, "SHADOW_SAMPLE_PERCENT": 100} | environment))


def outcome(daemon: Daemon, name: str) -> float:
    return daemon.metrics().series[f'sidecar_shadow_compared_total{{outcome="{name}"}}']


def differing_fields(daemon: Daemon) -> dict[str, float]:
    prefix = 'sidecar_shadow_differences_total{field="'
    return {
        name.removeprefix(prefix).removesuffix('"}'): count
        for name, count in daemon.metrics().series.items()
        if name.startswith(prefix)
    }


def test_two_that_agree(upstream: Upstream, daemon: Daemons, other: Other) -> None:
    ours = shadowed(daemon, upstream, f"127.0.0.1:{other.port}")
    for number, read in enumerate(READS.values(), 1):
        read(ours.client)
        eventually(lambda count=number: outcome(ours, "same") == count)
    assert differing_fields(ours) == {}
    assert set(other.seen) == set(READS)
    assert json.loads(ours.http("/admin/shadow").body) == {"samples": []}


def leaves(message: Any, path: str = "") -> Iterator[tuple[str, Callable[[Any], None]]]:
    """Every field that is set in the message, and what changes it in another such message."""
    for field, value in message.ListFields():
        name = f"{path}.{field.name}" if path else field.name
        well_known = field.message_type is not None and field.message_type.full_name.startswith("google.protobuf.")
        if field.is_repeated:
            yield name, lambda at, f=field.name: at.ClearField(f)
            if field.message_type is not None and not well_known:
                for index, element in enumerate(value):
                    for inner, change in leaves(element, name):
                        if inner.endswith((".feature.id", ".id", "currency_id", "feature_id")):
                            continue  # another element then
                        yield inner, lambda at, f=field.name, i=index, c=change: c(getattr(at, f)[i])
        elif field.message_type is not None and not well_known:
            for inner, change in leaves(value, name):
                yield inner, lambda at, f=field.name, c=change: c(getattr(at, f))
        else:
            yield name, lambda at, f=field.name: at.ClearField(f)


@pytest.mark.parametrize("method", READS)
def test_a_difference_in_each_field_is_found(method: str, upstream: Upstream, daemon: Daemons, other: Other) -> None:
    """Each field that is set in the answer is taken out of the other's in turn."""
    ours = shadowed(daemon, upstream, f"127.0.0.1:{other.port}")
    answer = READS[method](ours.client)
    eventually(lambda: outcome(ours, "same") == 1)
    changes = list(leaves(answer))
    assert len(changes) >= 4
    expected: dict[str, int] = {}
    for count, (name, change) in enumerate(changes, 1):

        def changed(_method: str, response: Any, change: Callable[[Any], None] = change) -> Any:
            change(response)
            return response

        other.change = changed
        assert READS[method](ours.client) == answer
        eventually(lambda count=count: outcome(ours, "different") == count)
        expected[f"{method}.{name}"] = expected.get(f"{method}.{name}", 0) + 1
    assert differing_fields(ours) == expected
    last = json.loads(ours.http("/admin/shadow").body)["samples"][-1]
    assert last["method"] == method
    assert last["subject"].split()[0] == "c"
    assert last["fields"]


def test_fields_that_may_differ(upstream: Upstream, daemon: Daemons, other: Other) -> None:
    ours = shadowed(
        daemon, upstream, f"127.0.0.1:{other.port}", SHADOW_IGNORE_FIELDS="GetMeteredEntitlement.entitlement, has_access"
    )

    def change(_method: str, response: Any) -> Any:
        response.entitlement.current_usage += 1
        response.has_access = not response.has_access
        return response

    other.change = change
    ours.client.metered("c", "seats")
    eventually(lambda: outcome(ours, "same") == 1)


def test_only_reads_are_copied(upstream: Upstream, daemon: Daemons, other: Other) -> None:
    ours = shadowed(daemon, upstream, f"127.0.0.1:{other.port}")
    ours.client.report_usage("c", "seats", 1)
    ours.client.reload("c")
    ours.client.boolean("c", "flag")
    eventually(lambda: outcome(ours, "same") == 1)
    assert other.seen == ["GetBooleanEntitlement"]


class Broken:
    """Targets that do not answer."""

    @staticmethod
    def closed() -> Iterator[str]:
        yield f"127.0.0.1:{free_port()}"

    @staticmethod
    def silent() -> Iterator[str]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            yield f"127.0.0.1:{listener.getsockname()[1]}"

    @staticmethod
    def nonsense() -> Iterator[str]:
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def serve() -> None:
                while True:
                    try:
                        connection, _ = listener.accept()
                    except OSError:
                        return
                    connection.sendall(os.urandom(4096))
                    connection.close()

            threading.Thread(target=serve, daemon=True).start()
            yield f"127.0.0.1:{listener.getsockname()[1]}"
            listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("broken", [Broken.closed, Broken.silent, Broken.nonsense], ids=["closed", "silent", "nonsense"])
def test_a_target_that_does_not_answer_changes_nothing(
    broken: Callable[[], Iterator[str]], upstream: Upstream, daemon: Daemons, other: Other
) -> None:
    for target in broken():
        plain = daemon(upstream)
        ours = shadowed(daemon, upstream, target, SHADOW_TIMEOUT_MS=100)
        expected = [read(plain.client) for read in READS.values()]
        assert [read(ours.client) for read in READS.values()] == expected
        times = [timed(lambda: ours.client.boolean("c", "flag"))[1] for _ in range(200)]
        assert statistics.median(times) < 0.02
        assert max(times) < 1
        eventually(lambda: outcome(ours, "failed") >= 1)
        assert outcome(ours, "different") == 0
        ours.stop()


def test_a_slow_target_changes_nothing(upstream: Upstream, daemon: Daemons, other: Other) -> None:
    ours = shadowed(daemon, upstream, f"127.0.0.1:{other.port}", SHADOW_TIMEOUT_MS=1000)
    ours.client.boolean("c", "flag")
    eventually(lambda: outcome(ours, "same") == 1)
    other.hold.clear()
    times = [timed(lambda: ours.client.boolean("c", "flag"))[1] for _ in range(300)]
    assert statistics.median(times) < 0.02
    eventually(lambda: ours.client.boolean("c", "flag") and ours.metrics().series["sidecar_shadow_paused"] == 1)
    other.hold.set()
    eventually(lambda: ours.client.boolean("c", "flag") and outcome(ours, "same") > 1)


def test_a_target_that_is_far_away_is_compared(upstream: Upstream, daemon: Daemons, other: Other) -> None:
    with closing(SlowRelay(other.port)) as relay:
        relay.delay = 0.2  # of each answer, and of the connection's settings
        ours = shadowed(daemon, upstream, f"127.0.0.1:{relay.port}", SHADOW_TIMEOUT_MS=5000)
        ours.client.boolean("c", "flag")
        eventually(lambda: outcome(ours, "same") == 1)
        assert outcome(ours, "failed") == 0


def test_it_is_on_the_status_page_without_customers(upstream: Upstream, daemon: Daemons, other: Other) -> None:
    ours = shadowed(daemon, upstream, f"127.0.0.1:{other.port}")

    def change(_method: str, response: Any) -> Any:
        response.has_access = False
        return response

    other.change = change
    upstream.world.customer("jane@example.org").boolean("flag")
    ours.client.boolean("jane@example.org", "flag")
    eventually(lambda: outcome(ours, "different") == 1)
    status = ours.http("/status", Accept="application/json").body.decode()
    assert json.loads(status)["shadow"] == {
        "target": f"127.0.0.1:{other.port}",
        "state": "comparing",
        "same": 0,
        "different": 1,
        "failed": 0,
        "skipped": 0,
        "lastFailure": None,
        "differences": {"GetBooleanEntitlement.has_access": 1},
    }
    assert "jane" not in status
    assert "jane" not in ours.metrics().text
    assert "jane" not in ours.process.stderr.text
    sample = json.loads(ours.http("/admin/shadow").body)["samples"][0]
    assert sample["subject"] == "jane@example.org flag"
    assert sample["fields"] == [{"field": "has_access", "ours": "true", "theirs": "false"}]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"SHADOW_TARGET": "nonsense"}, "SHADOW_TARGET"),
        ({"SHADOW_TARGET": "http://host:80"}, "SHADOW_TARGET"),
        ({"SHADOW_TARGET": "host:80", "SHADOW_SAMPLE_PERCENT": "0"}, "0.01 to 100"),
        ({"SHADOW_TARGET": "host:80", "SHADOW_SAMPLE_PERCENT": "101"}, "0.01 to 100"),
        ({"SHADOW_SAMPLE_PERCENT": "5"}, "is set without SHADOW_TARGET"),
        ({"SHADOW_TARGET": "localhost:9000", "PORT": "9000"}, "would agree with itself"),
        ({"SHADOW_TARGET": "host:80", "SHADOW_IGNORE_FIELDS": "has_acess"}, "expected one such as 'has_access'"),
    ],
)
def test_mistakes(variables: dict[str, str], said: str, upstream: Upstream) -> None:
    ended = run("check-config", **(upstream_environment(upstream) | variables))
    assert ended.returncode == 78
    assert said in ended.stderr


def test_a_field_that_no_answer_has(upstream: Upstream) -> None:
    variables = upstream_environment(upstream) | {"SHADOW_TARGET": "127.0.0.1:9", "PORT": free_port(), "HTTP_PORT": 0}
    ended = run("serve", **variables, SHADOW_IGNORE_FIELDS="entitlement.curent_usage")
    assert ended.returncode == 78
    assert "'entitlement.curent_usage' is no field of an answer" in ended.stderr


def test_without_it_there_is_nothing(upstream: Upstream, daemon: Daemons) -> None:
    plain = daemon(upstream)
    assert "sidecar_shadow" not in plain.metrics().text
    assert plain.http("/admin/shadow").status == 404
