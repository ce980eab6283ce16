"""A gRPC client of the daemon, as an application has one.

    client.metered("c1", "feature-seats", requested_usage=1)               -> the response message
    client.traced.metered("c1", "feature-seats").source                    -> "memory"
    client.background.metered("c1", "feature-seats").result(timeout=5)     -> the same call, not waited for
    client.raw("GetEntitlements", b"\\xff")                                 -> bytes instead of messages

A call that fails raises grpc.RpcError.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import grpc

from .contract import SERVICE, pb, pb_grpc

Given = dict[str, Any] | None
"""Members of a message, e.g. of a fallback: dict(has_access=True, usage_limit=5)."""

DEADLINE_SECONDS = 10.0
"""The deadline of a call that is not about deadlines. None as `timeout` sends no deadline at all."""

_CHANNEL_OPTIONS = [
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),  # a connection of its own for each client
]
_TRACE = (("x-entitlement-trace", "1"),)


class Answer(NamedTuple):
    """A response with its trailers (docs/protocol.md is silent on them; design section 5)."""

    message: Any
    source: str | None
    """memory, redis, upstream, snapshot or fallback."""
    age_ms: int | None


class Rpcs:
    """The 12 RPCs with Python arguments. What they return is `invoke`'s choice; `timeout` is seconds or None."""

    def __init__(self, invoke: Callable[..., Any]) -> None:
        self._invoke = invoke

    def boolean(
        self, customer: str, feature: str, *, resource: str | None = None, fallback: Given = None, **call: Any
    ) -> Any:
        options = _given(fallback=fallback)
        request = pb.GetBooleanEntitlementRequest(
            customer_id=customer, feature_id=feature, resource_id=resource, options=options
        )
        return self._invoke("GetBooleanEntitlement", request, **call)

    def numeric(
        self, customer: str, feature: str, *, resource: str | None = None, fallback: Given = None, **call: Any
    ) -> Any:
        options = _given(fallback=fallback)
        request = pb.GetNumericEntitlementRequest(
            customer_id=customer, feature_id=feature, resource_id=resource, options=options
        )
        return self._invoke("GetNumericEntitlement", request, **call)

    def metered(
        self,
        customer: str,
        feature: str,
        *,
        resource: str | None = None,
        requested_usage: float | None = None,
        fallback: Given = None,
        **call: Any,
    ) -> Any:
        options = _given(requested_usage=requested_usage, fallback=fallback)
        request = pb.GetMeteredEntitlementRequest(
            customer_id=customer, feature_id=feature, resource_id=resource, options=options
        )
        return self._invoke("GetMeteredEntitlement", request, **call)

    def enum(
        self,
        customer: str,
        feature: str,
        *,
        resource: str | None = None,
        requested_values: Iterable[str] = (),
        fallback: Given = None,
        **call: Any,
    ) -> Any:
        options = _given(requested_values=list(requested_values) or None, fallback=fallback)
        request = pb.GetEnumEntitlementRequest(
            customer_id=customer, feature_id=feature, resource_id=resource, options=options
        )
        return self._invoke("GetEnumEntitlement", request, **call)

    def generic(
        self,
        customer: str,
        feature: str,
        *,
        resource: str | None = None,
        requested_usage: float | None = None,
        requested_values: Iterable[str] = (),
        fallback: Given = None,
        **call: Any,
    ) -> Any:
        options = _given(
            requested_usage=requested_usage, requested_values=list(requested_values) or None, fallback=fallback
        )
        request = pb.GetEntitlementRequest(
            customer_id=customer, feature_id=feature, resource_id=resource, options=options
        )
        return self._invoke("GetEntitlement", request, **call)

    def v2(
        self,
        customer: str,
        feature: str | None = None,
        *,
        currency: str | None = None,
        resource: str | None = None,
        requested_usage: float | None = None,
        requested_values: Iterable[str] = (),
        fallback: Given = None,
        **call: Any,
    ) -> Any:
        options = _given(
            requested_usage=requested_usage, requested_values=list(requested_values) or None, fallback=fallback
        )
        request = pb.GetEntitlementV2Request(
            customer_id=customer, feature_id=feature, currency_id=currency, resource_id=resource, options=options
        )
        return self._invoke("GetEntitlementV2", request, **call)

    def entitlements(self, customer: str, *, resource: str | None = None, **call: Any) -> Any:
        request = pb.GetEntitlementsRequest(customer_id=customer, resource_id=resource)
        return self._invoke("GetEntitlements", request, **call)

    def state(self, customer: str, *, resource: str | None = None, **call: Any) -> Any:
        request = pb.GetEntitlementsStateV2Request(customer_id=customer, resource_id=resource)
        return self._invoke("GetEntitlementsStateV2", request, **call)

    def reload(self, customer: str, *, resource: str | None = None, **call: Any) -> Any:
        request = pb.ReloadEntitlementsRequest(customer_id=customer, resource_id=resource)
        return self._invoke("ReloadEntitlements", request, **call)

    def report_usage(self, customer: str, feature: str, value: float, *, timeout: Any = ..., **report: Any) -> Any:
        """`report`: update_behavior ("DELTA" or "SET"), resource, dimensions, timestamp."""
        request = usage_report(customer, feature, value, **report)
        return self._invoke("ReportUsage", request, **({} if timeout is ... else {"timeout": timeout}))

    def report_bulk(self, reports: Iterable[Any], **call: Any) -> Any:
        return self._invoke("ReportUsageBulk", pb.ReportUsageBulkRequest(usages=reports), **call)

    def report_events(self, events: Iterable[Any], **call: Any) -> Any:
        return self._invoke("ReportEvents", pb.ReportEventsRequest(events=events), **call)


