"""Every secret is a canary; it must be seen on no surface (issue list: logs at debug, metrics, status, errors, argv, configuration)."""

from pathlib import Path

import grpc
import pytest

from harness.certificates import CertificateAuthority
from harness.daemon import DEFAULTS, Daemon, Daemons
from harness.ports import free_port
from harness.process import run
from harness.redis_server import RedisServer
from harness.waiting import eventually
from independent_upstream import FOREVER, Reset, Status, Upstream, any_request

CANARY = "c4n4ry"
"""Part of each secret, and of nothing else."""


def settings_with_secrets() -> set[str]:
    """Of the table: those that can be given as a file."""
    return {word.removesuffix("_FILE:") for word in run("help").stdout.split() if word.endswith("_FILE:")}


def secret(name: str) -> str:
    return f"{CANARY}-{name.lower().replace('_', '-')}"


def assert_unseen(text: str, where: str) -> None:
    at = text.find(CANARY)
    assert at < 0, f"in {where}: {text[max(0, at - 200) : at + 100]}"


class Surfaces:
    """Everything that a daemon shows, while and after it serves."""

    @staticmethod
    def look(daemon: Daemon) -> None:
        with daemon.client as client:
            for call in (
                lambda: client.boolean("", "flag"),
                lambda: client.report_usage("c", "seats", 1),
                lambda: client.reload("c"),
            ):
                try:
                    call()
                except grpc.RpcError as error:
                    assert_unseen(str(error) + str(error.trailing_metadata()), "an error")
            assert_unseen(str(client.traced.v2("c", "seats")), "an answer")
        for path in ("/metrics", "/status", "/livez", "/admin/explain?customer=c&feature=seats", "/nothing"):
            for accept in ("application/json", "text/html"):
                answer = daemon.http(path, Accept=accept)
                assert_unseen(answer.body.decode() + str(answer.headers), path)
        assert_unseen(Path(f"/proc/{daemon.process.pid}/cmdline").read_text(), "argv")

    @staticmethod
    def after(daemon: Daemon) -> None:
        daemon.stop()
        assert_unseen(daemon.process.stdout.text, "standard output")
        assert_unseen(daemon.process.stderr.text, "the log")


@pytest.fixture
def pem(tmp_path: Path) -> tuple[Path, Path]:
    return CertificateAuthority(tmp_path).server("sidecar.test")


def everything(upstream: Upstream, tmp_path: Path, pem: tuple[Path, Path], as_files: bool) -> dict[str, object]:
    """Every secret that there is, in variables or in files."""
    token = tmp_path / "token"
    token.write_text(secret("ADMIN_TOKEN"))
    environment: dict[str, object] = {
        "API_URL": upstream.url,
        "EDGE_API_URL": upstream.url,
        "WS_ENABLED": 1,
        "WS_URL": f"ws://127.0.0.1:{free_port()}",
        "HTTP_PROXY": f"http://user:{secret('HTTP_PROXY')}@127.0.0.1:{free_port()}",
        "HTTPS_PROXY": f"http://user:{secret('HTTPS_PROXY')}@127.0.0.1:{free_port()}",
        "REDIS_ENVIRONMENT_PREFIX": "test",
        "TLS_CERT_FILE": pem[0],
        "TLS_KEY_FILE": pem[1],
        "LOG_LEVEL": "debug",
    }
    for name in ("SERVER_API_KEY", "REDIS_PASSWORD", "REDIS_SENTINEL_PASSWORD"):
        if as_files:
            file = tmp_path / name
            file.write_text(secret(name) + "\n")
            environment[f"{name}_FILE"] = file
        else:
            environment[name] = secret(name)
    return environment


def test_the_list_of_secrets_is_whole() -> None:
    assert settings_with_secrets() == {"SERVER_API_KEY", "REDIS_PASSWORD", "REDIS_SENTINEL_PASSWORD"}


