"""Configuration mistakes: exit 78 and one clear line each, naming the variable, the value seen and what is accepted.

Design section 4. Every case runs the real binary; none gets as far as a port.
"""

import json
from pathlib import Path

import pytest

from harness.configuration import EXIT_CONFIG, KEY, check, start, violations
from harness.daemon import Daemons
from harness.process import run
from independent_upstream import Upstream

BAD_VALUES = [
    ("PORT", "abc", "65535"),
    ("PORT", "0", "65535"),
    ("PORT", "65536", "65535"),
    ("PORT", "-1", "65535"),
    ("PORT", "80.5", "65535"),
    ("PORT", "0x50", "65535"),
    ("GRPC_PORT", "http", "65535"),
    ("HTTP_PORT", "70000", "65535"),
    ("EDGE_ENABLED", "maybe", "true/false"),
    ("EDGE_ENABLED", "2", "true/false"),
    ("WS_ENABLED", "enabled", "true/false"),
    ("OFFLINE", "offline", "true/false"),
    ("EDGE_FALLBACK_TO_GRAPHQL", "y", "true/false"),
    ("REDIS_TLS", "ssl", "true/false"),
    ("API_URL", "api.stigg.io", "https://"),
    ("API_URL", "ftp://api.stigg.io", "https://"),
    ("API_URL", "https://api.stigg.io/graphql", "https://"),
    ("API_URL", "https://api.stigg.io/api", "https://"),
    ("API_URL", "https://", "https://"),
    ("API_URL", "https://host:port", "https://"),
    ("API_URL", "https://api.stigg.io?key=1", "https://"),
    ("EDGE_API_URL", "edge.api.stigg.io", "https://"),
    ("WS_URL", "https://api.stigg.io", "wss://"),
    ("UPSTREAM_API", "v3", "v1"),
    ("LOG_LEVEL", "verbose", "debug"),
    ("ENTITLEMENTS_TTL_SECS", "0", "86400"),
    ("ENTITLEMENTS_TTL_SECS", "30s", "seconds"),
    ("ENTITLEMENTS_TIMEOUT_MS", "0", "milliseconds"),
    ("ENTITLEMENTS_TIMEOUT_MS", "1e3", "milliseconds"),
    ("SUSPECT_REFRESH_BUDGET_MS", "-1", "milliseconds"),
    ("REPORT_TIMEOUT_MS", "soon", "milliseconds"),
    ("CACHE_MAX_SIZE_BYTES", "512M", "bytes"),
    ("CACHE_MAX_SIZE_BYTES", "1024", "1048576"),
    ("CACHE_MAX_SIZE_BYTES", "99999999999999999999", "bytes"),
    ("REDIS_PORT", "redis", "65535"),
    ("REDIS_DB", "-1", "0"),
    ("REDIS_KEYS_TTL_IN_SECS", "1w", "seconds"),
    ("REDIS_KEYS_TTL_IN_SECS", "0", "1 to 315360000"),
    ("REDIS_KEYS_TTL_IN_SECS", "315360001", "1 to 315360000"),
    ("REDIS_ENVIRONMENT_PREFIX", "a b", "without spaces"),
    ("DRAIN_SETTLE_MS", "2s", "milliseconds"),
    ("DRAIN_TIMEOUT_MS", "0", "milliseconds"),
    ("START_GRACE_MS", "x", "milliseconds"),
    ("HEALTH_ENDPOINT_URL", "live z", "path"),
    ("READY_ENDPOINT_URL", "readyz?full", "path"),
]

BAD_ADDRESSES = [("LISTEN_ADDRESS", value, "IP address") for value in ("localhost:80", "not-an-address", "256.0.0.1")]


@pytest.mark.parametrize(("name", "value", "accepted"), [*BAD_VALUES, *BAD_ADDRESSES])
def test_a_bad_value_is_told_in_one_line(name: str, value: str, accepted: str) -> None:
    (line,) = violations(start(**{name: value}))
    assert name in line
    assert value in line
    assert accepted in line


FORM = "{hasAccess, value?, usageLimit?, isUnlimited?, enumValues?}"
WHOLE = "flag.value: expected a whole number, -2147483647 to 2147483647"