class Client(Rpcs):
    """One connection of its own. Thread-safe. Close it, or use it in a `with`."""

    def __init__(self, target: str, credentials: grpc.ChannelCredentials | None = None) -> None:
        if credentials is None:
            self.channel = grpc.insecure_channel(target, _CHANNEL_OPTIONS)
        else:
            self.channel = grpc.secure_channel(target, credentials, _CHANNEL_OPTIONS)
        self._stub = pb_grpc.SidecarServiceStub(self.channel)
        super().__init__(self._call)
        self.traced = Rpcs(self._call_traced)
        self.background = Rpcs(self._start)

    def raw(self, method: str, request: bytes, *, service: str = SERVICE, timeout: float = DEADLINE_SECONDS) -> bytes:
        """Bytes in, bytes out: for requests that no generated class can make."""
        response: bytes = self.channel.unary_unary(f"/{service}/{method}")(request, timeout=timeout)
        return response

    def close(self) -> None:
        self.channel.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, method: str, request: Any, timeout: float | None = DEADLINE_SECONDS) -> Any:
        return getattr(self._stub, method)(request, timeout=timeout)

    def _call_traced(
        self, method: str, request: Any, timeout: float | None = DEADLINE_SECONDS, max_staleness_ms: int | None = None
    ) -> Answer:
        metadata = _TRACE
        if max_staleness_ms is not None:
            metadata = (*_TRACE, ("x-max-staleness-ms", str(max_staleness_ms)))
        message, call = getattr(self._stub, method).with_call(request, timeout=timeout, metadata=metadata)
        trailers = dict(call.trailing_metadata())
        age = trailers.get("x-entitlement-age-ms")
        return Answer(message, trailers.get("x-entitlement-source"), None if age is None else int(age))

    def _start(self, method: str, request: Any, timeout: float | None = DEADLINE_SECONDS) -> grpc.Future:
        return getattr(self._stub, method).future(request, timeout=timeout)


def usage_report(
    customer: str,
    feature: str,
    value: float,
    *,
    update_behavior: str | None = None,
    resource: str | None = None,
    dimensions: dict[str, Any] | None = None,
    timestamp: Any = None,
) -> Any:
    """A ReportUsageRequest; `dimensions` maps names to str, float or bool, `timestamp` is a datetime."""
    return pb.ReportUsageRequest(
        customer_id=customer,
        feature_id=feature,
        value=value,
        update_behavior=None if update_behavior is None else f"USAGE_UPDATE_BEHAVIOR_{update_behavior}",
        resource_id=resource,
        dimensions=_dimensions(dimensions),
        timestamp=timestamp,
    )


def event(
    name: str,
    customer: str,
    idempotency_key: str,
    *,
    resource: str | None = None,
    dimensions: dict[str, Any] | None = None,
    timestamp: Any = None,
) -> Any:
    """An Event; arguments as of `usage_report`."""
    return pb.Event(
        event_name=name,
        customer_id=customer,
        idempotency_key=idempotency_key,
        resource_id=resource,
        dimensions=_dimensions(dimensions),
        timestamp=timestamp,
    )


def _given(**options: Any) -> Given:
    return {name: value for name, value in options.items() if value is not None} or None


def _dimensions(values: dict[str, Any] | None) -> dict[str, Any]:
    return {name: _dimension(value) for name, value in (values or {}).items()}


def _dimension(value: Any) -> Any:
    if isinstance(value, bool):
        return pb.EventDimensionValue(boolean_value=value)
    if isinstance(value, str):
        return pb.EventDimensionValue(string_value=value)
    return pb.EventDimensionValue(number_value=value)
