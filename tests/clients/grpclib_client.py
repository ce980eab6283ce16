"""The steps of README.md on grpclib: Python on hyper-h2."""

import asyncio
import json
import sys
from collections import Counter
from typing import Any

from google.protobuf import empty_pb2
from grpclib.client import Channel, UnaryUnaryMethod
from grpclib.exceptions import GRPCError

from harness.contract import SERVICE, health_pb2, pb


async def call(channel: Channel, method: str, request: Any, answer: Any, **options: Any) -> tuple[str, Any, dict[str, str]]:
    """Code by name, the response or the message, and the trailers."""
    rpc = UnaryUnaryMethod(channel, method, type(request), answer)
    timeout = options.pop("timeout", 10)
    try:
        async with rpc.open(timeout=timeout, **options) as stream:
            await stream.send_message(request, end=True)
            response = await stream.recv_message()
            await stream.recv_trailing_metadata()
            return "OK", response, dict(stream.trailing_metadata)
    except GRPCError as error:
        return error.status.name, error.message, {}


def check(channel: Channel, customer: str, **options: Any) -> Any:
    request = pb.GetMeteredEntitlementRequest(customer_id=customer, feature_id="seats")
    return call(channel, f"/{SERVICE}/GetMeteredEntitlement", request, pb.GetMeteredEntitlementResponse, **options)


def report(channel: Channel, events: int, padding: int = 0) -> Any:
    request = pb.ReportEventsRequest(
        events=[pb.Event(event_name="e" + "x" * padding, customer_id="c", idempotency_key=str(n)) for n in range(events)]
    )
    return call(channel, f"/{SERVICE}/ReportEvents", request, empty_pb2.Empty, timeout=30)


async def steps(channel: Channel) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    await check(channel, "c")
    code, answer, trailers = await check(channel, "c", metadata={"x-entitlement-trace": "1"})
    seen["hit"] = [code, answer.entitlement.current_usage, trailers.get("x-entitlement-source")]
    code, message, _ = await check(channel, "")
    seen["refused"] = [code, message]
    code, answer, _ = await check(channel, "late", timeout=2)
    seen["late"] = [code, code == "OK" and answer.is_fallback]
    seen["unknown"] = (await call(channel, f"/{SERVICE}/Nothing", empty_pb2.Empty(), empty_pb2.Empty))[0]
    seen["oversized"] = (await report(channel, 5, 1 << 20))[0]
    seen["upload"] = (await report(channel, 5_000))[0]
    request = pb.GetEntitlementsRequest(customer_id="large")
    code, answer, _ = await call(channel, f"/{SERVICE}/GetEntitlements", request, pb.GetEntitlementsResponse)
    seen["large"] = [code, code == "OK" and len(answer.entitlements)]
    ended: Counter[str] = Counter()

    async def worker() -> None:
        for _ in range(20):
            ended[(await check(channel, "c"))[0]] += 1

    await asyncio.gather(*(worker() for _ in range(100)))
    seen["many"] = ended
    request = health_pb2.HealthCheckRequest()
    code, answer, _ = await call(channel, "/grpc.health.v1.Health/Check", request, health_pb2.HealthCheckResponse)
    seen["health"] = [code, code == "OK" and health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)]
    return seen


async def main() -> None:
    host, port = sys.argv[1].rsplit(":", 1)
    async with Channel(host, int(port)) as channel:
        if len(sys.argv) > 2:
            code, answer, _ = await check(channel, sys.argv[2])
            print(json.dumps([code, code == "OK" and answer.entitlement.current_usage]))
        else:
            print(json.dumps(await steps(channel)))


asyncio.run(main())