@pytest.mark.parametrize("as_files", [False, True], ids=["variables", "files"])
class TestServing:
    def test_with_everything_in_order(
        self, as_files: bool, upstream: Upstream, daemon: Daemons, tmp_path: Path, pem: tuple[Path, Path]
    ) -> None:
        upstream.api_key = secret("SERVER_API_KEY")
        upstream.world.customer("c").metered("seats", limit=5, usage=3)
        with RedisServer(requirepass=secret("REDIS_PASSWORD")) as redis:
            grpc_port = free_port()
            served = daemon(
                **everything(upstream, tmp_path, pem, as_files)
                | {"REDIS_PORT": redis.port, "REDIS_HOST": "127.0.0.1", "GRPC_PORT": grpc_port,
                   "REDIS_SENTINEL_PASSWORD": None, "REDIS_SENTINEL_PASSWORD_FILE": None}
            )  # fmt: skip
            served.client = type(served.client)(f"127.0.0.1:{grpc_port}")
            eventually(lambda: served.metrics()["sidecar_redis_up"] == 1)
            assert served.client.metered("c", "seats").entitlement.current_usage == 3
            Surfaces.look(served)
            Surfaces.after(served)

    @pytest.mark.parametrize("trouble", ["another key", "reset", "server error"])
    def test_with_everything_failing(
        self, trouble: str, as_files: bool, upstream: Upstream, daemon: Daemons, tmp_path: Path, pem: tuple[Path, Path]
    ) -> None:
        """A rejected key, a Redis that wants another password, a proxy and a WebSocket that are not there."""
        if trouble == "reset":
            upstream.faults.inject(any_request(), Reset(), times=FOREVER)
        elif trouble == "server error":
            upstream.faults.inject(any_request(), Status(500), times=FOREVER)
        with RedisServer(requirepass="another") as redis:
            grpc_port = free_port()
            served = daemon(
                **everything(upstream, tmp_path, pem, as_files)
                | {"REDIS_SENTINELS": f"127.0.0.1:{redis.port}", "REDIS_MASTER_NAME": "main", "GRPC_PORT": grpc_port,
                   "ADMIN_TOKEN_FILE": tmp_path / "token"}
            )  # fmt: skip
            served.client = type(served.client)(f"127.0.0.1:{grpc_port}")
            assert served.client.metered("c", "seats", timeout=2).is_fallback
            Surfaces.look(served)
            refused = served.http("/admin/explain?customer=c&feature=seats", Authorization=f"Bearer {CANARY}-wrong")
            assert refused.status in (401, 403)
            assert_unseen(refused.body.decode(), "a refusal")
            Surfaces.after(served)


@pytest.mark.parametrize("as_files", [False, True], ids=["variables", "files"])
@pytest.mark.parametrize("arguments", [["check-config"], ["check-config", "--online"], ["check-config", "--online", "--json"]])
def test_a_checked_configuration(
    arguments: list[str], as_files: bool, upstream: Upstream, tmp_path: Path, pem: tuple[Path, Path]
) -> None:
    environment = everything(upstream, tmp_path, pem, as_files) | {
        "REDIS_SENTINELS": f"127.0.0.1:{free_port()}", "REDIS_MASTER_NAME": "main",
    }  # fmt: skip
    checked = run(*arguments, **environment)
    assert checked.returncode in (0, 69), checked.stderr
    assert_unseen(checked.stdout + checked.stderr, " ".join(arguments))


@pytest.mark.parametrize(
    "mistake",
    [
        {"SERVER_API_KEY": f"{CANARY}\nwith a line break"},
        {"SERVER_API_KEY": f"{CANARY}\x01"},
        {"REDIS_PASSWORD": f"{CANARY}\x7f", "REDIS_ENVIRONMENT_PREFIX": "p"},
        {"REDIS_SENTINEL_PASSWORD": f"{CANARY}\n"},
        {"HTTPS_PROXY": f"ftp://user:{CANARY}@proxy"},
        {"HTTPS_PROXY": f"http://user:{CANARY}@proxy:99999"},
        {"HTTPS_PROXY": f"user:{CANARY}@proxy"},
        {"HTTP_PROXY": f"http://user:{CANARY}@"},
        {"API_URL": f"https://user:{CANARY}@api.test"},
        {"API_URL": f"https://user:{CANARY}@api.test/path"},
        {"WS_URL": f"wss://user:{CANARY}@api.test"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://user:{CANARY}@collector:4318"},
        {"SERVER_API_KEY": CANARY, "SERVER_API_KEY_FILE": "/dev/null"},
        {"REDIS_URL": f"redis://:{CANARY}@host"},
        {"REDIS_PASSWROD": CANARY},
        {"SERVER_APIKEY": CANARY},
    ],
    ids=lambda mistake: " ".join(f"{name}={str(value)!r}" for name, value in mistake.items()).replace(CANARY, "…"),
)
@pytest.mark.parametrize("verb", ["check-config", "serve"])
def test_a_mistake_in_a_secret_does_not_show_it(verb: str, mistake: dict[str, object], tmp_path: Path) -> None:
    environment = DEFAULTS | {"PORT": 1, "HTTP_PORT": 0, "SERVER_API_KEY": "key", "LOG_LEVEL": "debug", "GRPC_SOCKET": tmp_path}
    ended = run(verb, **(environment | mistake))  # the socket's path is a folder: `serve` always ends
    assert ended.returncode in ((78,) if verb == "serve" else (0, 78)), ended
    assert_unseen(ended.stdout + ended.stderr, verb)
