"""Where gRPC is served: PORT, GRPC_PORT, GRPC_SOCKET, LISTEN_ADDRESS (design section 3)."""

import socket
import stat
from pathlib import Path

import pytest

from harness.client import Client
from harness.daemon import DEFAULTS, Daemons
from harness.ports import free_port, free_ports
from harness.process import Process
from harness.web import http


def answers(target: str) -> bool:
    with Client(target) as client:
        return bool(client.boolean("c", "flag").is_fallback)


def test_a_second_port_serves_the_same(daemon: Daemons) -> None:
    second = free_port()
    first = daemon(OFFLINE=1, GRPC_PORT=second)
    assert answers(first.target)
    assert answers(f"127.0.0.1:{second}")
    assert http(second, "/livez").status == 200


def test_grpc_port_0_is_off(daemon: Daemons) -> None:
    assert answers(daemon(OFFLINE=1, GRPC_PORT=0).target)


class TestUnixSocket:
    def test_it_serves_grpc(self, tmp_path: Path, daemon: Daemons) -> None:
        path = tmp_path / "sidecar.sock"
        served = daemon(OFFLINE=1, GRPC_SOCKET=path)
        assert answers(f"unix:{path}")
        assert answers(served.target)

    def test_owner_and_group_may_use_it(self, tmp_path: Path, daemon: Daemons) -> None:
        path = tmp_path / "sidecar.sock"
        daemon(OFFLINE=1, GRPC_SOCKET=path)
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert stat.S_IMODE(path.stat().st_mode) == 0o660

    def test_it_is_gone_after_the_end(self, tmp_path: Path, daemon: Daemons) -> None:
        path = tmp_path / "sidecar.sock"
        daemon(OFFLINE=1, GRPC_SOCKET=path).stop()
        assert not path.exists()

    def test_one_left_behind_by_a_crash_is_taken_over(self, tmp_path: Path, daemon: Daemons) -> None:
        path = tmp_path / "sidecar.sock"
        daemon(OFFLINE=1, GRPC_SOCKET=path).process.kill()
        assert path.exists()
        daemon(OFFLINE=1, GRPC_SOCKET=path)
        assert answers(f"unix:{path}")

    def test_one_in_use_is_not_taken_away(self, tmp_path: Path, daemon: Daemons) -> None:
        path = tmp_path / "sidecar.sock"
        daemon(OFFLINE=1, GRPC_SOCKET=path)
        second = Process(["serve"], DEFAULTS | {"OFFLINE": 1, "PORT": free_port(), "HTTP_PORT": 0, "GRPC_SOCKET": path})
        assert second.wait() == 78
        assert "GRPC_SOCKET" in second.stderr.text
        assert str(path) in second.stderr.text
        assert answers(f"unix:{path}")


class TestAddress:
    def test_by_default_both_families_are_served(self, daemon: Daemons) -> None:
        served = daemon(OFFLINE=1, LISTEN_ADDRESS=None)
        assert answers(f"127.0.0.1:{served.port}")
        if socket.has_ipv6:
            assert answers(f"[::1]:{served.port}")

    def test_dev_listens_on_loopback_only(self, daemon: Daemons) -> None:
        served = daemon.dev(LISTEN_ADDRESS=None)
        listening = {
            line.split()[1] for line in Path(f"/proc/{served.process.pid}/net/tcp").read_text().splitlines()[1:]
        }
        assert f"0100007F:{served.port:04X}" in listening
        assert f"00000000:{served.port:04X}" not in listening

    def test_an_ipv6_address_can_be_chosen(self, daemon: Daemons) -> None:
        port, http_port = free_ports(2)
        process = Process(
            ["serve"], DEFAULTS | {"OFFLINE": 1, "PORT": port, "HTTP_PORT": http_port, "LISTEN_ADDRESS": "::1"}
        )
        try:
            assert process.stdout.wait_for(lambda line: line == "Sidecar is ready")
            assert answers(f"[::1]:{port}")
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))
        finally:
            process.stop()


class TestManyClients:
    def test_many_connections_are_served(self, daemon: Daemons) -> None:
        served = daemon(OFFLINE=1)
        clients = [Client(served.target) for _ in range(100)]
        calls = [client.background.boolean("c", "flag") for client in clients]
        assert all(call.result(timeout=10).is_fallback for call in calls)
        for client in clients:
            client.close()

    def test_a_connection_serves_more_calls_than_may_run_at_once(self, daemon: Daemons) -> None:
        client = daemon(OFFLINE=1).client
        calls = [client.background.boolean("c", "flag") for _ in range(3000)]
        assert all(call.result(timeout=10).is_fallback for call in calls)
