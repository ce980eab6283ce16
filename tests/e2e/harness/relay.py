"""Loopback relays in front of a server: one that speaks TLS, one that is an HTTP proxy, one that dawdles."""

import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

_BUFFER = 65536


class _Relay:
    """Accepts connections on a free loopback port, a thread each, until closed."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self._listener = socket.create_server((address, port))
        self._open: list[socket.socket] = []
        Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        self._listener.close()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            Thread(target=self._serve_quietly, args=(client,), daemon=True).start()

    def _serve_quietly(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        raise NotImplementedError

    @staticmethod
    def _join(one: socket.socket, other: socket.socket, dawdle: Callable[[], None] = lambda: None) -> None:
        """Copies both ways until either side ends; dawdles over what comes back from `other`."""

        def copy(source: socket.socket, target: socket.socket) -> None:
            with suppress(OSError):
                while data := source.recv(_BUFFER):
                    if source is other:
                        dawdle()
                    target.sendall(data)
            for each in (source, target):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

        back = Thread(target=copy, args=(other, one), daemon=True)
        back.start()
        copy(one, other)
        back.join(10)


class TlsFront(_Relay):
    """Terminates TLS and hands the plain bytes to a port on loopback."""

    def __init__(self, target_port: int, certificate: Path, key: Path) -> None:
        self._target_port = target_port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        super().__init__()

    def _serve(self, client: socket.socket) -> None:
        with (
            self._context.wrap_socket(client, server_side=True) as secured,
            socket.create_connection(("127.0.0.1", self._target_port)) as target,
        ):
            self._join(secured, target)


class Proxy(_Relay):
    """An HTTP proxy that knows one destination, whatever name it is asked for: CONNECT for TLS, else absolute URLs.

    `heads` are the request heads it saw.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self.heads: list[str] = []
        super().__init__()

    def _serve(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            data = client.recv(_BUFFER)
            if not data:
                return
            head += data
        head, _, rest = head.partition(b"\r\n\r\n")
        self.heads.append(head.decode())
        method, url, version = head.split(b"\r\n")[0].split()
        with socket.create_connection(("127.0.0.1", self._target_port)) as target:
            if method == b"CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                parts = urlsplit(url.decode())
                path = parts.path + (f"?{parts.query}" if parts.query else "")
                line = b" ".join([method, path.encode(), version])
                target.sendall(line + head[head.index(b"\r\n") :] + b"\r\n\r\n" + rest)
            self._join(client, target)


class SlowRelay(_Relay):
    """Passes everything on to a port, answers `delay` seconds late. At any address and port of this machine."""

    def __init__(self, target_port: int, address: str = "127.0.0.1", port: int = 0) -> None:
        self.delay = 0.0
        self._target_port = target_port
        super().__init__(address, port)

    def _serve(self, client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._target_port)) as server:
            self._join(client, server, dawdle=lambda: time.sleep(self.delay))
