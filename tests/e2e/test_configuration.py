"""Configuration mistakes: exit 78 and one clear line each, naming the variable, the value seen and what is accepted.

Design section 4. Every case runs the real binary; none gets as far as a port.
"""

import json
import re
import socket
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from harness.daemon import DEFAULTS, Daemons
from harness.ports import free_port, free_ports
from harness.process import run
from independent_upstream import Upstream, edge

EXIT_CONFIG = 78

KEY = "server-key-that-nobody-may-see"


def start(**environment: object) -> subprocess.CompletedProcess[str]:
    """`serve`, of which a mistake is expected."""
    return run("serve", **({"SERVER_API_KEY": KEY, "PORT": 1, "HTTP_PORT": 0} | environment))


def violations(ended: subprocess.CompletedProcess[str]) -> list[str]:
    """Its lines about mistakes, without the closing one that counts them."""
    assert ended.returncode == EXIT_CONFIG, ended
    lines = ended.stderr.splitlines()
    assert "mistake" in lines[-1]
    return lines[:-1]


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


def check(**environment: object) -> subprocess.CompletedProcess[str]:
    return run("check-config", **({"SERVER_API_KEY": KEY} | environment))


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


class TestTypos:
    """An unknown name that looks like one of ours is a warning with the nearest real name."""

    @pytest.mark.parametrize(
        ("typo", "meant"),
        [
            ("REDIS_HOTS", "REDIS_HOST"),
            ("REDIS_ENV_PREFIX", "REDIS_ENVIRONMENT_PREFIX"),
            ("CACHE_MAX_SIZE_BYTE", "CACHE_MAX_SIZE_BYTES"),
            ("WS_ENABLE", "WS_ENABLED"),
            ("EDGE_ENABLE", "EDGE_ENABLED"),
            ("ENTITLEMENT_FALLBACK", "ENTITLEMENTS_FALLBACK"),
            ("ENTITLEMENTS_TTL_SEC", "ENTITLEMENTS_TTL_SECS"),
            ("SERVER_API_KEYS", "SERVER_API_KEY"),
            ("REPORT_TIMEOUTMS", "REPORT_TIMEOUT_MS"),
            ("LISTEN_ADRESS", "LISTEN_ADDRESS"),
            ("START_GRACE", "START_GRACE_MS"),
            ("EXTRA_CA", "EXTRA_CA_FILE"),
            ("APIURL", "API_URL"),
            ("API_KEY", "SERVER_API_KEY"),
        ],
    )
    def test_the_nearest_name_is_told(self, typo: str, meant: str) -> None:
        ended = check(**{typo: "x-value"})
        assert ended.returncode == 0
        (line,) = [line for line in ended.stderr.splitlines() if typo in line]
        assert f"{meant}?" in line
        assert "x-value" not in line, "it may be a secret"

    def test_they_are_told_at_the_start_too(self, daemon: Daemons) -> None:
        served = daemon(OFFLINE=1, REDIS_HOTS="localhost")
        assert served.process.stderr.wait_for(lambda line: "REDIS_HOTS" in line and "REDIS_HOST?" in line)

    @pytest.mark.parametrize(
        "name",
        [
            "PATH", "HOME", "GRPC_VERBOSITY", "GRPC_TRACE", "HOSTNAME", "REDIS_SERVICE_HOST", "REDIS_SERVICE_PORT",
            "REDIS_PORT_6379_TCP", "REDIS_PORT_6379_TCP_ADDR", "REDIS_SERVICE_PORT_REDIS", "WS_SERVICE_HOST",
        ],
    )  # fmt: skip
    def test_other_peoples_variables_are_left_alone(self, name: str) -> None:
        assert name not in check(**{name: "x"}).stderr

    def test_an_ordinary_environment_gives_no_warning(self) -> None:
        names = "PATH HOME PWD LANG TERM SHLVL LOGNAME MAIL SHELL USER EDITOR PAGER API_TOKEN KUBERNETES_SERVICE_HOST"
        ordinary = dict.fromkeys(names.split(), "x") | {"KUBERNETES_PORT": "tcp://10.0.0.1:443"}
        assert check(**ordinary).stderr == ""

    def test_they_are_told_when_the_start_fails_for_want_of_them(self) -> None:
        ended = start(SERVER_API_KEY=None, API_KEY="x-value")
        assert ended.returncode == EXIT_CONFIG
        assert "warning: API_KEY is not a setting; did you mean SERVER_API_KEY?" in ended.stderr


class TestKubernetesServiceLinks:
    """A Service named `redis` makes Kubernetes set REDIS_PORT=tcp://… in every pod of its namespace."""

    @pytest.mark.parametrize("name", ["REDIS_PORT", "GRPC_PORT", "HTTP_PORT"])
    def test_the_way_out_is_told(self, name: str) -> None:
        (line,) = violations(start(**{name: "tcp://10.0.0.1:6379"}))
        assert name in line
        assert "enableServiceLinks" in line


