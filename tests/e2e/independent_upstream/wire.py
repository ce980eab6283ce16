"""The server's end of one connection, with every honest and dishonest way to answer on it."""

import os
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from threading import Event

from .http_response import Response


class Wire:
    """Used by the one thread that serves the connection. Methods raise OSError when the peer is gone."""

    def __init__(self, connection: socket.socket, stopping: Event) -> None:
        self._connection = connection
        self._stopping = stopping
        self.keep_alive = True
        """False once the connection must close after the present answer."""

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def send_head(self, response: Response, content_length: int | None) -> None:
        """Head of a response whose body follows; None announces a chunked body."""
        self.send(self._head(response, content_length))

    def send_response(self, response: Response) -> None:
        self.send(self._head(response, len(response.body)) + response.body)

    def send_chunks(self, chunks: Iterable[bytes]) -> None:
        """The chunked coding of a body; empty chunks are left out, they would end it."""
        for chunk in chunks:
            if chunk:
                self.send(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        self.send(b"0\r\n\r\n")

    def pause(self, seconds: float) -> bool:
        """False when the server stopped meanwhile."""
        return not self._stopping.wait(seconds)

    def wait_for_stop(self) -> None:
        self._stopping.wait()

    def drop(self) -> None:
        """Closes at once: FIN, and RST after it if the peer had sent more than was read."""
        with suppress(OSError):  # the peer may have been faster
            self._connection.shutdown(socket.SHUT_RDWR)
        self._close()

    def reset(self) -> None:
        """RST instead of FIN: a linger time of zero."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._close()

    def _head(self, response: Response, content_length: int | None) -> bytes:
        framing = "Transfer-Encoding: chunked" if content_length is None else f"Content-Length: {content_length}"
        connection = "" if self.keep_alive else "Connection: close\r\n"
        return response.head + f"{framing}\r\n{connection}\r\n".encode()

    def _close(self) -> None:
        """Past the socket object, whose close() waits for the files made from it."""
        self.keep_alive = False
        descriptor = self._connection.detach()
        if descriptor >= 0:
            os.close(descriptor)
