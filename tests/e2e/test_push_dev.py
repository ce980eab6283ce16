"""`stigg-sidecar dev` pushes usage, events and edits of its data file, and breaks on demand (docs/dev.md)."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.client import event
from harness.daemon import Daemon, Daemons
from harness.waiting import eventually
from harness.web import http

CUSTOMER, FEATURE = "customer-demo-01", "feature-01-templates"

SUBSCRIPTIONS = ("entitlementsUpdatedV2", "usageUpdatedV2", "packagePublished")

RECONNECT_SECONDS = 30.0
"""As in test_push_connection."""


@pytest.fixture
def live(daemon: Daemons) -> Daemon:
    live = daemon.dev(WS_ENABLED=1)
    wait_for_subscriptions(live)
    return live


def control(live: Daemon, path: str, body: Any = None, method: str | None = None) -> Any:
    """The control endpoint's answer; POST when there is a body."""
    text = None if body is None else json.dumps(body).encode()
    answer = http(live.dev_upstream_port, f"/_dev/{path}", method or ("GET" if body is None else "POST"), text)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def wait_for_subscriptions(live: Daemon, connection: int = 1, within: float = RECONNECT_SECONDS) -> None:
    """Until the connection of this number has its subscriptions."""
    eventually(
        lambda: control(live, "subscribers"),
        lambda seen: seen["accepted"] >= connection and all(seen["subscriptions"][each] == 1 for each in SUBSCRIPTIONS),
        within,
    )


def report_elsewhere(live: Daemon, value: float, customer: str = CUSTOMER, feature: str = FEATURE) -> None:
    """Reports usage to the dev upstream itself, as another application's sidecar does."""
    query = "mutation ReportUsage($input: ReportUsageInput!) { reportUsage(input: $input) { id } }"
    usage = {"customerId": customer, "featureId": feature, "value": value}
    body = {"operationName": "ReportUsage", "query": query, "variables": {"input": usage}}
    answer = http(live.dev_upstream_port, "/graphql", "POST", json.dumps(body).encode())
    assert "errors" not in json.loads(answer.body)


def usage(live: Daemon, feature: str = FEATURE, customer: str = CUSTOMER) -> float:
    seen: float = live.client.metered(customer, feature).entitlement.current_usage
    return seen


def fetches(live: Daemon) -> int:
    return int(control(live, "requests")["edge"])


def test_a_report_of_somebody_else_shows(live: Daemon) -> None:
    assert usage(live) == 3
    before = fetches(live)
    report_elsewhere(live, 2)
    eventually(lambda: usage(live), lambda seen: seen == 5)
    assert fetches(live) == before, "pushed, not fetched"


def test_a_report_of_our_own_comes_back_and_counts_once(live: Daemon) -> None:
    usage(live)
    live.client.report_usage(CUSTOMER, FEATURE, 1)
    assert usage(live) == 4
    report_elsewhere(live, 1)
    eventually(lambda: usage(live), lambda seen: seen == 5)


def test_counted_events_show(live: Daemon) -> None:
    """Nothing else could bring their figure: the answer to ReportEvents has none."""
    active_users = "feature-07-active-users"
    assert usage(live, active_users) == 1
    before = fetches(live)
    users = ["u1", "u2", "u2"]
    live.client.report_events(
        [event("user_login", CUSTOMER, f"key-{i}", dimensions={"user_id": user}) for i, user in enumerate(users)]
    )
    eventually(lambda: usage(live, active_users), lambda seen: seen == 3)
    assert fetches(live) == before


def test_edits_of_the_data_file_show(daemon: Daemons, tmp_path: Path) -> None:
    world: dict[str, Any] = {
        "features": {"seats": {"type": "metered"}, "flag": {"type": "boolean"}},
        "plans": {"p": {"seats": {"limit": 5}}},
        "customers": {"c": {"plan": "p"}, "other": {"plan": "p"}},
    }
    data_file = tmp_path / "world.json"
    data_file.write_text(json.dumps(world))
    live = daemon.dev("--data", str(data_file), WS_ENABLED=1)
    wait_for_subscriptions(live)
    for customer in ("c", "other"):
        assert live.client.metered(customer, "seats").entitlement.usage_limit == 5
    before = fetches(live)
    world["customers"]["c"]["overrides"] = {"seats": {"limit": 9}, "flag": {}}
    data_file.write_text(json.dumps(world))
    eventually(lambda: live.client.boolean("c", "flag").has_access)
    assert live.client.metered("c", "seats").entitlement.usage_limit == 9
    world["customers"]["c"] = {"plan": "p", "archived": True}
    data_file.write_text(json.dumps(world))
    eventually(lambda: not live.client.metered("c", "seats").has_access)
    assert live.client.metered("other", "seats").entitlement.usage_limit == 5
    assert fetches(live) == before, "pushed, not fetched"


def test_a_closed_connection_comes_back_and_nothing_is_missed(live: Daemon) -> None:
    """In the gap it is asked for, after it pushed."""
    usage(live)
    control(live, "faults", {"fault": "close", "channel": "websocket", "code": 1011, "times": 1})
    report_elsewhere(live, 1)
    eventually(lambda: usage(live), lambda seen: seen == 4)
    wait_for_subscriptions(live, connection=2)
    report_elsewhere(live, 1)
    eventually(lambda: usage(live), lambda seen: seen == 5)


def test_a_refused_upgrade_is_tried_again(live: Daemon) -> None:
    usage(live)
    control(live, "faults", {"fault": "refuse", "channel": "websocket", "times": 1})
    control(live, "faults", {"fault": "close", "channel": "websocket", "times": 1})
    wait_for_subscriptions(live, connection=2, within=2 * RECONNECT_SECONDS)
    report_elsewhere(live, 2)
    eventually(lambda: usage(live), lambda seen: seen == 5)


def test_half_a_message_is_left_out(live: Daemon) -> None:
    usage(live)
    control(live, "faults", {"fault": "bad-json", "channel": "websocket", "times": 1})
    report_elsewhere(live, 1)
    report_elsewhere(live, 1)
    eventually(lambda: usage(live), lambda seen: seen == 5)
    assert control(live, "subscribers")["accepted"] == 1


def test_any_push_can_be_sent(live: Daemon) -> None:
    assert usage(live) == 3
    value = {
        "customerId": CUSTOMER,
        "resourceId": None,
        "entitlementReference": {"type": "FEATURE", "id": FEATURE},
        "usage": {"currentUsage": 6, "usageUpdatedAt": "2099-01-01T00:00:00.000Z"},
    }
    payload = {"data": {"usageUpdatedV2": value}}
    assert control(live, "push", {"subscription": "usageUpdatedV2", "payload": payload}) == {"subscriptions": 1}
    eventually(lambda: usage(live), lambda seen: seen == 6)
