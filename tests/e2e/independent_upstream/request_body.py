"""Reads a request body: Content-Length or chunked, which clients with unseekable bodies use (RFC 9112 section 6)."""

from io import BufferedIOBase

from .request import Headers

BODY_BYTES_MAX = 8 * 1024 * 1024
_LINE_BYTES_MAX = 8 * 1024


class BadBody(Exception):
    """`status` is what to answer before closing the connection, whose framing is lost."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def read_body(stream: BufferedIOBase, headers: Headers) -> bytes:
    """Raises BadBody when it is malformed or longer than BODY_BYTES_MAX, ConnectionError when the peer leaves early."""
    coding = headers.get("transfer-encoding", "").strip().lower()
    length = headers.get("content-length")
    if coding:
        if coding != "chunked" or length is not None:
            raise BadBody(400, f"unusable framing: transfer-encoding {coding!r}, content-length {length!r}")
        return _read_chunks(stream)
    if length is None:
        return b""
    if not (length.isascii() and length.isdigit()):
        raise BadBody(400, f"bad content-length {length!r}")
    return _read_exactly(stream, int(length))


def _read_chunks(stream: BufferedIOBase) -> bytes:
    body = bytearray()
    while size := _chunk_size(stream):
        if len(body) + size > BODY_BYTES_MAX:
            raise BadBody(413, "body too long")
        body += _read_exactly(stream, size)
        if _read_line(stream):
            raise BadBody(400, "chunk longer than its size")
    while _read_line(stream):
        pass  # trailer fields
    return bytes(body)


def _chunk_size(stream: BufferedIOBase) -> int:
    text = _read_line(stream).partition(b";")[0].strip()
    try:
        return int(text, 16)
    except ValueError:
        raise BadBody(400, f"bad chunk size {text!r}") from None


def _read_line(stream: BufferedIOBase) -> bytes:
    line = stream.readline(_LINE_BYTES_MAX)
    if not line.endswith(b"\n") and len(line) < _LINE_BYTES_MAX:
        raise ConnectionError("the peer left within a chunked body")
    if not line.endswith(b"\r\n"):
        raise BadBody(400, f"bad line in a chunked body: {line[:80]!r}")
    return line[:-2]


def _read_exactly(stream: BufferedIOBase, length: int) -> bytes:
    if length > BODY_BYTES_MAX:
        raise BadBody(413, "body too long")
    data = stream.read(length)
    if len(data) < length:
        raise ConnectionError(f"the peer left after {len(data)} of {length} body bytes")
    return data
