"""Domain errors of the upstream and the envelope they travel in (docs/protocol.md section 2.3)."""

import uuid
from typing import Any


class UpstreamError(Exception):
    """Raised by a resolver; graphql-core copies `extensions` into the answer.

    `code` is one of the codes of section 2.3. Which operation returns which code upstream is unknown there, so the
    choices made by this package are stated where they are raised.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.extensions = {"code": code}


def new_trace_id() -> str:
    """32 hexadecimal digits, fresh per error, as in the recorded fixtures."""
    return uuid.uuid4().hex


def error_object(code: str, message: str, path: list[str] | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"message": message}
    if path is not None:
        error["path"] = path
    error["extensions"] = {"code": code, "traceId": new_trace_id()}
    return error


def error_envelope(code: str, message: str, path: list[str] | None = None, data: Any = None) -> dict[str, Any]:
    return {"errors": [error_object(code, message, path)], "data": data}
