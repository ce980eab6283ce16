"""OFFLINE=1: no key, no network; and OFFLINE_DATA_FILE, which answers for real (docs/protocol.md section 8)."""

import json
from pathlib import Path
from typing import Any

import grpc
import pytest

from harness import expected
from harness.client import Client, event, usage_report
from harness.contract import pb
from harness.daemon import Daemon, Daemons
from harness.failures import invalid_argument, refusal
from harness.process import run
from independent_upstream import Upstream

FALLBACKS = {
    "flag": {"hasAccess": True},
    "size": {"hasAccess": True, "value": 7},
    "seats": {"hasAccess": True, "usageLimit": 10},
    "region": {"hasAccess": True, "enumValues": ["eu"]},
}

UNKNOWN = expected.reason("UNKNOWN")


@pytest.fixture(scope="module")
def client(shared_daemons: Daemons) -> Client:
    return shared_daemons(OFFLINE=1, ENTITLEMENTS_FALLBACK=json.dumps(FALLBACKS)).client


class TestWithoutData:
    def test_checks_answer_the_configured_fallbacks(self, client: Client) -> None:
        assert client.boolean("c", "flag") == pb.GetBooleanEntitlementResponse(
            has_access=True, is_fallback=True, access_denied_reason=UNKNOWN, entitlement={}
        )
        assert client.numeric("c", "size").entitlement == pb.NumericEntitlement(value=7)
        assert client.metered("c", "seats").entitlement == expected.metered_without_feature(limit=10)
        assert client.enum("c", "region").entitlement == pb.EnumEntitlement(enum_values=["eu"])

    def test_the_fallback_of_the_call_comes_first(self, client: Client) -> None:
        answer = client.boolean("c", "flag", fallback={"has_access": False})
        assert (answer.has_access, answer.is_fallback) == (False, True)

    @pytest.mark.parametrize("getter", ["boolean", "numeric", "metered", "enum", "generic"])
    def test_without_any_fallback_checks_are_denied(self, client: Client, getter: str) -> None:
        answer = getattr(client, getter)("c", "unheard-of")
        assert (answer.has_access, answer.is_fallback, answer.access_denied_reason) == (False, True, UNKNOWN)

    def test_lists_are_the_configured_fallbacks(self, client: Client) -> None:
        kinds = ["boolean", "numeric", "metered", "enum"]
        assert [each.WhichOneof("entitlement") for each in client.entitlements("c").entitlements] == kinds
        state = client.state("c")
        assert [each.WhichOneof("entitlement") for each in state.entitlements] == kinds
        assert all(each.is_fallback and each.has_access for each in state.entitlements)

    def test_reports_succeed_with_a_random_measurement_id(self, client: Client) -> None:
        answers = [client.report_usage("c", "seats", 1) for _ in range(2)]
        answers += client.report_bulk([usage_report("c", "seats", 1) for _ in range(3)]).usages
        assert len({answer.measurement_id for answer in answers} - {""}) == 5

    def test_reports_count_nothing(self, client: Client) -> None:
        client.report_usage("c", "seats", 4)
        assert client.metered("c", "seats").entitlement.current_usage == 0

    def test_events_succeed(self, client: Client) -> None:
        client.report_events([event("login", "c", "key")])

    def test_a_reload_is_true(self, client: Client) -> None:
        assert client.reload("c") == pb.ReloadEntitlementsResponse(entitled_entity_exists=True)

    def test_bad_requests_are_refused_as_ever(self, client: Client) -> None:
        assert "customer_id" in invalid_argument(lambda: client.boolean("", "flag"))
        assert "value" in invalid_argument(lambda: client.report_usage("c", "seats", float("inf")))

    def test_nothing_goes_over_the_network(self, upstream: Upstream, daemon: Daemons) -> None:
        """The addresses are set, and nobody connects to them."""
        offline = daemon(upstream, OFFLINE=1)
        ask_everything(offline.client)
        offline.wait_until_ready_to_serve()
        offline.stop()
        assert upstream.recorder.connections == 0

    def test_it_is_ready_at_once(self, daemon: Daemons) -> None:
        assert daemon(OFFLINE=1, START_GRACE_MS=3_600_000).http("/readyz").status == 200


