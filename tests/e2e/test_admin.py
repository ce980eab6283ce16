"""/admin/ and `explain`: why a check is answered as it is, and doing something about it (docs/operations.md)."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.daemon import Daemon, Daemons
from harness.process import run
from harness.web import http
from independent_upstream import FOREVER, Silent, Upstream, any_request, customer, edge

EXPLAIN = "/admin/explain?customer=c&feature="


@pytest.fixture
def served(upstream: Upstream, daemon: Daemons) -> Daemon:
    upstream.world.customer("c").boolean("flag").metered("seats", limit=5, usage=3).enum("region", ["eu", "us"])
    upstream.world.customer("c").credit("coins", limit=10, usage=4)
    return daemon(upstream)


def explained(daemon: Daemon, rest: str) -> dict[str, Any]:
    answer = daemon.http(rest)
    assert answer.status == 200, answer.body
    return dict(json.loads(answer.body))


class TestExplain:
    def test_the_rule_with_its_arithmetic_and_what_would_flip_it(self, served: Daemon) -> None:
        granted = explained(served, EXPLAIN + "seats&requested=2")
        assert granted["answer"] == {"hasAccess": True, "isFallback": False}
        assert granted["rule"] == "metered: usage 3 + requested 2 = 5 <= limit 5"
        assert "more than 2" in granted["wouldFlip"]
        assert granted["source"] == "upstream"
        denied = explained(served, EXPLAIN + "seats&requested=3")
        assert denied["rule"] == "metered: usage 3 + requested 3 = 6 > limit 5"
        assert denied["answer"]["accessDeniedReason"] == "RequestedUsageExceedingLimit"
        assert denied["source"] == "memory"

    def test_it_agrees_with_the_check(self, served: Daemon) -> None:
        for requested in range(5):
            answer = served.client.v2("c", "seats", requested_usage=requested).entitlement
            assert explained(served, f"{EXPLAIN}seats&requested={requested}")["answer"]["hasAccess"] == answer.has_access

    def test_the_raw_record_and_how_fresh_it_is(self, served: Daemon) -> None:
        served.client.boolean("c", "flag")
        answer = explained(served, EXPLAIN + "flag")
        assert answer["rule"] == "boolean: what is granted is allowed"
        assert [each["id"] for each in answer["record"]["features"]] == ["flag", "seats", "region"]
        assert answer["record"]["credits"][0]["currencyId"] == "coins"
        assert answer["freshness"]["from"] == "upstream"
        assert answer["freshness"]["suspect"] is False

    def test_enums_and_credits(self, served: Daemon) -> None:
        answer = explained(served, EXPLAIN + "region&values=eu,asia")
        assert answer["answer"]["accessDeniedReason"] == "RequestedValuesMismatch"
        assert "'asia'" in answer["rule"]
        credit = explained(served, "/admin/explain?customer=c&currency=coins")
        assert credit["rule"] == "credit: limit 10 - usage 4 = 6 > 0"

    def test_what_is_not_there(self, served: Daemon) -> None:
        assert "no feature 'other'" in explained(served, EXPLAIN + "other")["rule"]

    def test_why_a_fallback(self, upstream: Upstream, daemon: Daemons) -> None:
        fallbacks = '{"flag": {"hasAccess": true}}'
        served = daemon(upstream, ENTITLEMENTS_FALLBACK=fallbacks, ENTITLEMENTS_TIMEOUT_MS=300)
        upstream.faults.inject(any_request(), Silent(), times=FOREVER)
        answer = explained(served, EXPLAIN + "flag")
        assert (answer["answer"]["hasAccess"], answer["answer"]["isFallback"]) == (True, True)
        assert "ENTITLEMENTS_FALLBACK" in answer["rule"]
        assert (answer["source"], "whyUnknown" in answer) == ("fallback", True)

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            ("", "customer"),
            ("?customer=c", "feature"),
            ("?customer=c&feature=a&currency=b", "one of"),
            ("?customer=c&feature=a&requested=much", "requested"),
            ("?customer=c&feature=a&requested=-1", "requested"),
        ],
    )
    def test_a_question_that_is_none(self, query: str, said: str, served: Daemon) -> None:
        answer = served.http("/admin/explain" + query)
        assert answer.status == 400
        assert said in json.loads(answer.body)["error"]

    def test_the_verb_prints_it_for_people(self, served: Daemon) -> None:
        here = {"HTTP_PORT": served.http_port, "LISTEN_ADDRESS": "127.0.0.1"}
        ended = run("explain", "c", "seats", "--requested", "3", **here)
        assert ended.returncode == 0
        assert "metered: usage 3 + requested 3 = 6 > limit 5" in ended.stdout
        assert json.loads(run("explain", "c", "seats", "--json", **here).stdout)["feature"] == "seats"
        assert run("explain", "c", **here).returncode == 2


class TestDoing:
    def test_reload_asks_upstream_at_once(self, served: Daemon, upstream: Upstream) -> None:
        served.client.boolean("c", "flag")
        upstream.world.customer("c").metered("seats", limit=50, usage=3)
        answer = served.http("/admin/reload?customer=c", "POST")
        assert json.loads(answer.body) == {"reloaded": True, "known": True}
        assert served.client.metered("c", "seats").entitlement.usage_limit == 50

    def test_purge_forgets_one_customer(self, served: Daemon, upstream: Upstream) -> None:
        served.client.boolean("c", "flag")
        assert json.loads(served.http("/admin/purge?customer=c", "POST").body) == {"purged": True}
        assert json.loads(served.http("/admin/purge?customer=c", "POST").body) == {"purged": False}
        served.client.boolean("c", "flag")
        assert upstream.recorder.count(edge() & customer("c")) == 2

    def test_they_are_not_read(self, served: Daemon) -> None:
        for verb in ("reload", "purge"):
            assert served.http(f"/admin/{verb}?customer=c").status == 405
        assert served.http("/admin/else?customer=c").status == 404


class TestGuard:
    def test_a_web_page_is_not_answered(self, served: Daemon) -> None:
        """Neither one that sends its origin, nor one whose name was made to point here."""
        assert served.http(EXPLAIN + "flag", Origin="http://evil.example").status == 403
        assert served.http(EXPLAIN + "flag", Host="evil.example").status == 403
        assert served.http(EXPLAIN + "flag", Host=f"localhost:{served.http_port}").status == 200

    def test_the_token_is_asked_for_where_there_is_one(self, upstream: Upstream, daemon: Daemons, tmp_path: Path) -> None:
        upstream.world.customer("c").boolean("flag")
        token = tmp_path / "token"
        token.write_text("a-long-token\n")
        served = daemon(upstream, ADMIN_TOKEN_FILE=token)
        assert served.http(EXPLAIN + "flag").status == 401
        assert served.http(EXPLAIN + "flag", Authorization="Bearer a-long-tokem").status == 401
        assert served.http(EXPLAIN + "flag", Authorization="Bearer a-long-token", Host="any.name").status == 200
        here = {"HTTP_PORT": served.http_port, "LISTEN_ADDRESS": "127.0.0.1"}
        assert run("explain", "c", "flag", **here).returncode == 1
        assert run("explain", "c", "flag", ADMIN_TOKEN_FILE=token, **here).returncode == 0
        token.write_text("rotated")
        assert served.http(EXPLAIN + "flag", Authorization="Bearer a-long-token").status == 401
        token.unlink()
        assert served.http(EXPLAIN + "flag", Authorization="Bearer ").status == 401

    def test_it_is_not_on_the_grpc_port(self, served: Daemon) -> None:
        assert http(served.port, EXPLAIN + "flag").status == 404
