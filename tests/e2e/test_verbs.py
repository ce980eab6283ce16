"""The command line: verbs, what they print, and their exit codes (design section 2)."""

import re
import socket
import subprocess
from pathlib import Path

import pytest

from harness.daemon import Daemon, Daemons
from harness.ports import free_port, free_ports
from harness.process import run
from harness.waiting import eventually
from independent_upstream import FOREVER, Silent, Upstream, any_request

CUSTOMER = "customer-demo-01"

Ended = subprocess.CompletedProcess[str]


class TestGet:
    """One GetEntitlementV2 against a running daemon, for people."""

    @pytest.fixture
    def dev(self, daemon: Daemons) -> Daemon:
        return daemon.dev()

    @staticmethod
    def get(dev: Daemon, *arguments: str) -> Ended:
        return run("get", *arguments, PORT=dev.port)

    @staticmethod
    def fields(ended: Ended) -> dict[str, str]:
        assert ended.returncode == 0, ended
        return dict(line.split(": ", 1) for line in ended.stdout.splitlines())

    def test_the_first_call_of_the_readme(self, dev: Daemon) -> None:
        """Access, limit 6, usage 3; the second call says that it came from memory."""
        first = self.fields(self.get(dev, CUSTOMER, "feature-01-templates"))
        second = self.fields(self.get(dev, CUSTOMER, "feature-01-templates"))
        assert {name: first[name] for name in ("access", "limit", "usage", "source")} == {
            "access": "yes", "limit": "6", "usage": "3", "source": "upstream",
        }  # fmt: skip
        assert second == first | {"source": "memory", "age": second["age"]}
        assert re.fullmatch(r"\d+ ms", second["age"])

    @pytest.mark.parametrize(
        ("feature", "shown"),
        [
            ("feature-02-campaigns", {"kind": "metered", "limit": "32", "usage": "0"}),
            ("feature-03-custom-domain", {"kind": "boolean"}),
            ("feature-06-max-file-size", {"kind": "numeric", "value": "100"}),
            ("feature-08-regions", {"kind": "enum", "values": "eu, us"}),
        ],
    )
    def test_every_kind_is_shown(self, dev: Daemon, feature: str, shown: dict[str, str]) -> None:
        assert self.fields(self.get(dev, CUSTOMER, feature)).items() >= {"access": "yes", **shown}.items()

    def test_what_is_requested_can_be_said(self, dev: Daemon) -> None:
        denied = self.fields(self.get(dev, CUSTOMER, "feature-01-templates", "--requested", "3.5"))
        assert (denied["access"], denied["reason"]) == ("no", "REQUESTED_USAGE_EXCEEDING_LIMIT")
        assert self.fields(self.get(dev, CUSTOMER, "feature-01-templates", "--requested=3"))["access"] == "yes"

    def test_a_resource_can_be_said(self, dev: Daemon) -> None:
        assert self.fields(self.get(dev, CUSTOMER, "feature-01-templates", "--resource", "site-01"))["access"] == "yes"
        elsewhere = self.fields(self.get(dev, CUSTOMER, "feature-01-templates", "--resource", "elsewhere"))
        assert elsewhere["access"] == "no"

    def test_another_daemon_can_be_said(self, dev: Daemon) -> None:
        ended = run("get", CUSTOMER, "feature-03-custom-domain", "--target", dev.target)
        assert self.fields(ended)["access"] == "yes"

    def test_a_denial_is_an_answer(self, dev: Daemon) -> None:
        answer = self.fields(self.get(dev, "nobody", "feature-01-templates"))
        assert (answer["access"], answer["reason"]) == ("no", "CUSTOMER_NOT_FOUND")

    def test_a_fallback_says_that_it_is_one(self, daemon: Daemons) -> None:
        answer = self.fields(self.get(daemon(OFFLINE=1), "c", "f"))
        assert (answer["access"], answer["fallback"], answer["source"]) == ("no", "yes", "fallback")

    def test_nobody_there_is_unavailable(self) -> None:
        port = free_port()
        ended = run("get", "c", "f", PORT=port)
        assert ended.returncode == 69
        assert str(port) in ended.stderr
        assert ended.stdout == ""

    def test_a_refused_request_is_a_failure(self, dev: Daemon) -> None:
        ended = self.get(dev, CUSTOMER, "feature-01-templates", "--requested", "-1")
        assert ended.returncode == 1
        assert "requested_usage" in ended.stderr

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            ([], "CUSTOMER and FEATURE are missing"),
            (["c"], "FEATURE is missing"),
            (["c", "f", "g"], "'g' is one argument too many"),
            (["c", "f", "--what", "x"], "--what is not an option here"),
            (["c", "f", "--requested"], "--requested needs a value"),
            (["c", "f", "--requested=two"], "'two' is not a number"),
            (["c", "f", "--requested", "x"], "'x' is not a number"),
        ],
    )
    def test_wrong_usage_is_told(self, arguments: list[str], told: str) -> None:
        ended = run("get", *arguments)
        assert ended.returncode == 2
        assert ended.stderr.startswith(f"stigg-sidecar: {told}")
        assert "; usage: stigg-sidecar get" in ended.stderr

    @pytest.mark.parametrize("listen", ["127.0.0.1", "::1", "::", "0.0.0.0"])
    def test_it_asks_where_the_daemon_listens(self, listen: str, daemon: Daemons) -> None:
        served = daemon(OFFLINE=1, LISTEN_ADDRESS=listen, HTTP_PORT=0)
        assert self.fields(run("get", "c", "f", PORT=served.port, LISTEN_ADDRESS=listen))["source"] == "fallback"

    def test_without_an_address_every_local_one_is_asked(self, daemon: Daemons) -> None:
        served = daemon(OFFLINE=1, LISTEN_ADDRESS="::1", HTTP_PORT=0)
        assert self.fields(run("get", "c", "f", PORT=served.port))["source"] == "fallback"

    def test_a_socket_is_asked(self, daemon: Daemons, tmp_path: Path) -> None:
        daemon(OFFLINE=1, GRPC_SOCKET=tmp_path / "s")
        ended = run("get", "c", "f", PORT=free_port(), GRPC_SOCKET=tmp_path / "s")
        assert self.fields(ended)["source"] == "fallback"

    def test_a_proxy_is_not_asked(self, dev: Daemon) -> None:
        """It is for upstream; the daemon is on this machine."""
        proxy = f"http://127.0.0.1:{free_port()}"
        ended = run("get", CUSTOMER, "feature-03-custom-domain", PORT=dev.port, http_proxy=proxy, https_proxy=proxy)
        assert self.fields(ended)["access"] == "yes"