BAD_FALLBACKS = [
    pytest.param("{'flag':{'hasAccess':true}}", FORM, id="single quotes"),
    pytest.param('{"flag":{"hasAccess":true},}', FORM, id="trailing comma"),
    pytest.param('{"flag":{"hasAccess":true}', FORM, id="cut off"),
    pytest.param("[]", f"{FORM}, got []", id="a list"),
    pytest.param('{"flag":true}', f"flag: expected an object {FORM}, got true", id="not an object"),
    pytest.param('{"flag":{}}', "flag.hasAccess: expected true or false, got nothing", id="no hasAccess"),
    pytest.param('{"flag":{"hasAccess":"yes"}}', 'true or false, got "yes"', id="hasAccess is a text"),
    pytest.param(
        '{"flag":{"hasAccess":true,"usageLimit":"5"}}', 'flag.usageLimit: expected a number, got "5"',
        id="usageLimit is a text",
    ),
    pytest.param('{"flag":{"hasAccess":true,"value":1.5}}', f"{WHOLE}, got 1.5", id="value is no whole number"),
    pytest.param('{"flag":{"hasAccess":true,"value":3000000000}}', f"{WHOLE}, got 3000000000", id="beyond int32"),
    pytest.param(
        '{"flag":{"hasAccess":true,"enumValues":[1]}}', "flag.enumValues: expected an array of strings, got [1]",
        id="enumValues are numbers",
    ),
    pytest.param('{"flag":{"hasAccess":true,"usageLimit":1e400}}', FORM, id="usageLimit is 1e400"),
    pytest.param('{"f":{"hasAccess":true},"f":{"hasAccess":true}}', "f: expected once, got it again", id="twice"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "told"), BAD_FALLBACKS)
def test_a_bad_fallback_table_says_what_is_wrong_with_it(value: str, told: str) -> None:
    (line,) = violations(start(ENTITLEMENTS_FALLBACK=value))
    assert line.count("ENTITLEMENTS_FALLBACK") == 1
    assert told in line


def test_every_wrong_fallback_is_told() -> None:
    table = {"a": {"hasAccess": 1}, "b": {"hasAccess": True}, "c": {"hasAccess": True, "value": "x", "usageLimit": []}}
    lines = violations(start(ENTITLEMENTS_FALLBACK=json.dumps(table)))
    assert [line.split(": ")[2] for line in lines] == ["a.hasAccess", "c.value", "c.usageLimit"]


@pytest.mark.parametrize("name", ["ENTITLEMENTS_FALLBACK", "API_URL", "PORT"])
def test_a_long_value_is_cut(name: str) -> None:
    (line,) = violations(start(**{name: "x" * 10_000}))
    assert len(line) < 600


@pytest.mark.parametrize("name", ["ENTITLEMENTS_FALLBACK", "API_URL", "PORT"])
def test_control_characters_do_not_reach_the_terminal(name: str) -> None:
    assert "\x1b" not in start(**{name: '{"a\x1b[31m": 1}'}).stderr


class TestTheKey:
    def test_it_is_required(self) -> None:
        (line,) = violations(start(SERVER_API_KEY=None))
        assert "SERVER_API_KEY" in line
        assert "dev" in line, "one way to do without"
        assert "OFFLINE=1" in line, "the other"

    @pytest.mark.parametrize("blank", ["", " ", "\n"])
    def test_an_empty_one_is_none(self, blank: str) -> None:
        (line,) = violations(start(SERVER_API_KEY=blank))
        assert "SERVER_API_KEY" in line

    def test_a_key_and_its_file_contradict_each_other(self, tmp_path: Path) -> None:
        (tmp_path / "key").write_text(KEY)
        (line,) = violations(start(SERVER_API_KEY_FILE=tmp_path / "key"))
        assert "SERVER_API_KEY" in line
        assert "SERVER_API_KEY_FILE" in line

    def test_a_missing_file_is_named(self) -> None:
        (line,) = violations(start(SERVER_API_KEY=None, SERVER_API_KEY_FILE="/nowhere/absent"))
        assert "SERVER_API_KEY_FILE" in line
        assert "/nowhere/absent" in line

    def test_an_empty_file_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "key").write_text(" \n")
        (line,) = violations(start(SERVER_API_KEY=None, SERVER_API_KEY_FILE=tmp_path / "key"))
        assert "SERVER_API_KEY_FILE" in line
        assert "empty" in line

    def test_a_directory_is_no_file(self, tmp_path: Path) -> None:
        (line,) = violations(start(SERVER_API_KEY=None, SERVER_API_KEY_FILE=tmp_path))
        assert "SERVER_API_KEY_FILE" in line


