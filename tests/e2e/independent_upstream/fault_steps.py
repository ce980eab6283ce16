"""What an injected fault does to a request: any number of waits, then at most one ending.

Without an ending the ordinary answer is sent. Each ending says whether the request is processed first, that is whether
a write counts although the client may never learn of it.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

from .errors import error_envelope
from .gate import Gate
from .http_response import Response, json_bytes_response, json_response
from .request import parse_json
from .wire import Wire

_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Delay:
    seconds: float

    def wait(self, wire: Wire) -> bool:
        return wire.pause(self.seconds)


@dataclass(frozen=True)
class Hold:
    """Until `gate.release()`."""

    gate: Gate

    def wait(self, wire: Wire) -> bool:
        return self.gate.hold()


Wait = Delay | Hold
"""`wait` returns False when the server stops first; the connection is then dropped."""


class Ending(Protocol):
    """`deliver` gets the ordinary answer, or None when the request was not processed."""

    @property
    def processes(self) -> bool: ...

    def deliver(self, wire: Wire, answer: Response | None) -> None: ...


@dataclass(frozen=True)
class Status:
    """An answer with this status instead of the ordinary one; the request is not processed."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    processes: bool = False

    def deliver(self, wire: Wire, answer: Response | None) -> None:
        wire.send_response(Response(self.status, self.body, {"Content-Type": "text/plain", **self.headers}))


@dataclass(frozen=True)
class GraphqlError:
    """An `errors` array in the body, on Edge and GraphQL alike (docs/protocol.md sections 1.3 and 2.3).

    `keep_data` leaves the ordinary `data` beside it, for which the request is processed: to be treated as a failure.
    """

    code: str
    message: str = "Injected failure"
    status: int = 200
    keep_data: bool = False

    @property
    def processes(self) -> bool:
        return self.keep_data

    def deliver(self, wire: Wire, answer: Response | None) -> None:
        data: Any = None
        if answer is not None:
            parsed = parse_json(answer.body)
            data = parsed.get("data") if isinstance(parsed, dict) else None
        wire.send_response(json_response(error_envelope(self.code, self.message, data=data), self.status))


@dataclass(frozen=True)
class Body:
    """Exactly these bytes, declared as JSON, with status 200."""

    body: bytes
    processes: bool = False

    def deliver(self, wire: Wire, answer: Response | None) -> None:
        wire.send_response(json_bytes_response(self.body))


@dataclass(frozen=True)
class HugeBody:
    """Well-formed JSON of `mebibytes`, streamed, never whole in memory here.

    `chunked` hides the size; `compressed` sends it as gzip, about a thousand times smaller on the wire: a bomb.
    """

    mebibytes: int
    chunked: bool = False
    compressed: bool = False
    processes: ClassVar[bool] = False

    def deliver(self, wire: Wire, answer: Response | None) -> None:
        head = json_bytes_response(b"")
        if self.compressed:
            head = replace(head, headers={**head.headers, "Content-Encoding": "gzip"})
            wire.send_head(head, None)
            wire.send_chunks(_gzip_stream(self._pieces()))
        elif self.chunked:
            wire.send_head(head, None)
            wire.send_chunks(self._pieces())
        else:
            wire.send_head(head, sum(map(len, self._pieces())))
            for piece in self._pieces():
                wire.send(piece)

    def _pieces(self) -> Iterator[bytes]:
        yield b'{"data":{"padding":"'
        padding = b"x" * _MEBIBYTE
        for _ in range(self.mebibytes):
            yield padding
        yield b'"}}'


@dataclass(frozen=True)
class DropBeforeReading:
    """Closes after the request head, before its body is read: the write surely did not happen.

    Matchers see a request without body, so an operation is known by its header only.
    """

    processes: ClassVar[bool] = False

    def deliver(self, wire: Wire, answer: Response | None) -> None:
        wire.drop()


@dataclass(frozen=True)
class DropAfterProcessing:
    """Closes without a byte of response: the write happened and the client cannot know."""

    processes: ClassVar[bool] = True

    def deliver(self, wire: Wire, answer: Response | None) -> None:
        wire.drop()


@dataclass(frozen=True)
class Reset:
    """RST instead of a response."""

    processes: bool = False

    def deliver(self, wire: Wire, answer: Response | None) -> None:
        wire.reset()


@dataclass(frozen=True)
class HalfBody:
    """The ordinary head with the full Content-Length, `fraction` of the body, then the end."""

    fraction: float = 0.5
    processes: ClassVar[bool] = True

    def deliver(self, wire: Wire, answer: Response | None) -> None:
        assert answer is not None
        wire.send_head(answer, len(answer.body))
        wire.send(answer.body[: int(len(answer.body) * self.fraction)])
        wire.drop()


@dataclass(frozen=True)
class Silent:
    """No answer and no close until the server stops."""

    processes: bool = False

    def deliver(self, wire: Wire, answer: Response | None) -> None:
        wire.wait_for_stop()
        wire.drop()


@dataclass(frozen=True)
class Trickle:
    """The ordinary answer, one byte per interval; the head comes at once unless `head_too`."""

    interval_seconds: float
    head_too: bool = False
    processes: ClassVar[bool] = True

    def deliver(self, wire: Wire, answer: Response | None) -> None:
        assert answer is not None
        head = answer.head + f"Content-Length: {len(answer.body)}\r\n\r\n".encode()
        slow = head + answer.body if self.head_too else answer.body
        if not self.head_too:
            wire.send(head)
        for index in range(len(slow)):
            if not wire.pause(self.interval_seconds):
                wire.drop()
                return
            wire.send(slow[index : index + 1])


@dataclass(frozen=True)
class Gzipped:
    """The ordinary answer with Content-Encoding: gzip, whether or not the client asked for it."""

    processes: ClassVar[bool] = True

    def deliver(self, wire: Wire, answer: Response | None) -> None:
        assert answer is not None
        headers = {**answer.headers, "Content-Encoding": "gzip"}
        wire.send_response(replace(answer, body=gzip.compress(answer.body), headers=headers))


def _gzip_stream(pieces: Iterable[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(level=9, wbits=31)
    for piece in pieces:
        yield compressor.compress(piece)
    yield compressor.flush()