class TestProbes:
    """`health` and `ready`, for images without a shell."""

    @pytest.mark.parametrize("verb", ["health", "ready"])
    def test_a_daemon_that_is_well(self, verb: str, daemon: Daemons) -> None:
        well = daemon(OFFLINE=1)
        well.wait_until_ready_to_serve()
        ended = run(verb, PORT=well.port, HTTP_PORT=well.http_port)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "UP\n", "")

    def test_a_daemon_that_is_not_ready(self, upstream: Upstream, daemon: Daemons) -> None:
        upstream.faults.inject(any_request(), Silent(), times=FOREVER)
        waiting = daemon(upstream, START_GRACE_MS=3_600_000)
        ports = {"PORT": waiting.port, "HTTP_PORT": waiting.http_port}
        assert run("health", **ports).returncode == 0
        ended = run("ready", **ports)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "503" in ended.stderr

    @pytest.mark.parametrize("verb", ["health", "ready"])
    def test_nobody_there(self, verb: str) -> None:
        port, http_port = free_ports(2)
        ended = run(verb, PORT=port, HTTP_PORT=http_port)
        assert ended.returncode == 1
        assert str(http_port) in ended.stderr

    def test_without_an_http_port_the_grpc_port_is_asked(self, daemon: Daemons) -> None:
        well = daemon(OFFLINE=1, HTTP_PORT=0)
        assert run("health", PORT=well.port, HTTP_PORT=0).returncode == 0

    def test_the_configured_paths_are_asked(self, daemon: Daemons) -> None:
        well = daemon(OFFLINE=1, HEALTH_ENDPOINT_URL="alive")
        ports = {"PORT": well.port, "HTTP_PORT": well.http_port}
        assert run("health", HEALTH_ENDPOINT_URL="alive", **ports).returncode == 0
        assert run("health", **ports).returncode == 1

    def test_a_daemon_on_ipv6_is_found(self, daemon: Daemons) -> None:
        everywhere = daemon(OFFLINE=1, LISTEN_ADDRESS="::")
        assert run("health", PORT=everywhere.port, HTTP_PORT=everywhere.http_port).returncode == 0

    def test_it_takes_no_arguments(self) -> None:
        assert run("health", "please").returncode == 2


    @pytest.mark.parametrize("listen", ["127.0.0.1", "::1", "::", "0.0.0.0"])
    @pytest.mark.parametrize("http", [True, False], ids=["HTTP port", "gRPC port"])
    def test_they_ask_where_the_daemon_listens(self, http: bool, listen: str, daemon: Daemons) -> None:
        well = daemon(OFFLINE=1, LISTEN_ADDRESS=listen, **({} if http else {"HTTP_PORT": 0}))
        ports = {"PORT": well.port, "HTTP_PORT": well.http_port}
        assert run("health", LISTEN_ADDRESS=listen, **ports).returncode == 0
        assert run("health", **ports).returncode == 0, "without an address every local one is asked"