def test_a_password_and_its_file_contradict_each_other(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("p")
    (line,) = violations(start(REDIS_PASSWORD="secret-password", REDIS_PASSWORD_FILE=tmp_path / "password"))
    assert "REDIS_PASSWORD_FILE" in line
    assert "secret-password" not in line


def test_settling_cannot_take_longer_than_the_whole_drain() -> None:
    (line,) = violations(start(DRAIN_SETTLE_MS=20_000, DRAIN_TIMEOUT_MS=10_000))
    assert "DRAIN_SETTLE_MS" in line
    assert "DRAIN_TIMEOUT_MS" in line


def test_several_mistakes_are_told_together() -> None:
    lines = violations(start(PORT="abc", EDGE_ENABLED="maybe", API_URL="nowhere", SERVER_API_KEY=None))
    for name in ("PORT", "EDGE_ENABLED", "API_URL", "SERVER_API_KEY"):
        assert len([line for line in lines if f"{name}=" in line or f"{name} is not" in line]) == 1
    assert len(lines) == 4


def test_a_mistake_is_told_on_standard_error_only() -> None:
    assert start(PORT="abc").stdout == ""


class TestSecretsStaySecret:
    SECRETS = {
        "SERVER_API_KEY": KEY,
        "REDIS_PASSWORD": "redis-password-that-nobody-may-see",
        "HTTPS_PROXY": "http://user:proxy-password-that-nobody-may-see@proxy:3128",
    }

    def assert_unseen(self, *texts: str) -> None:
        for text in texts:
            assert "nobody-may-see" not in text

    def test_when_something_else_is_wrong(self) -> None:
        ended = start(**self.SECRETS, PORT="abc")
        self.assert_unseen(ended.stdout, ended.stderr)

    def test_when_they_are_wrong_themselves(self) -> None:
        ended = start(**(self.SECRETS | {"HTTPS_PROXY": "https://user:nobody-may-see@proxy"}))
        assert ended.returncode == EXIT_CONFIG
        self.assert_unseen(ended.stdout, ended.stderr)

    def test_in_the_summary_of_the_configuration(self) -> None:
        ended = run("check-config", **self.SECRETS)
        assert ended.returncode == 0
        self.assert_unseen(ended.stdout, ended.stderr)

    def test_while_serving_at_the_most_talkative_level(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.api_key = KEY
        served = daemon(upstream, LOG_LEVEL="debug")
        served.client.boolean("c", "flag")
        upstream.api_key = "another"
        served.client.boolean("d", "flag")
        metrics = served.metrics().text
        served.stop()
        self.assert_unseen(served.process.stdout.text, served.process.stderr.text, metrics)


class TestSpellings:
    @pytest.mark.parametrize("yes", ["1", "true", "TRUE", "True", "yes", "YES", "on", "On", " 1", "true "])
    def test_every_yes(self, yes: str) -> None:
        """OFFLINE needs no key: only a yes makes this start valid."""
        assert check(OFFLINE=yes, SERVER_API_KEY=None).returncode == 0

    @pytest.mark.parametrize("no", ["0", "false", "FALSE", "False", "no", "NO", "off", "Off", " 0", ""])
    def test_every_no(self, no: str) -> None:
        (line,) = violations(check(OFFLINE=no, SERVER_API_KEY=None))
        assert "SERVER_API_KEY" in line

    @pytest.mark.parametrize("level", ["error", "WARN", "Info", "debug"])
    def test_log_levels_in_any_case(self, level: str) -> None:
        assert check(LOG_LEVEL=level).returncode == 0

    @pytest.mark.parametrize(
        "url",
        ["http://localhost", "HTTPS://API.example.com/", "https://h:8443//", "http://[::1]:3060", "http://10.0.0.1"],
    )
    def test_urls(self, url: str) -> None:
        assert check(API_URL=url).returncode == 0

    @pytest.mark.parametrize("seconds", ["-1", "1", "604800"])
    def test_a_negative_redis_ttl_means_no_expiry(self, seconds: str) -> None:
        assert check(REDIS_KEYS_TTL_IN_SECS=seconds).returncode == 0

    @pytest.mark.parametrize(
        "name", ["PORT", "EDGE_ENABLED", "API_URL", "LOG_LEVEL", "ENTITLEMENTS_FALLBACK", "REDIS_PORT", "HTTP_PORT"]
    )
    def test_an_empty_variable_is_an_unset_one(self, name: str) -> None:
        assert check(**{name: ""}).stdout == check().stdout

    def test_an_empty_fallback_table_is_a_table(self) -> None:
        assert check(ENTITLEMENTS_FALLBACK="{}").returncode == 0
