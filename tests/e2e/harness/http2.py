"""HTTP/2 by hand (RFC 9113), for clients that no library lets one be: slow ones, flooding ones, resetting ones."""

import socket
import struct
from typing import Self

from .contract import SERVICE
from .waiting import PATIENCE_SECONDS

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
CANCEL = struct.pack(">I", 8)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def request_headers(stream: int, method: str, service: str = SERVICE, **more: str) -> bytes:
    """Of a gRPC call, each a literal that is not indexed (RFC 7541, 6.2.2). Names of more headers with underscores."""
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": f"/{service}/{method}",
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
    } | {name.replace("_", "-"): value for name, value in more.items()}
    block = b"".join(
        b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in fields.items()
    )
    return frame(HEADERS, END_HEADERS, stream, block)


def request_message(stream: int, message: bytes) -> bytes:
    return frame(DATA, END_STREAM, stream, struct.pack(">BI", 0, len(message)) + message)


class Http2:
    """One connection."""

    def __init__(self, port: int, greet: bool = True) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
        self._seen = b""
        if greet:
            self.send(PREFACE + frame(SETTINGS, 0, 0))

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def next_frame(self) -> tuple[int, int, int, bytes] | None:
        """Kind, flags, stream and payload; None at the end of the connection. Settings and pings are acknowledged."""
        while True:
            head = self._read(9)
            if head is None:
                return None
            length = int.from_bytes(head[:3], "big")
            kind, flags, stream = struct.unpack(">BBI", head[3:])
            payload = self._read(length) if length else b""
            if payload is None:
                return None
            if kind in (SETTINGS, PING) and not flags & ACK:
                self.send(frame(kind, ACK, 0, payload if kind == PING else b""))
            else:
                return kind, flags, stream, payload

    def call(self, stream: int, method: str, message: bytes) -> bool:
        """Whether the call came to an end, with whatever status, before the connection did."""
        self.send(request_headers(stream, method) + request_message(stream, message))
        while (seen := self.next_frame()) is not None:
            kind, flags, of, _ = seen
            if of == stream and (kind == RST_STREAM or flags & END_STREAM):
                return kind != RST_STREAM
        return False

    def drop_what_came(self) -> None:
        """So that the sender is not held up by answers that nobody reads."""
        self._seen = b""
        self._socket.setblocking(False)
        try:
            while self._socket.recv(1 << 20):
                pass
        except BlockingIOError:
            pass
        finally:
            self._socket.settimeout(PATIENCE_SECONDS)

    def reset(self) -> None:
        """Ends the connection with a TCP reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, size: int) -> bytes | None:
        while len(self._seen) < size:
            try:
                data = self._socket.recv(65536)
            except ConnectionError:
                return None
            if not data:
                return None
            self._seen += data
        taken, self._seen = self._seen[:size], self._seen[size:]
        return taken
