"""An HTTP answer, before any fault has its way with it."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from . import js_json
from .errors import error_envelope


@dataclass(frozen=True)
class Response:
    """`headers` without Content-Length and Connection: the delivery decides those."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def head(self) -> bytes:
        """Status line and `headers`, without the empty line that ends them."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {value}" for name, value in self.headers.items())]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n"


def json_bytes_response(body: bytes, status: int = 200) -> Response:
    return Response(status, body, {"Content-Type": "application/json; charset=utf-8"})


def json_response(value: Any, status: int = 200) -> Response:
    return json_bytes_response(js_json.dumps(value), status)


def error_response(status: int, code: str, message: str) -> Response:
    return json_response(error_envelope(code, message), status)
