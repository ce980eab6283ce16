"""What upstream says to a report, and what its caller hears: the table of docs/protocol.md section 9, row by row.

The message keeps the vendor's prefix and upstream's text, and the trace id with which support can find the request.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from grpc import StatusCode as Code

from harness.client import Client, event, usage_report
from harness.daemon import Daemon, Daemons
from harness.failures import refusal
from independent_upstream import (
    FOREVER,
    Body,
    DropBeforeReading,
    Reset,
    Silent,
    Status,
    Upstream,
    graphql,
    operation,
)

TEXT = "What upstream has to say"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"

REPORTS: dict[str, tuple[str, str, Callable[[Client], Any]]] = {
    "usage": (
        "ReportUsage",
        "Failed to report usage: ",
        lambda client: client.report_usage("c", "seats", 1, timeout=5),
    ),
    "bulk": (
        "ReportUsageBulk",
        "Failed to report usage: ",
        lambda client: client.report_bulk([usage_report("c", "seats", 1) for _ in range(2)], timeout=5),
    ),
    "events": (
        "ReportEvent",
        "Failed to report events: ",
        lambda client: client.report_events([event("login", "c", "key")], timeout=5),
    ),
}

UPSTREAM_CODES = {
    "Unauthenticated": Code.UNAUTHENTICATED,
    "ApiKeyExpired": Code.UNAUTHENTICATED,
    "AccessDeniedError": Code.PERMISSION_DENIED,
    "IdentityForbidden": Code.PERMISSION_DENIED,
    "CustomerNotFound": Code.NOT_FOUND,
    "FeatureNotFound": Code.NOT_FOUND,
    "CustomerResourceNotFound": Code.NOT_FOUND,
    "BadUserInput": Code.INVALID_ARGUMENT,
    "InvalidArgumentError": Code.INVALID_ARGUMENT,
    "EntitlementUsageOutOfRangeError": Code.INVALID_ARGUMENT,
    "UsageMeasurementDiffOutOfRangeError": Code.INVALID_ARGUMENT,
    "RateLimitExceeded": Code.RESOURCE_EXHAUSTED,
    "EntitlementLimitExceededError": Code.FAILED_PRECONDITION,
    "NoActiveSubscriptionForCustomer": Code.FAILED_PRECONDITION,
    "OperationTimeout": Code.DEADLINE_EXCEEDED,
    "RequestTimeout": Code.DEADLINE_EXCEEDED,
    "UnexpectedError": Code.UNKNOWN,
    "EntityIsArchivedError": Code.UNKNOWN,
    "CannotReportUsageForEntitlementWithMeterError": Code.UNKNOWN,
    "SomethingOfTomorrow": Code.UNKNOWN,
}
"""`extensions.code` of an error in a 200 (section 2.3) -> status."""

HTTP_STATUSES = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    429: Code.RESOURCE_EXHAUSTED,
    500: Code.UNAVAILABLE,
    502: Code.UNAVAILABLE,
    503: Code.UNAVAILABLE,
    504: Code.UNAVAILABLE,
}
"""Without an error in the body."""


def error_body(code: str | None, message: str = TEXT, trace_id: str | None = TRACE_ID) -> bytes:
    extensions = {name: value for name, value in (("code", code), ("traceId", trace_id)) if value is not None}
    return json.dumps({"errors": [{"message": message, "extensions": extensions}], "data": None}).encode()


@pytest.fixture(scope="module")
def client(shared_upstream: Upstream, shared_daemons: Daemons) -> Client:
    shared_upstream.world.customer("c").metered("seats", unlimited=True)
    return shared_daemons(shared_upstream).client


@pytest.fixture
def faulty(shared_upstream: Upstream) -> Any:
    yield shared_upstream.faults
    shared_upstream.faults.clear()


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize(("code", "status"), UPSTREAM_CODES.items())
def test_the_code_of_an_error_decides_the_status(
    code: str, status: Code, report: str, client: Client, faulty: Any
) -> None:
    name, prefix, call = REPORTS[report]
    faulty.inject(operation(name), Body(error_body(code)), times=FOREVER)
    refused = refusal(lambda: call(client))
    assert refused.code is status
    assert refused.message.startswith(prefix + TEXT)
    assert TRACE_ID in refused.message


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize(("http_status", "status"), HTTP_STATUSES.items())
def test_without_an_error_in_the_body_the_http_status_decides(
    http_status: int, status: Code, report: str, client: Client, faulty: Any
) -> None:
    name, prefix, call = REPORTS[report]
    faulty.inject(operation(name), Status(http_status, {"Retry-After": "20"}), times=FOREVER)
    refused = refusal(lambda: call(client))
    assert refused.code is status
    assert refused.message.startswith(prefix)
    assert str(http_status) in refused.message


@pytest.mark.parametrize(
    ("http_status", "code", "status"),
    [
        (400, "BAD_USER_INPUT", Code.INVALID_ARGUMENT),
        (401, "Unauthenticated", Code.UNAUTHENTICATED),
        (403, "IdentityForbidden", Code.PERMISSION_DENIED),
        (500, "INTERNAL_SERVER_ERROR", Code.UNAVAILABLE),
        (400, "CustomerNotFound", Code.NOT_FOUND),
    ],
)
def test_an_error_in_the_body_of_another_status_is_read_too(
    http_status: int, code: str, status: Code, client: Client, faulty: Any
) -> None:
    faulty.inject(operation("ReportUsage"), Status(http_status, body=error_body(code)), times=FOREVER)
    refused = refusal(lambda: client.report_usage("c", "seats", 1))
    assert refused.code is status
    assert refused.message.startswith(f"Failed to report usage: {TEXT}")
    assert TRACE_ID in refused.message


def test_the_throttlers_word_counts_whatever_the_code(client: Client, faulty: Any) -> None:
    """Section 2.5."""
    body = error_body("UnexpectedError", "ThrottlerException: Too Many Requests")
    faulty.inject(operation("ReportUsage"), Body(body), times=FOREVER)
    assert refusal(lambda: client.report_usage("c", "seats", 1)).code is Code.RESOURCE_EXHAUSTED


def test_an_error_without_a_trace_id_reads_well(client: Client, faulty: Any) -> None:
    faulty.inject(operation("ReportUsage"), Body(error_body("CustomerNotFound", trace_id=None)), times=FOREVER)
    assert refusal(lambda: client.report_usage("c", "seats", 1)).message == f"Failed to report usage: {TEXT}"


def test_an_error_without_anything_is_unknown(client: Client, faulty: Any) -> None:
    faulty.inject(operation("ReportUsage"), Body(b'{"errors":[{}],"data":null}'), times=FOREVER)
    refused = refusal(lambda: client.report_usage("c", "seats", 1))
    assert refused.code is Code.UNKNOWN
    assert refused.message.startswith("Failed to report usage: ")


class TestTooManyRequests:
    """The caller is told when to come back, in the status details."""

    def test_retry_after_of_upstream_is_passed_on(self, client: Client, faulty: Any) -> None:
        faulty.inject(operation("ReportUsage"), Status(429, {"Retry-After": "30"}), times=FOREVER)
        assert refusal(lambda: client.report_usage("c", "seats", 1, timeout=5)).retry_after_seconds == 30

    @pytest.mark.parametrize("report", REPORTS)
    def test_without_it_there_is_a_time_all_the_same(self, report: str, client: Client, faulty: Any) -> None:
        name, _, call = REPORTS[report]
        faulty.inject(operation(name), Body(error_body("RateLimitExceeded")), times=FOREVER)
        after = refusal(lambda: call(client)).retry_after_seconds
        assert after is not None
        assert 0 < after <= 60

    def test_other_refusals_carry_no_details(self, client: Client, faulty: Any) -> None:
        faulty.inject(operation("ReportUsage"), Body(error_body("CustomerNotFound")), times=FOREVER)
        assert refusal(lambda: client.report_usage("c", "seats", 1)).retry_after_seconds is None

    def test_a_throttled_report_is_tried_again_and_counted_once(
        self, client: Client, faulty: Any, shared_upstream: Upstream
    ) -> None:
        """Throttling comes before processing, so this is safe in both generations."""
        shared_upstream.world.customer("throttled").metered("seats", unlimited=True)
        faulty.inject(operation("ReportUsage"), Status(429))
        assert client.report_usage("throttled", "seats", 1).current_usage == 1


class TestConnectionFailures:
    @pytest.mark.parametrize("report", REPORTS)
    @pytest.mark.parametrize("failure", [DropBeforeReading(), Reset()], ids=["dropped", "reset"])
    def test_a_broken_connection_is_unavailable(
        self, failure: DropBeforeReading | Reset, report: str, client: Client, faulty: Any
    ) -> None:
        name, prefix, call = REPORTS[report]
        faulty.inject(operation(name), failure, times=FOREVER)
        refused = refusal(lambda: call(client))
        assert refused.code is Code.UNAVAILABLE
        assert refused.message.startswith(prefix)

    @pytest.mark.parametrize("report", REPORTS)
    def test_no_upstream_is_unavailable(self, report: str, upstream: Upstream, sidecar: Daemon) -> None:
        _, prefix, call = REPORTS[report]
        upstream.stop()
        refused = refusal(lambda: call(sidecar.client))
        assert refused.code is Code.UNAVAILABLE
        assert refused.message.startswith(prefix)

    def test_a_report_survives_an_upstream_that_comes_back_in_time(self, upstream: Upstream, sidecar: Daemon) -> None:
        """A refused connection was surely not processed (section 2.4)."""
        upstream.world.customer("c").metered("seats", unlimited=True)
        upstream.faults.inject(operation("ReportUsage"), DropBeforeReading())
        assert sidecar.client.report_usage("c", "seats", 1).current_usage == 1
        assert upstream.world.usage("c", "seats") == 1

    def test_no_answer_is_deadline_exceeded(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.faults.inject(operation("ReportUsage"), Silent(), times=FOREVER)
        client = daemon(upstream, REPORT_TIMEOUT_MS=300).client
        assert refusal(lambda: client.report_usage("c", "seats", 1)).code is Code.DEADLINE_EXCEEDED


UNUSABLE = [b"", b"<html>", b"[]", b"null", b'{"data":null}', b'{"data":{"reportUsage":null}}', b'{"data":{}}']


@pytest.mark.parametrize("body", UNUSABLE)
def test_an_answer_that_cannot_be_read_is_a_failure(body: bytes, client: Client, faulty: Any) -> None:
    """OK means that upstream acknowledged: nothing less will do."""
    faulty.inject(operation("ReportUsage"), Body(body), times=FOREVER)
    refused = refusal(lambda: client.report_usage("c", "seats", 1))
    assert refused.code is Code.UNAVAILABLE
    assert refused.message.startswith("Failed to report usage: ")


def test_a_bulk_answer_of_the_wrong_length_is_a_failure(client: Client, faulty: Any) -> None:
    body = b'{"data":{"reportUsageBulk":[{"id":"m","timestamp":"2026-03-04T17:40:11.512Z"}]}}'
    faulty.inject(operation("ReportUsageBulk"), Body(body), times=FOREVER)
    refused = refusal(lambda: client.report_bulk([usage_report("c", "seats", 1) for _ in range(2)]))
    assert refused.code is Code.UNAVAILABLE
    assert refused.message.startswith("Failed to report usage: ")


class TestWhatTheWorldRefuses:
    """The same, end to end: real reasons of the independent upstream."""

    @pytest.fixture(autouse=True)
    def world(self, shared_upstream: Upstream) -> None:
        world = shared_upstream.world
        world.customer("strict").metered("seats", limit=5, usage=5, reject_over_limit=True).boolean("flag")
        world.customer("left").metered("seats", limit=5)
        world.customer("left").no_subscription()

    @pytest.mark.parametrize(
        ("customer", "feature", "value", "status"),
        [
            pytest.param("nobody", "seats", 1, Code.NOT_FOUND, id="unknown customer"),
            pytest.param("strict", "unheard-of", 1, Code.NOT_FOUND, id="unknown feature"),
            pytest.param("strict", "seats", 1, Code.FAILED_PRECONDITION, id="over the limit"),
            pytest.param("strict", "seats", -9, Code.INVALID_ARGUMENT, id="below zero"),
            pytest.param("left", "seats", 1, Code.FAILED_PRECONDITION, id="no subscription"),
            pytest.param("strict", "flag", 1, Code.UNKNOWN, id="not metered"),
        ],
    )
    def test_it_says_so(self, customer: str, feature: str, value: float, status: Code, client: Client) -> None:
        refused = refusal(lambda: client.report_usage(customer, feature, value))
        assert refused.code is status
        assert refused.message.startswith("Failed to report usage: ")

    def test_an_unknown_resource_is_not_found(self, client: Client) -> None:
        refused = refusal(lambda: client.report_usage("strict", "seats", 1, resource="nowhere"))
        assert refused.code is Code.NOT_FOUND


def test_a_refused_report_leaves_what_is_cached(client: Client, faulty: Any, shared_upstream: Upstream) -> None:
    shared_upstream.world.customer("kept").metered("seats", limit=5, usage=3)
    client.metered("kept", "seats")
    faulty.inject(graphql(), Status(403), times=FOREVER)
    refusal(lambda: client.report_usage("kept", "seats", 1))
    assert client.metered("kept", "seats").entitlement.current_usage == 3
