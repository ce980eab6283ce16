"""Requests that make no sense: INVALID_ARGUMENT naming the field, before anything is asked of upstream.

Design section 11; docs/api.md, "Requests that are refused"; docs/protocol.md section 13.1.
"""

import math
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from harness.client import Client, event, usage_report
from harness.contract import METHODS, pb
from harness.daemon import Daemon, Daemons
from harness.failures import invalid_argument, refusal
from independent_upstream import Upstream, customer, sdk_configuration

ID_BYTES_MAX = 1024
MESSAGE_BYTES_MAX = 4 * 1024 * 1024
METADATA_BYTES_MAX = 16 * 1024


@pytest.fixture(scope="module")
def sidecar(shared_upstream: Upstream, shared_daemons: Daemons) -> Daemon:
    """Shared: what is refused changes nothing."""
    shared_upstream.world.customer("c").boolean("f").metered("seats", limit=5)
    return shared_daemons(shared_upstream)


@pytest.fixture
def client(sidecar: Daemon, shared_upstream: Upstream) -> Any:
    """Afterwards nothing may have been asked of upstream, and the daemon answers as ever."""
    sidecar.client.boolean("c", "f")
    shared_upstream.recorder.wait_for(customer("c"))
    sidecar.wait_until_ready_to_serve()
    before = shared_upstream.recorder.count(~sdk_configuration())
    yield sidecar.client
    assert shared_upstream.recorder.count(~sdk_configuration()) == before
    assert sidecar.client.boolean("c", "f").has_access


Call = Callable[[Client, str], Any]
"""Makes a request with a given value in the field in question."""

ID_FIELDS: dict[str, tuple[str, Call, bool]] = {
    "GetBooleanEntitlement customer": ("customer_id", lambda client, id: client.boolean(id, "f"), True),
    "GetBooleanEntitlement feature": ("feature_id", lambda client, id: client.boolean("c", id), True),
    "GetBooleanEntitlement resource": ("resource_id", lambda client, id: client.boolean("c", "f", resource=id), False),
    "GetNumericEntitlement customer": ("customer_id", lambda client, id: client.numeric(id, "f"), True),
    "GetNumericEntitlement feature": ("feature_id", lambda client, id: client.numeric("c", id), True),
    "GetNumericEntitlement resource": ("resource_id", lambda client, id: client.numeric("c", "f", resource=id), False),
    "GetMeteredEntitlement customer": ("customer_id", lambda client, id: client.metered(id, "f"), True),
    "GetMeteredEntitlement feature": ("feature_id", lambda client, id: client.metered("c", id), True),
    "GetMeteredEntitlement resource": ("resource_id", lambda client, id: client.metered("c", "f", resource=id), False),
    "GetEnumEntitlement customer": ("customer_id", lambda client, id: client.enum(id, "f"), True),
    "GetEnumEntitlement feature": ("feature_id", lambda client, id: client.enum("c", id), True),
    "GetEnumEntitlement resource": ("resource_id", lambda client, id: client.enum("c", "f", resource=id), False),
    "GetEntitlement customer": ("customer_id", lambda client, id: client.generic(id, "f"), True),
    "GetEntitlement feature": ("feature_id", lambda client, id: client.generic("c", id), True),
    "GetEntitlement resource": ("resource_id", lambda client, id: client.generic("c", "f", resource=id), False),
    "GetEntitlementV2 customer": ("customer_id", lambda client, id: client.v2(id, "f"), True),
    "GetEntitlementV2 feature": ("feature_id", lambda client, id: client.v2("c", id), True),
    "GetEntitlementV2 currency": ("currency_id", lambda client, id: client.v2("c", currency=id), True),
    "GetEntitlementV2 resource": ("resource_id", lambda client, id: client.v2("c", "f", resource=id), False),
    "GetEntitlements customer": ("customer_id", lambda client, id: client.entitlements(id), True),
    "GetEntitlements resource": ("resource_id", lambda client, id: client.entitlements("c", resource=id), False),
    "GetEntitlementsStateV2 customer": ("customer_id", lambda client, id: client.state(id), True),
    "GetEntitlementsStateV2 resource": ("resource_id", lambda client, id: client.state("c", resource=id), False),
    "ReloadEntitlements customer": ("customer_id", lambda client, id: client.reload(id), True),
    "ReloadEntitlements resource": ("resource_id", lambda client, id: client.reload("c", resource=id), False),
    "ReportUsage customer": ("customer_id", lambda client, id: client.report_usage(id, "f", 1), True),
    "ReportUsage feature": ("feature_id", lambda client, id: client.report_usage("c", id, 1), True),
    "ReportUsage resource": ("resource_id", lambda client, id: client.report_usage("c", "f", 1, resource=id), False),
    "ReportUsageBulk customer": (
        "usages[1].customer_id",
        lambda client, id: client.report_bulk([usage_report("c", "f", 1), usage_report(id, "f", 1)]),
        True,
    ),
    "ReportEvents customer": (
        "events[1].customer_id",
        lambda client, id: client.report_events([event("e", "c", "k"), event("e", id, "k")]),
        True,
    ),
}
"""Where an id can stand: the field's name in the message, the request, whether it is required."""