class TestDerivedAddresses:
    """Who sets only API_URL must not silently call production (docs/protocol.md sections 1.1 and 3.1)."""

    def test_the_edge_of_a_loopback_host_is_port_3060(self, upstream: Upstream, daemon: Daemons) -> None:
        served = daemon(upstream, EDGE_API_URL=None)
        answer = served.client.boolean("c", "flag")
        assert answer.is_fallback, "nobody is there"
        assert upstream.recorder.count(edge()) == 0


class TestPortsInUse:
    @staticmethod
    def taken(port: int = 0) -> socket.socket:
        return socket.create_server(("127.0.0.1", port))

    @pytest.mark.parametrize("name", ["PORT", "GRPC_PORT", "HTTP_PORT"])
    def test_a_port_that_was_asked_for_must_be_free(self, name: str) -> None:
        port, http_port, grpc_port = free_ports(3)
        with closing(self.taken()) as neighbour:
            number = neighbour.getsockname()[1]
            ports = {"PORT": port, "HTTP_PORT": http_port, "GRPC_PORT": grpc_port, name: number}
            ended = run("serve", **(DEFAULTS | {"OFFLINE": 1} | ports))
        assert ended.returncode == EXIT_CONFIG
        (line,) = ended.stderr.splitlines()
        assert name in line
        assert str(number) in line
        assert "in use" in line

    def test_the_default_http_port_may_be_taken(self, daemon: Daemons) -> None:
        """A warning names the setting, and checks are served."""
        try:
            neighbour = self.taken(8080)
        except OSError:
            neighbour = socket.socket()  # somebody else has it: all the same
        with closing(neighbour):
            served = daemon(OFFLINE=1, HTTP_PORT="")
            line = served.process.stderr.wait_for(lambda line: "8080" in line)
            assert line is not None
            assert "HTTP_PORT" in line
            assert served.client.boolean("c", "flag").is_fallback

    def test_http_port_0_is_off(self, daemon: Daemons) -> None:
        served = daemon(OFFLINE=1, HTTP_PORT=0)
        served.stop()
        assert served.process.stderr.text == ""

    def test_a_socket_that_cannot_be_made_is_named(self, tmp_path: Path) -> None:
        ended = run(
            "serve",
            **(DEFAULTS | {"OFFLINE": 1, "PORT": free_port(), "HTTP_PORT": 0, "GRPC_SOCKET": tmp_path / "no" / "s"}),
        )
        assert ended.returncode == EXIT_CONFIG
        assert "GRPC_SOCKET" in ended.stderr

    def test_a_socket_path_may_have_107_bytes(self) -> None:
        (line,) = violations(start(GRPC_SOCKET="/tmp/" + "x" * 103))
        assert "GRPC_SOCKET" in line
        assert "107" in line


