"""The steps of README.md on grpcio: Python on grpc-core."""

import json
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from harness.contract import SERVICE, health_pb2, health_pb2_grpc, pb, pb_grpc

OPTIONS = [("grpc.enable_http_proxy", 0), ("grpc.max_send_message_length", -1)]


def ended(call: Callable[[], Any]) -> tuple[str, Any]:
    """Code by name, and the response or the message."""
    try:
        return "OK", call()
    except grpc.RpcError as error:
        return error.code().name, error.details()  # type: ignore[attr-defined]


class Steps:
    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self._stub = pb_grpc.SidecarServiceStub(channel)

    def check(self, customer: str, **options: Any) -> tuple[str, Any]:
        request = pb.GetMeteredEntitlementRequest(customer_id=customer, feature_id="seats")
        return ended(lambda: self._stub.GetMeteredEntitlement(request, **({"timeout": 10} | options)))

    def report(self, events: int, padding: int = 0) -> str:
        request = pb.ReportEventsRequest(
            events=[
                pb.Event(event_name="e" + "x" * padding, customer_id="c", idempotency_key=str(n)) for n in range(events)
            ]
        )
        return ended(lambda: self._stub.ReportEvents(request, timeout=30))[0]

    def run(self) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        self.check("c")
        request = pb.GetMeteredEntitlementRequest(customer_id="c", feature_id="seats")
        trace = (("x-entitlement-trace", "1"),)
        answer, call = self._stub.GetMeteredEntitlement.with_call(request, timeout=10, metadata=trace)
        source = dict(call.trailing_metadata()).get("x-entitlement-source")
        seen["hit"] = ["OK", answer.entitlement.current_usage, source]
        seen["refused"] = self.check("")
        code, answer = self.check("c", compression=grpc.Compression.Gzip)
        seen["gzip"] = [code, code == "OK" and answer.entitlement.current_usage]
        code, answer = self.check("late", timeout=2)
        seen["late"] = [code, code == "OK" and answer.is_fallback]
        nothing = self._channel.unary_unary(f"/{SERVICE}/Nothing")
        seen["unknown"] = ended(lambda: nothing(b"", timeout=10))[0]
        seen["oversized"] = self.report(5, 1 << 20)
        seen["upload"] = self.report(5_000)
        request = pb.GetEntitlementsRequest(customer_id="large")
        code, answer = ended(lambda: self._stub.GetEntitlements(request, timeout=10))
        seen["large"] = [code, code == "OK" and len(answer.entitlements)]
        with ThreadPoolExecutor(100) as workers:
            seen["many"] = Counter(code for code, _ in workers.map(lambda _: self.check("c"), range(2_000)))
        health = health_pb2_grpc.HealthStub(self._channel)
        code, answer = ended(lambda: health.Check(health_pb2.HealthCheckRequest(), timeout=10))
        seen["health"] = [code, code == "OK" and health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)]
        return seen


with grpc.insecure_channel(sys.argv[1], OPTIONS) as opened:
    if len(sys.argv) > 2:
        outcome, response = Steps(opened).check(sys.argv[2])
        print(json.dumps([outcome, outcome == "OK" and response.entitlement.current_usage]))
    else:
        print(json.dumps(Steps(opened).run()))
