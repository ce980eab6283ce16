"""`stigg-sidecar dev --data FILE`: a world of one's own, edited while it runs, and the faults of its upstream."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness import expected
from harness.daemon import Daemon, Daemons
from harness.ports import free_port
from harness.process import run
from harness.waiting import SLACK_SECONDS, eventually, timed
from harness.web import HttpAnswer, http

WORLD: dict[str, Any] = {
    "features": {
        "flag": {"type": "boolean"},
        "size": {"type": "numeric", "units": "MB", "unitsPlural": "MB"},
        "region": {"type": "enum"},
        "seats": {"type": "metered", "meter": "fluctuating", "units": "seat", "unitsPlural": "seats"},
        "calls": {"type": "metered", "countEvents": {"event": "call"}},
        "drafts": {"type": "metered"},
    },
    "credits": {"coins": {"displayName": "Coins", "unit": "coin", "unitPlural": "coins"}},
    "plans": {
        "basic": {
            "flag": {},
            "size": {"value": 7},
            "region": {"values": ["eu", "us"]},
            "seats": {"limit": 5},
            "calls": {"limit": 100, "reset": "day"},
            "drafts": {"unlimited": True, "creditRate": {"credit": "coins", "amount": 2}},
            "coins": {"limit": 10},
        }
    },
    "customers": {
        "c": {
            "plan": "basic",
            "overrides": {"seats": {"limit": 50, "softLimit": True}},
            "usage": {"seats": 3, "coins": 4},
            "resources": {"r": {"plan": "basic", "usage": {"seats": 1}}},
        },
        "archived": {"plan": "basic", "archived": True},
        "unsubscribed": {},
    },
}


@pytest.fixture
def data_file(tmp_path: Path) -> Path:
    path = tmp_path / "world.json"
    path.write_text(json.dumps(WORLD, indent=2))
    return path


class TestTheFile:
    @pytest.fixture
    def served(self, data_file: Path, daemon: Daemons) -> Daemon:
        return daemon.dev("--data", str(data_file))

    def test_every_kind_of_entitlement_can_be_described(self, served: Daemon) -> None:
        client = served.client
        assert client.boolean("c", "flag").entitlement == expected.boolean("flag")
        assert client.numeric("c", "size").entitlement == expected.numeric("size", 7, units=("MB", "MB"))
        assert client.enum("c", "region").entitlement == expected.enum("region", ["eu", "us"])
        assert client.v2("c", currency="coins").entitlement.credit == expected.credit(
            "coins", limit=10, usage=4, display_name="Coins", units=("coin", "coins")
        )
        resource = client.metered("c", "seats", resource="r").entitlement
        assert resource == expected.metered("seats", limit=5, usage=1, units=("seat", "seats"))
        overridden = client.metered("c", "seats").entitlement
        assert overridden == expected.metered("seats", limit=50, usage=3, soft_limit=True, units=("seat", "seats"))
        daily = client.metered("c", "calls").entitlement
        assert (daily.usage_limit, daily.reset_period) == (100, 1)

    @pytest.mark.parametrize(
        ("who", "reason"),
        [
            ("nobody", "CUSTOMER_NOT_FOUND"),
            ("archived", "CUSTOMER_IS_ARCHIVED"),
            ("unsubscribed", "NO_ACTIVE_SUBSCRIPTION"),
        ],
    )
    def test_customers_without_entitlements_say_why(self, served: Daemon, who: str, reason: str) -> None:
        assert served.client.boolean(who, "flag").access_denied_reason == expected.reason(reason)

    def test_reports_consume_the_credit_that_pays(self, served: Daemon) -> None:
        served.client.state("c")
        served.client.report_usage("c", "drafts", 3)
        assert served.client.metered("c", "drafts").access_denied_reason == expected.reason("INSUFFICIENT_CREDITS")

    def test_it_can_be_edited_while_running(self, served: Daemon, data_file: Path) -> None:
        assert served.client.boolean("c", "flag").has_access
        edited = json.loads(data_file.read_text())
        del edited["plans"]["basic"]["flag"]
        data_file.write_text(json.dumps(edited))
        eventually(lambda: served.client.reload("c") and not served.client.boolean("c", "flag").has_access)

    def test_an_edit_reaches_checks_by_itself(self, data_file: Path, daemon: Daemons) -> None:
        served = daemon.dev("--data", str(data_file), ENTITLEMENTS_TTL_SECS=1)
        assert served.client.numeric("c", "size").entitlement.value == 7
        data_file.write_text(data_file.read_text().replace('"value": 7', '"value": 8'))
        eventually(lambda: served.client.numeric("c", "size").entitlement.value == 8)

    def test_usage_survives_an_edit_of_something_else(self, served: Daemon, data_file: Path) -> None:
        served.client.report_usage("c", "seats", 4)
        data_file.write_text(data_file.read_text().replace('"value": 7', '"value": 8'))
        eventually(lambda: served.client.reload("c") and served.client.numeric("c", "size").entitlement.value == 8)
        assert served.client.metered("c", "seats").entitlement.current_usage == 7

    def test_a_bad_edit_is_told_and_the_old_world_stays(self, served: Daemon, data_file: Path) -> None:
        data_file.write_text("{ not json")
        line = served.process.stderr.wait_for(lambda line: "data file is kept" in line)
        assert line is not None
        assert served.client.boolean("c", "flag").has_access


MISTAKES = [
    pytest.param('{\n "features": {\n', 3, "", id="cut off"),
    pytest.param('{\n "features": {\n  "f": {"type": "boolean"},\n }\n}', 4, "", id="trailing comma"),
    pytest.param("{\n 'features': {}\n}", 2, "", id="single quotes"),
    pytest.param('{\n "feature": {}\n}', 2, "feature", id="unknown member"),
    pytest.param('{\n "features": {\n  "f": {"type": "flag"}\n }\n}', 3, "flag", id="unknown type"),
    pytest.param('{\n "features": {\n  "f": 5\n }\n}', 3, "features.f", id="not an object"),
    pytest.param('{\n "plans": {\n  "p": {\n   "ghost": {}\n  }\n }\n}', 4, "ghost", id="unknown feature in a plan"),
    pytest.param('{\n "customers": {\n  "c": {\n   "plan": "ghost"\n  }\n }\n}', 4, "ghost", id="unknown plan"),
    pytest.param(
        '{\n "features": {"f": {"type": "boolean"}},\n "plans": {"p": {"f": {\n  "limit": 5}}}\n}',
        4,
        "limit",
        id="a limit of a boolean",
    ),
    pytest.param(
        '{\n "features": {"f": {"type": "metered"}},\n "plans": {"p": {"f": {\n  "reset": "fortnight"}}}\n}',
        4,
        "fortnight",
        id="unknown reset",
    ),
    pytest.param(
        '{\n "features": {"f": {"type": "metered"}},\n "customers": {"c": {"usage": {\n  "f": "three"}}}\n}',
        4,
        "usage",
        id="usage is no number",
    ),
]


@pytest.mark.parametrize(("text", "line", "named"), MISTAKES)
def test_a_mistake_in_the_file_ends_the_start_and_names_its_line(
    text: str, line: int, named: str, tmp_path: Path
) -> None:
    path = tmp_path / "world.json"
    path.write_text(text)
    ended = run("dev", "--data", str(path), PORT=1, HTTP_PORT=0)
    assert ended.returncode == 78
    (told,) = [each for each in ended.stderr.splitlines() if str(path) in each]
    assert f"{path}:{line}" in told or f"line {line}" in told
    assert named in told


def test_all_mistakes_are_told_together(tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    path.write_text('{\n "features": {\n  "a": {"type": "x"},\n  "b": {"type": "y"}\n },\n "planes": {}\n}')
    ended = run("dev", "--data", str(path), PORT=1, HTTP_PORT=0)
    assert ended.returncode == 78
    assert {f"{path}:{line}" for line in (3, 4, 6)} <= {each.partition(": ")[0] for each in ended.stderr.splitlines()}


def test_a_missing_file_ends_the_start(tmp_path: Path) -> None:
    ended = run("dev", "--data", str(tmp_path / "absent.json"), PORT=1, HTTP_PORT=0)
    assert ended.returncode == 78
    assert "absent.json" in ended.stderr


class TestFaults:
    """The control endpoint of the embedded upstream: what application teams test their own resilience with."""

    @pytest.fixture
    def served(self, data_file: Path, daemon: Daemons) -> Daemon:
        served = daemon.dev("--data", str(data_file), ENTITLEMENTS_TIMEOUT_MS=1000)
        served.wait_until_ready_to_serve()
        return served

    @staticmethod
    def control(served: Daemon, method: str, fault: Any = None) -> HttpAnswer:
        body = None if fault is None else json.dumps(fault).encode()
        return http(served.dev_upstream_port, "/_dev/faults", method, body)

    @pytest.mark.parametrize(
        "fault",
        [
            {"fault": "status", "status": 403},
            {"fault": "status", "status": 503, "retryAfterSecs": 2},  # waited for by the breaker
            {"fault": "close"},
            {"fault": "close-after"},
            {"fault": "reset"},
            {"fault": "half-body"},
            {"fault": "bad-json"},
            {"fault": "silent"},
        ],
        ids=lambda fault: fault["fault"],
    )
    def test_a_fault_is_a_failure_until_it_is_taken_back(self, served: Daemon, fault: dict[str, Any]) -> None:
        assert self.control(served, "POST", fault).status == 200
        assert served.client.boolean("c", "flag").is_fallback
        assert self.control(served, "DELETE").status == 200
        assert eventually(
            lambda: served.client.boolean("c", "flag"), until=lambda each: not each.is_fallback
        ).has_access

    def test_a_fault_may_end_by_itself(self, served: Daemon) -> None:
        self.control(served, "POST", {"fault": "status", "status": 403, "times": 2})
        answers = [served.client.boolean("c", "flag").is_fallback for _ in range(3)]
        assert answers == [True, True, False]

    def test_a_fault_may_hit_one_api_only(self, served: Daemon) -> None:
        self.control(served, "POST", {"fault": "status", "status": 403, "channel": "graphql"})
        assert served.client.boolean("c", "flag").has_access
        assert not served.client.reload("c").entitled_entity_exists

    def test_a_delay_is_only_a_delay(self, served: Daemon) -> None:
        self.control(served, "POST", {"fault": "delay", "delayMs": 300, "channel": "edge"})
        answer, seconds = timed(lambda: served.client.boolean("c", "flag"))
        assert answer.has_access
        assert 0.3 <= seconds < 0.3 + 2 * SLACK_SECONDS

    def test_faults_are_listed(self, served: Daemon) -> None:
        self.control(served, "POST", {"fault": "status", "status": 500, "times": 3})
        listed = json.loads(self.control(served, "GET").body)
        assert [(each["fault"], each["times"]) for each in listed] == [("status", 3)]
        assert json.loads(self.control(served, "DELETE").body) == []

    @pytest.mark.parametrize(
        "fault", [{"fault": "explode"}, {"fault": "close", "channel": "carrier pigeon"}, [], {}, {"fault": 5}]
    )
    def test_a_fault_that_makes_no_sense_is_refused(self, served: Daemon, fault: Any) -> None:
        answer = self.control(served, "POST", fault)
        assert answer.status == 400
        assert json.loads(answer.body)["error"]

    @pytest.mark.parametrize(
        ("fault", "told"),
        [
            ({"fault": "status", "status": 1}, "status: expected a whole number, 100 to 599, got 1"),
            ({"fault": "close", "times": 0}, "times: expected a whole number, 1 to 1000000000, got 0"),
            ({"fault": "delay", "delayMs": 600_001}, "delayMs: expected a whole number, 0 to 600000, got 600001"),
            ({"fault": "close", "tmies": 1}, "tmies: is not known of this fault (got 1); expected fault, channel, times"),
        ],
    )
    def test_nonsense_is_told_with_member_value_and_what_is_accepted(
        self, served: Daemon, fault: dict[str, Any], told: str
    ) -> None:
        answer = self.control(served, "POST", fault)
        assert (answer.status, json.loads(answer.body)) == (400, {"error": told})
        assert json.loads(self.control(served, "GET").body) == []

    def test_requests_are_counted(self, served: Daemon) -> None:
        served.client.boolean("c", "flag")
        served.client.report_usage("c", "seats", 1)
        counted = json.loads(http(served.dev_upstream_port, "/_dev/requests").body)
        assert counted == {"edge": 2, "graphql": 1}, "the start-up check is one of the Edge's"


def test_the_upstream_can_be_given_a_port(daemon: Daemons) -> None:
    port = free_port()
    assert daemon.dev("--upstream-port", str(port)).dev_upstream_port == port


def test_the_upstream_listens_where_it_is_told(daemon: Daemons) -> None:
    started = daemon.dev("--upstream-address", "127.0.0.2")
    assert started.client.boolean("customer-demo-01", "feature-02-campaigns") is not None
    (line,) = (line for line in started.process.stdout.lines if line.startswith("dev upstream on "))
    assert line.startswith("dev upstream on http://127.0.0.2:")


def test_an_upstream_address_that_is_none_is_told() -> None:
    ended = run("dev", "--upstream-address", "nowhere", PORT=free_port(), HTTP_PORT=0)
    assert ended.returncode == 78
    assert "nowhere" in ended.stderr
    assert "--upstream-address" in ended.stderr