REQUIRED = {name: each for name, each in ID_FIELDS.items() if each[2]}

BAD_IDS = {
    "one byte too long": "x" * (ID_BYTES_MAX + 1),
    "one MiB": "x" * 1024 * 1024,
    "too long in bytes, not in characters": "ä" * (ID_BYTES_MAX // 2 + 1),
    "NUL": "a\x00b",
    "newline": "a\nb",
    "escape": "\x1b[31m",
    "DEL": "a\x7f",
}


@pytest.mark.parametrize("field", REQUIRED)
def test_an_empty_id_is_refused(field: str, client: Client) -> None:
    name, call, _ = REQUIRED[field]
    assert name in invalid_argument(lambda: call(client, ""))


@pytest.mark.parametrize("id", BAD_IDS)
@pytest.mark.parametrize("field", ID_FIELDS)
def test_a_bad_id_is_refused(field: str, id: str, client: Client) -> None:
    name, call, _ = ID_FIELDS[field]
    message = invalid_argument(lambda: call(client, BAD_IDS[id]))
    assert message.startswith(name)
    assert len(message) < 300, "what was sent is not thrown back"
    assert message.isprintable()


def test_the_longest_id_is_accepted(sidecar: Daemon) -> None:
    longest = "ä" * (ID_BYTES_MAX // 2)
    answer = sidecar.client.boolean(longest, longest, resource=longest)
    assert not answer.has_access


NOT_A_MESSAGE = {
    "a tag without an end": b"\xff\xff\xff",
    "a length beyond the end": b"\x0a\x7fabc",
    "wire type 7": b"\x0f",
    "field number 0": b"\x02\x00",
    "an end of group": b"\x0c",
    "a varint without an end": b"\x80" * 11,
}


@pytest.mark.parametrize("garbage", NOT_A_MESSAGE)
@pytest.mark.parametrize("method", METHODS)
def test_bytes_that_are_no_message_are_refused(method: str, garbage: str, client: Client) -> None:
    assert invalid_argument(lambda: client.raw(method, NOT_A_MESSAGE[garbage]))


def bytes_field(number: int, value: bytes) -> bytes:
    """A length-delimited field of fewer than 128 bytes."""
    return bytes([number << 3 | 2, len(value)]) + value


BAD_UTF8 = [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ok\xe4"]
"""A lone byte, an overlong form, a surrogate, a code point beyond the last, a character cut off."""


@pytest.mark.parametrize("text", BAD_UTF8)
@pytest.mark.parametrize("method", [method for method in METHODS if method.startswith("Get") or "Reload" in method])
def test_a_customer_id_that_is_not_utf8_is_refused(method: str, text: bytes, client: Client) -> None:
    assert "customer_id" in invalid_argument(lambda: client.raw(method, bytes_field(1, text)))


FINE = bytes_field(1, b"c") + bytes_field(2, b"f")

BAD_UTF8_ELSEWHERE = {
    "feature": ("GetBooleanEntitlement", bytes_field(1, b"c") + bytes_field(2, b"\xff"), "feature_id"),
    "resource": ("GetBooleanEntitlement", FINE + bytes_field(3, b"\xff"), "resource_id"),
    "requested value": (
        "GetEnumEntitlement", FINE + bytes_field(4, bytes_field(1, b"\xff")), "options.requested_values",
    ),
    "value of a fallback": (
        "GetEnumEntitlement",
        FINE + bytes_field(4, bytes_field(2, bytes_field(2, b"\xff"))),
        "options.fallback.enum_values",
    ),
    "event name": ("ReportEvents", bytes_field(1, bytes_field(1, b"\xff")), "events.event_name"),
    "name of a dimension": (
        "ReportUsage", FINE + bytes_field(6, bytes_field(1, b"\xff") + bytes_field(2, b"")), "dimensions",
    ),
    "text of a dimension": (
        "ReportUsage",
        FINE + bytes_field(6, bytes_field(1, b"d") + bytes_field(2, bytes_field(1, b"\xff"))),
        "dimensions",
    ),
}  # fmt: skip


@pytest.mark.parametrize("where", BAD_UTF8_ELSEWHERE)
def test_any_text_that_is_not_utf8_is_refused_by_name(where: str, client: Client) -> None:
    method, request, field = BAD_UTF8_ELSEWHERE[where]
    message = invalid_argument(lambda: client.raw(method, request))
    assert field in message
    assert "UTF-8" in message


def test_an_unknown_field_is_passed_over(sidecar: Daemon) -> None:
    """What a newer client sends."""
    request = pb.GetBooleanEntitlementRequest(customer_id="c", feature_id="f").SerializeToString()
    response = sidecar.client.raw("GetBooleanEntitlement", request + bytes_field(15, b"new"))
    assert pb.GetBooleanEntitlementResponse.FromString(response).has_access


NOT_FINITE = [math.nan, math.inf, -math.inf]

NUMBER_FIELDS: dict[str, tuple[str, Callable[[Client, float], Any]]] = {
    "GetMeteredEntitlement requested": (
        "options.requested_usage", lambda client, value: client.metered("c", "f", requested_usage=value),
    ),
    "GetEntitlement requested": (
        "options.requested_usage", lambda client, value: client.generic("c", "f", requested_usage=value),
    ),
    "GetEntitlementV2 requested": (
        "options.requested_usage", lambda client, value: client.v2("c", "f", requested_usage=value),
    ),
    "GetMeteredEntitlement fallback": (
        "options.fallback.usage_limit",
        lambda client, value: client.metered("c", "f", fallback={"has_access": True, "usage_limit": value}),
    ),
    "GetEntitlement fallback": (
        "options.fallback.usage_limit",
        lambda client, value: client.generic("c", "f", fallback={"has_access": True, "usage_limit": value}),
    ),
    "ReportUsage value": ("value", lambda client, value: client.report_usage("c", "f", value)),
    "ReportUsage SET": ("value", lambda client, value: client.report_usage("c", "f", value, update_behavior="SET")),
    "ReportUsage dimension": (
        "dimensions[d]", lambda client, value: client.report_usage("c", "f", 1, dimensions={"d": value}),
    ),
    "ReportUsageBulk value": (
        "usages[0].value", lambda client, value: client.report_bulk([usage_report("c", "f", value)]),
    ),
    "ReportEvents dimension": (
        "events[0].dimensions[d]",
        lambda client, value: client.report_events([event("e", "c", "k", dimensions={"d": value})]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("value", NOT_FINITE)
@pytest.mark.parametrize("field", NUMBER_FIELDS)
def test_a_number_that_is_not_finite_is_refused(field: str, value: float, client: Client) -> None:
    name, call = NUMBER_FIELDS[field]
    assert invalid_argument(lambda: call(client, value)).startswith(name)


NO_NEGATIVES = [
    "GetMeteredEntitlement requested", "GetEntitlement requested", "GetEntitlementV2 requested", "ReportUsage SET",
]  # fmt: skip


@pytest.mark.parametrize("value", [-1, -0.001, -1e300])
@pytest.mark.parametrize("field", NO_NEGATIVES)
def test_a_negative_request_or_set_is_refused(field: str, value: float, client: Client) -> None:
    name, call = NUMBER_FIELDS[field]
    assert invalid_argument(lambda: call(client, value)).startswith(name)


@pytest.mark.parametrize("value", [-0.0, 0.0, 5e-324, 1e308])
def test_any_other_requested_usage_is_accepted(value: float, sidecar: Daemon) -> None:
    sidecar.client.metered("c", "seats", requested_usage=value)


WRITE_MISTAKES: dict[str, tuple[str, Callable[[Client], Any]]] = {
    "101 dimensions": (
        "dimensions",
        lambda client: client.report_usage("c", "f", 1, dimensions={str(i): i for i in range(101)}),
    ),
    "a dimension without a name": ("dimensions", lambda client: client.report_usage("c", "f", 1, dimensions={"": 1})),
    "a dimension without a value": (
        "dimensions[d]",
        lambda client: client.report_bulk(
            [pb.ReportUsageRequest(customer_id="c", feature_id="f", dimensions={"d": pb.EventDimensionValue()})]
        ),
    ),
    "an update behaviour of tomorrow": (
        "usages[0].update_behavior",
        lambda client: client.report_bulk(
            [pb.ReportUsageRequest(customer_id="c", feature_id="f", value=1, update_behavior=99)]
        ),
    ),
    "a time before year 1": (
        "timestamp",
        lambda client: client.report_bulk(
            [pb.ReportUsageRequest(customer_id="c", feature_id="f", timestamp={"seconds": -62135596801})]
        ),
    ),
    "a time after year 9999": (
        "timestamp",
        lambda client: client.report_bulk(
            [pb.ReportUsageRequest(customer_id="c", feature_id="f", timestamp={"seconds": 253402300800})]
        ),
    ),
    "a time with too many nanos": (
        "timestamp",
        lambda client: client.report_bulk(
            [pb.ReportUsageRequest(customer_id="c", feature_id="f", timestamp={"nanos": 1_000_000_000})]
        ),
    ),
    "an event without a key": (
        "events[0].idempotency_key", lambda client: client.report_events([event("e", "c", "")]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", WRITE_MISTAKES)
def test_a_report_that_makes_no_sense_is_refused(mistake: str, client: Client) -> None:
    field, call = WRITE_MISTAKES[mistake]
    assert field in invalid_argument(lambda: call(client))


@pytest.mark.parametrize(
    ("service", "method"),
    [
        ("stigg.sidecar.v1.SidecarService", "GetEverything"),
        ("stigg.sidecar.v1.SidecarService", "getentitlements"),
        ("stigg.sidecar.v2.SidecarService", "GetEntitlements"),
        ("", "GetEntitlements"),
    ],
)
def test_an_unknown_rpc_is_unimplemented(service: str, method: str, client: Client) -> None:
    assert refusal(lambda: client.raw(method, b"", service=service)).code is grpc.StatusCode.UNIMPLEMENTED


def test_a_message_over_the_limit_is_resource_exhausted(client: Client) -> None:
    request = pb.ReportEventsRequest(events=[event("e" * 1000, "c", "k")] * (MESSAGE_BYTES_MAX // 1000))
    assert request.ByteSize() > MESSAGE_BYTES_MAX
    refused = refusal(lambda: client.raw("ReportEvents", request.SerializeToString()))
    assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_metadata_over_the_limit_is_refused(sidecar: Daemon, client: Client) -> None:
    """gRPC may close the connection for it: only the sender's own."""
    with Client(sidecar.target) as sender:
        stub = sender.channel.unary_unary("/stigg.sidecar.v1.SidecarService/GetEntitlements")
        refused = refusal(lambda: stub(b"", timeout=5, metadata=[("x-padding", "x" * METADATA_BYTES_MAX)]))
    assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_refusals_are_counted(sidecar: Daemon, client: Client) -> None:
    before = sidecar.metrics()["sidecar_rejected_requests_total"]
    invalid_argument(lambda: client.boolean("", "f"))
    invalid_argument(lambda: client.raw("GetEntitlements", b"\xff"))
    assert sidecar.metrics()["sidecar_rejected_requests_total"] == before + 2


def test_nothing_of_a_request_becomes_a_metric_label(sidecar: Daemon) -> None:
    sidecar.client.boolean("label-customer", "label-feature", resource="label-resource")
    assert "label-" not in sidecar.metrics().text


def test_a_burst_of_bad_requests_disturbs_nobody(sidecar: Daemon, client: Client) -> None:
    bad = [client.background.boolean("", "f") for _ in range(300)]
    good = [client.background.boolean("c", "f") for _ in range(300)]
    assert all(call.result(timeout=10).has_access for call in good)
    assert {call.code() for call in bad} == {grpc.StatusCode.INVALID_ARGUMENT}