def ask_everything(client: Client) -> None:
    for getter in (client.boolean, client.numeric, client.metered, client.enum, client.generic, client.v2):
        getter("c", "flag")
    client.entitlements("c")
    client.state("c")
    client.reload("c")
    client.report_usage("c", "seats", 1)
    client.report_bulk([usage_report("c", "seats", 1)])
    client.report_events([event("login", "c", "key")])


DATA: dict[str, Any] = {
    "features": {"seats": {"type": "metered"}, "flag": {"type": "boolean"}},
    "plans": {"basic": {"seats": {"limit": 5}, "flag": {}}},
    "customers": {"c": {"plan": "basic", "usage": {"seats": 3}, "resources": {"r": {"plan": "basic"}}}},
}


@pytest.fixture
def data_file(tmp_path: Path) -> Path:
    path = tmp_path / "offline.json"
    path.write_text(json.dumps(DATA))
    return path


class TestWithData:
    @pytest.fixture
    def served(self, data_file: Path, daemon: Daemons) -> Daemon:
        return daemon(OFFLINE=1, OFFLINE_DATA_FILE=data_file, ENTITLEMENTS_FALLBACK=json.dumps(FALLBACKS))

    def test_checks_are_real_answers(self, served: Daemon) -> None:
        client = served.client
        assert client.boolean("c", "flag") == pb.GetBooleanEntitlementResponse(
            has_access=True, entitlement=expected.boolean("flag")
        )
        answer = client.metered("c", "seats", requested_usage=3)
        assert (answer.is_fallback, answer.access_denied_reason) == (
            False, expected.reason("REQUESTED_USAGE_EXCEEDING_LIMIT"),
        )  # fmt: skip
        assert client.metered("c", "seats", resource="r").entitlement.current_usage == 0

    def test_who_is_not_in_the_file_is_unknown(self, served: Daemon) -> None:
        answer = served.client.boolean("nobody", "flag")
        assert (answer.is_fallback, answer.access_denied_reason) == (False, expected.reason("CUSTOMER_NOT_FOUND"))

    def test_reports_are_counted_in_memory(self, served: Daemon) -> None:
        assert served.client.report_usage("c", "seats", 1).current_usage == 4
        assert served.client.metered("c", "seats").entitlement.current_usage == 4
        assert served.client.report_usage("c", "seats", 0, update_behavior="SET").current_usage == 0
        assert served.client.metered("c", "seats").entitlement.current_usage == 0

    def test_reports_that_make_no_sense_are_refused(self, served: Daemon) -> None:
        assert refusal(lambda: served.client.report_usage("nobody", "seats", 1)).code is grpc.StatusCode.NOT_FOUND

    def test_a_reload_tells_whether_the_customer_is_there(self, served: Daemon) -> None:
        assert served.client.reload("c").entitled_entity_exists

    def test_nothing_goes_over_the_network(self, data_file: Path, upstream: Upstream, daemon: Daemons) -> None:
        offline = daemon(upstream, OFFLINE=1, OFFLINE_DATA_FILE=data_file)
        offline.client.boolean("c", "flag")
        offline.client.report_usage("c", "seats", 1)
        offline.stop()
        assert upstream.recorder.connections == 0


class TestBadData:
    def test_a_missing_file_ends_the_start(self, tmp_path: Path) -> None:
        ended = run(OFFLINE=1, OFFLINE_DATA_FILE=tmp_path / "absent.json", PORT=1)
        assert ended.returncode == 78
        assert "OFFLINE_DATA_FILE" in ended.stderr
        assert "absent.json" in ended.stderr

    def test_a_mistake_in_it_is_told_with_its_line(self, tmp_path: Path) -> None:
        path = tmp_path / "offline.json"
        path.write_text('{\n  "features": {\n    "flag": {"type": "bolean"}\n  }\n}\n')
        ended = run(OFFLINE=1, OFFLINE_DATA_FILE=path, PORT=1)
        assert ended.returncode == 78
        assert f"{path}:3" in ended.stderr
        assert "bolean" in ended.stderr

    def test_a_file_without_offline_is_a_mistake(self, data_file: Path) -> None:
        ended = run(SERVER_API_KEY="k", OFFLINE_DATA_FILE=data_file, PORT=1)
        assert ended.returncode == 78
        assert "OFFLINE_DATA_FILE" in ended.stderr
        assert "OFFLINE=1" in ended.stderr