class TestProxies:
    @pytest.mark.parametrize("name", ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"])
    @pytest.mark.parametrize(
        ("value", "why"),
        [
            ("https://user:nobody-may-see@proxy:1", "only http://"),
            ("user:nobody-may-see@proxy:1", "scheme"),
            ("http://user:nobody-may-see@:3128", "the host is missing"),
            ("http://nobody-may-see", "the port is missing"),
        ],
    )
    def test_a_mistake_names_the_variable_and_no_password(self, name: str, value: str, why: str) -> None:
        (line,) = violations(start(**{name: value}))
        assert line.startswith(f"stigg-sidecar: {name} is not accepted: expected http://[user:password@]host:port (")
        assert why in line
        assert "nobody-may-see" not in line


class TestTogether:
    """Settings that are right each for itself."""

    @pytest.mark.parametrize(
        ("environment", "named"),
        [
            ({"HEALTH_ENDPOINT_URL": "up", "READY_ENDPOINT_URL": "/up"}, ["HEALTH_ENDPOINT_URL", "READY_ENDPOINT_URL"]),
            ({"HEALTH_ENDPOINT_URL": "metrics"}, ["HEALTH_ENDPOINT_URL", "/metrics"]),
            ({"READY_ENDPOINT_URL": "/metrics"}, ["READY_ENDPOINT_URL", "/metrics"]),
            ({"PORT": 9000, "GRPC_PORT": 9000}, ["PORT=9000", "GRPC_PORT=9000"]),
            ({"PORT": 9000, "HTTP_PORT": 9000}, ["PORT=9000", "HTTP_PORT=9000"]),
            ({"TLS_CERT_FILE": "/tls.crt"}, ["TLS_CERT_FILE", "plaintext"]),
            ({"TLS_KEY_FILE": "/tls.key"}, ["TLS_KEY_FILE", "plaintext"]),
            ({"TLS_CLIENT_CA_FILE": "/ca.crt"}, ["TLS_CLIENT_CA_FILE", "plaintext"]),
        ],
    )
    @pytest.mark.parametrize("verb", ["serve", "check-config"])
    def test_contradictions_are_told(self, verb: str, environment: dict[str, object], named: list[str]) -> None:
        (line,) = violations(run(verb, **({"SERVER_API_KEY": KEY} | environment)))
        assert all(name in line for name in named)

    def test_dev_is_not_offline(self) -> None:
        (line,) = violations(run("dev", OFFLINE=1))
        assert "OFFLINE=1" in line
        assert "dev" in line


class TestFilesThatAreNamed:
    """check-config refuses what serve refuses."""

    @pytest.fixture(params=["serve", "check-config"])
    def verb(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    def test_a_data_file_that_is_not_there(self, verb: str) -> None:
        (line,) = violations(run(verb, OFFLINE=1, OFFLINE_DATA_FILE="/nowhere/absent.json"))
        assert "OFFLINE_DATA_FILE='/nowhere/absent.json'" in line

    def test_a_data_file_that_makes_no_sense(self, verb: str, tmp_path: Path) -> None:
        path = tmp_path / "world.json"
        path.write_text('{"features": {"f": {"type": "bolean"}}, "customers": {"c": {"plan": "p"}}}')
        lines = violations(run(verb, OFFLINE=1, OFFLINE_DATA_FILE=path))
        assert len(lines) == 2
        assert all("OFFLINE_DATA_FILE" in line and f"{path}:1" in line for line in lines)

    def test_a_ca_file_with_a_corrupt_certificate(self, verb: str, tmp_path: Path) -> None:
        path = tmp_path / "ca.pem"
        path.write_text("-----BEGIN CERTIFICATE-----\nMIIB!!!!\n-----END CERTIFICATE-----\n")
        (line,) = violations(run(verb, OFFLINE=1, EXTRA_CA_FILE=path))
        assert f"EXTRA_CA_FILE='{path}'" in line
        assert "certificate 1 cannot be read" in line

    @pytest.mark.parametrize("text", ["", "hello"])
    def test_a_ca_file_without_a_certificate(self, verb: str, text: str, tmp_path: Path) -> None:
        path = tmp_path / "ca.pem"
        path.write_text(text)
        (line,) = violations(run(verb, OFFLINE=1, EXTRA_CA_FILE=path))
        assert "has no certificate" in line


class TestCheckConfig:
    def test_it_prints_what_is_in_force(self) -> None:
        ended = check(PORT="9000", ENTITLEMENTS_FALLBACK=json.dumps({"flag": {"hasAccess": True}}))
        assert ended.returncode == 0
        lines = ended.stdout.splitlines()
        assert "PORT=9000 (set)" in lines
        assert "HTTP_PORT=8080 (default)" in lines
        assert "API_URL=https://api.stigg.io (default)" in lines
        assert "SERVER_API_KEY=*** (set)" in lines
        assert 'ENTITLEMENTS_FALLBACK={"flag":{"hasAccess":true}} (set)' in lines

    def test_what_is_derived_is_shown_as_it_is(self) -> None:
        lines = check(API_URL="https://api-staging.stigg.io/", https_proxy="http://u:p@proxy:3128").stdout.splitlines()
        assert "API_URL=https://api-staging.stigg.io (set)" in lines
        assert "EDGE_API_URL=https://edge.api-staging.stigg.io (derived from API_URL)" in lines
        assert "WS_URL=wss://api-staging.stigg.io (derived from API_URL)" in lines
        assert "HTTPS_PROXY=http://***@proxy:3128 (set as https_proxy)" in lines

    def test_the_cache_size_that_was_chosen_is_shown_with_its_source(self) -> None:
        (line,) = [line for line in check().stdout.splitlines() if line.startswith("CACHE_MAX_SIZE_BYTES=")]
        assert re.fullmatch(r"CACHE_MAX_SIZE_BYTES=[1-9]\d{6,} \(default: half of .+\)", line)

    def test_every_setting_of_the_help_is_shown(self) -> None:
        settings = re.findall(r"^  ([A-Z][A-Z_]+)$", run("help").stdout, re.MULTILINE)
        assert [line.partition("=")[0] for line in check().stdout.splitlines()] == settings

    def test_serving_says_the_same_at_level_info(self, daemon: Daemons) -> None:
        served = daemon(OFFLINE=1, LOG_LEVEL="info", HTTPS_PROXY="http://u:nobody-may-see@proxy:3128")
        assert served.process.stderr.wait_for(lambda line: line.endswith(" LOG_LEVEL=info (set)"))
        told = [line.rpartition(" configuration: ")[2] for line in served.process.stderr.lines if "=" in line]
        ports = {"PORT": served.port, "HTTP_PORT": served.http_port}
        assert told == check(**(DEFAULTS | ports | {
            "SERVER_API_KEY": None, "OFFLINE": 1, "LOG_LEVEL": "info", "HTTPS_PROXY": "http://u:p@proxy:3128",
        })).stdout.splitlines()  # fmt: skip

    def test_dev_says_what_it_serves_against(self, daemon: Daemons) -> None:
        dev = daemon.dev(LOG_LEVEL="info")
        assert dev.process.stderr.wait_for(lambda line: "configuration: EDGE_API_URL=http://127.0.0.1:" in line)

    def test_it_prints_everything_that_is_wrong(self) -> None:
        assert len(violations(check(PORT="abc", LOG_LEVEL="loud"))) == 2

    def test_it_takes_no_arguments(self) -> None:
        assert run("check-config", "now").returncode == 2

    def test_it_opens_no_port(self) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as neighbour:
            assert check(PORT=neighbour.getsockname()[1]).returncode == 0
