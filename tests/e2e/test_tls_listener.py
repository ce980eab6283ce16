"""TLS on PORT: TLS_CERT_FILE, TLS_KEY_FILE, TLS_CLIENT_CA_FILE (design section 3)."""

import shutil
import socket
import ssl
import time
from pathlib import Path

import grpc
import pytest

from harness.certificates import CertificateAuthority
from harness.client import Client
from harness.daemon import DEFAULTS, Daemon, Daemons
from harness.ports import free_port
from harness.process import run
from harness.waiting import eventually
from independent_upstream import Upstream

NAME = "localhost"


class Files:
    """What a secret is mounted as: files that are replaced while the daemon serves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificate, self.key = folder / "tls.crt", folder / "tls.key"

    def put(self, authority: CertificateAuthority) -> None:
        certificate, key = authority.server(NAME)
        # Renamed: whoever reads finds the old one or the new one, never half of it.
        for source, target in ((key, self.key), (certificate, self.certificate)):
            shutil.copy(source, target.with_suffix(".new"))
            target.with_suffix(".new").rename(target)

    def environment(self) -> dict[str, object]:
        return {"TLS_CERT_FILE": self.certificate, "TLS_KEY_FILE": self.key}


def authority_in(folder: Path) -> CertificateAuthority:
    folder.mkdir()
    return CertificateAuthority(folder)


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return authority_in(tmp_path / "authority")


@pytest.fixture
def files(tmp_path: Path, authority: CertificateAuthority) -> Files:
    (tmp_path / "files").mkdir()
    made = Files(tmp_path / "files")
    made.put(authority)
    return made


def trusting(authority: CertificateAuthority, shown: tuple[Path, Path] | None = None) -> grpc.ChannelCredentials:
    certificate, key = (path.read_bytes() for path in shown) if shown else (None, None)
    return grpc.ssl_channel_credentials(authority.ca_file.read_bytes(), key, certificate)


def answers(daemon: Daemon, credentials: grpc.ChannelCredentials) -> bool:
    """Over a connection of its own."""
    with Client(f"{NAME}:{daemon.port}", credentials) as client:
        try:
            return client.boolean("c", "flag", timeout=3) is not None
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            return False


def shown_by(daemon: Daemon) -> str:
    return ssl.get_server_certificate(("127.0.0.1", daemon.port), timeout=5)


def test_port_speaks_tls_and_grpc_port_does_not(
    upstream: Upstream, daemon: Daemons, authority: CertificateAuthority, files: Files
) -> None:
    upstream.world.customer("c").boolean("flag")
    plaintext = free_port()
    served = daemon(upstream, GRPC_PORT=plaintext, **files.environment())
    with Client(f"{NAME}:{served.port}", trusting(authority)) as client:
        assert client.boolean("c", "flag").has_access
    with Client(f"127.0.0.1:{plaintext}") as client:
        assert client.boolean("c", "flag").has_access
    with Client(served.target) as client, pytest.raises(grpc.RpcError):
        client.boolean("c", "flag", timeout=2)
    assert 0 < served.metrics()["sidecar_tls_not_after_timestamp_seconds"] - time.time() < 90_000
    assert "notAfter" in served.http("/status", Accept="application/json").body.decode()


def test_clients_check_the_authority(daemon: Daemons, files: Files, tmp_path: Path) -> None:
    served = daemon(OFFLINE=1, **files.environment())
    assert not answers(served, trusting(authority_in(tmp_path / "stranger")))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the very point
def test_old_versions_of_tls_are_refused(daemon: Daemons, files: Files) -> None:
    served = daemon(OFFLINE=1, **files.environment())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", served.port), timeout=5) as plain, pytest.raises(OSError):
        context.wrap_socket(plain)


def test_clients_must_show_a_certificate_where_an_authority_is_named(
    daemon: Daemons, authority: CertificateAuthority, files: Files, tmp_path: Path
) -> None:
    clients, strangers = authority_in(tmp_path / "clients"), authority_in(tmp_path / "strangers")
    served = daemon(OFFLINE=1, TLS_CLIENT_CA_FILE=clients.ca_file, **files.environment())
    assert answers(served, trusting(authority, clients.server("app")))
    assert not answers(served, trusting(authority, strangers.server("app")))
    assert not answers(served, trusting(authority))


def test_a_renewed_certificate_is_shown_and_connections_stay(
    daemon: Daemons, authority: CertificateAuthority, files: Files, tmp_path: Path
) -> None:
    served = daemon(OFFLINE=1, **files.environment())
    before = shown_by(served)
    with Client(f"{NAME}:{served.port}", trusting(authority)) as old:
        assert old.boolean("c", "flag") is not None
        renewed = authority_in(tmp_path / "renewed")
        files.put(renewed)
        eventually(lambda: shown_by(served) != before)
        assert answers(served, trusting(renewed))
        assert old.boolean("c", "flag") is not None


def test_a_pair_that_does_not_fit_is_not_taken(
    daemon: Daemons, authority: CertificateAuthority, files: Files, tmp_path: Path
) -> None:
    """Renewals replace two files, one after the other."""
    served = daemon(OFFLINE=1, **files.environment())
    before = shown_by(served)
    renewed = authority_in(tmp_path / "renewed")
    certificate, key = renewed.server(NAME)
    shutil.copy(certificate, files.certificate)
    eventually(lambda: served.metrics()["sidecar_tls_reload_errors_total"] == 1)
    assert served.process.stderr.wait_for(lambda line: "TLS_KEY_FILE" in line and "stays in use" in line)
    assert shown_by(served) == before
    assert answers(served, trusting(authority))
    shutil.copy(key, files.key)
    eventually(lambda: shown_by(served) != before)
    assert answers(served, trusting(renewed))


def test_files_that_are_gone_for_a_moment_change_nothing(
    daemon: Daemons, authority: CertificateAuthority, files: Files
) -> None:
    served = daemon(OFFLINE=1, **files.environment())
    files.key.unlink()
    eventually(lambda: served.metrics()["sidecar_tls_reload_errors_total"] == 1)
    assert answers(served, trusting(authority))


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda files: files.certificate.write_text("hello"), "TLS_CERT_FILE"),
        (lambda files: files.key.write_text("hello"), "TLS_KEY_FILE"),
        (lambda files: files.key.unlink(), "TLS_KEY_FILE"),
        (lambda files: files.key.write_text((files.folder / "../authority/ca.key").resolve().read_text()), "TLS_KEY_FILE"),
    ],
    ids=["no certificate", "no key", "missing", "another key"],
)
@pytest.mark.parametrize("verb", ["serve", "check-config"])
def test_what_cannot_be_used_is_told_at_the_start(verb: str, spoil: object, named: str, files: Files) -> None:
    spoil(files)  # type: ignore[operator]
    ended = run(verb, **(DEFAULTS | {"OFFLINE": 1, "PORT": free_port(), "HTTP_PORT": 0} | files.environment()))
    assert ended.returncode == 78
    assert named in ended.stderr


def test_get_and_health_find_it(daemon: Daemons, files: Files) -> None:
    served = daemon(OFFLINE=1, **files.environment())
    here = {"PORT": served.port, "HTTP_PORT": served.http_port, "LISTEN_ADDRESS": "127.0.0.1"} | files.environment()
    assert "fallback" in run("get", "c", "flag", **here).stdout
    assert run("health", **here).returncode == 0