class TestMistakesThatConcernAClient:
    """A value that makes no sense is told, not replaced by the default."""

    @pytest.mark.parametrize("verb", [["get", "c", "f"], ["health"], ["ready"]], ids=lambda verb: verb[0])
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PORT", "84443"),
            ("GRPC_PORT", "x"),
            ("HTTP_PORT", "x"),
            ("LISTEN_ADDRESS", "localhost"),
            ("GRPC_SOCKET", "/tmp/" + "x" * 103),
            ("HEALTH_ENDPOINT_URL", "a b"),
            ("READY_ENDPOINT_URL", "a b"),
        ],
    )
    def test_where_to_ask(self, verb: list[str], name: str, value: str) -> None:
        ended = run(*verb, **{name: value})
        assert ended.returncode == 78
        assert name in ended.stderr
        assert value[:50] in ended.stderr

    def test_what_does_not_concern_it_is_left_alone(self, daemon: Daemons) -> None:
        well = daemon(OFFLINE=1)
        others = {"API_URL": "nowhere", "LOG_LEVEL": "loud", "SERVER_API_KEY_FILE": "/nowhere", "REDIS_HOTS": "x"}
        ended = run("health", PORT=well.port, HTTP_PORT=well.http_port, **others)
        assert (ended.returncode, ended.stderr) == (0, "")

    def test_a_target_that_was_said_needs_no_configuration(self, daemon: Daemons) -> None:
        ended = run("get", "c", "f", "--target", daemon(OFFLINE=1).target, PORT="x")
        assert ended.returncode == 0


def test_an_upstream_port_in_use_is_told_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as neighbour:
        port = neighbour.getsockname()[1]
        ended = run("dev", "--upstream-port", str(port), PORT=free_port(), HTTP_PORT=0)
    assert ended.returncode == 78
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"stigg-sidecar: cannot listen on 127.0.0.1 port {port}: ")
    assert "--upstream-port" in line


class TestHelp:
    @pytest.mark.parametrize("spelling", ["help", "--help", "-h"])
    def test_it_lists_verbs_and_settings(self, spelling: str) -> None:
        ended = run(spelling)
        assert (ended.returncode, ended.stderr) == (0, "")
        for word in ("serve", "dev", "check-config", "health", "ready", "get", "version", "exit codes"):
            assert word in ended.stdout
        for setting in ("SERVER_API_KEY", "SERVER_API_KEY_FILE", "PORT", "EDGE_API_URL", "ENTITLEMENTS_FALLBACK"):
            assert re.search(rf"\b{setting}\b", ended.stdout)

    def test_every_setting_says_its_default_and_what_it_accepts(self) -> None:
        settings = re.findall(r"^  ([A-Z][A-Z_]+)$", run("help").stdout, re.MULTILINE)
        assert len(settings) > 30
        assert run("help").stdout.count("Accepts ") == len(settings)

    @pytest.mark.parametrize("spelling", ["version", "--version"])
    def test_the_version_is_one_line(self, spelling: str) -> None:
        ended = run(spelling)
        assert ended.returncode == 0
        assert re.fullmatch(r"stigg-sidecar \d+\.\d+\.\d+\S*\n", ended.stdout)

    def test_the_version_is_that_of_the_metrics(self, daemon: Daemons) -> None:
        version = run("version").stdout.split()[1]
        assert f'sidecar_build_info{{version="{version}"}} 1' in daemon(OFFLINE=1).metrics().text

    @pytest.mark.parametrize(
        "arguments", [["sreve"], ["--port", "1"], ["serve", "now"], ["dev", "now"], ["dev", "--x"]]
    )
    def test_a_mistake_exits_2_and_says_so(self, arguments: list[str]) -> None:
        ended = run(*arguments, OFFLINE=1, PORT=free_port(), HTTP_PORT=0)
        assert ended.returncode == 2
        assert ended.stderr.startswith("stigg-sidecar: ")
        assert ended.stdout == ""


def test_no_verb_is_serve(daemon: Daemons) -> None:
    """The image needs no arguments; all other tests start the daemon in this way."""
    served = daemon(OFFLINE=1)
    assert eventually(lambda: served.http("/readyz").status == 200)
