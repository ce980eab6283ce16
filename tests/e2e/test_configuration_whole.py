"""The configuration as a whole: typos, contradictions, files that are named, ports, and what is in force.

Design section 4. Every case runs the real binary.
"""

import json
import re
import socket
from contextlib import closing
from pathlib import Path

import pytest

from harness.configuration import EXIT_CONFIG, KEY, check, start, violations
from harness.daemon import DEFAULTS, Daemons
from harness.ports import free_port, free_ports
from harness.process import run
from independent_upstream import Upstream, edge


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
            ({"TLS_CERT_FILE": "/tls.crt"}, ["TLS_CERT_FILE", "TLS_KEY_FILE is not set"]),
            ({"TLS_KEY_FILE": "/tls.key"}, ["TLS_KEY_FILE", "TLS_CERT_FILE is not set"]),
            ({"TLS_CLIENT_CA_FILE": "/ca.crt"}, ["TLS_CLIENT_CA_FILE", "TLS_CERT_FILE"]),
            ({"TLS_CERT_FILE": "/tls.crt", "TLS_KEY_FILE": "/tls.key"}, ["TLS_CERT_FILE", "/tls.crt"]),
            ({"REDIS_SENTINELS": "a:1"}, ["REDIS_SENTINELS", "REDIS_MASTER_NAME"]),
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
        served = daemon(
            OFFLINE=1, LOG_LEVEL="info", LOG_FORMAT="text", HTTPS_PROXY="http://u:nobody-may-see@proxy:3128"
        )
        assert served.process.stderr.wait_for(lambda line: line.endswith(" LOG_FORMAT=text (set)"))
        told = [line.rpartition(" configuration: ")[2] for line in served.process.stderr.lines if "=" in line]
        ports = {"PORT": served.port, "HTTP_PORT": served.http_port}
        assert told == check(**(DEFAULTS | ports | {
            "SERVER_API_KEY": None, "OFFLINE": 1, "LOG_LEVEL": "info", "LOG_FORMAT": "text",
            "HTTPS_PROXY": "http://u:p@proxy:3128",
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
