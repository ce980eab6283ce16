"""A name server of a test's own, and daemons that ask it: /etc/resolv.conf is another file for them.

    with NameServer() as names:
        names.addresses["api.test"] = ["127.0.0.1"]
        daemon.start([], environment, under=names.asked_by(tmp_path))
"""

import ipaddress
import os
import random
import shutil
import socket
import struct
import subprocess
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Self

_PORT = 53  # the resolver of the C library knows no other
_A, _AAAA = 1, 28
_NXDOMAIN = 3


def available() -> bool:
    """It takes a port below 1024 and a mount of the daemon's own."""
    tools = all(map(shutil.which, ("unshare", "mount")))
    return tools and os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "true"], check=False).returncode == 0


class NameServer:
    """Answers over UDP, on an address of 127.0.0.0/8 that it has for itself."""

    def __init__(self) -> None:
        self.addresses: dict[str, list[str]] = {}
        """By name; names that are not here do not exist."""
        self.silent = False
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        while True:
            self.host = ".".join(["127", *(str(random.randint(2, 250)) for _ in range(3))])
            with suppress(OSError):
                self._socket.bind((self.host, _PORT))
                break
        Thread(target=self._serve, daemon=True).start()

    def asked_by(self, folder: Path) -> list[str]:
        """For `under`: what is run so looks names up here."""
        configuration = folder / "resolv.conf"
        configuration.write_text(f"nameserver {self.host}\noptions timeout:30 attempts:1\n")
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, str(configuration)]

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                query, client = self._socket.recvfrom(512)
                if not self.silent:
                    self._socket.sendto(self._answer(query), client)

    def _answer(self, query: bytes) -> bytes:
        labels, at = [], 12
        while length := query[at]:
            labels.append(query[at + 1 : at + 1 + length].decode())
            at += 1 + length
        kind = struct.unpack(">H", query[at + 1 : at + 3])[0]
        question = query[12 : at + 5]
        name = ".".join(labels).lower()
        self.asked.append(name)
        found = [ipaddress.ip_address(address) for address in self.addresses.get(name, [])]
        wanted = [address.packed for address in found if address.version == {_A: 4, _AAAA: 6}.get(kind)]
        code = 0 if name in self.addresses else _NXDOMAIN
        head = query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(wanted), 0, 0)
        records = b"".join(struct.pack(">HHHIH", 0xC00C, kind, 1, 1, len(packed)) + packed for packed in wanted)
        return head + question + records
