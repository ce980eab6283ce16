"""The rule for event and usage dimensions: string, number or boolean values (docs/protocol.md section 9)."""

from typing import Any

from .errors import UpstreamError


def require_scalar_dimensions(dimensions: Any) -> None:
    """Raises BadUserInput: the schema says only JSON, so the library cannot catch this."""
    if dimensions is None:
        return
    if not isinstance(dimensions, dict):
        raise UpstreamError("BadUserInput", "dimensions must be an object")
    for name, value in dimensions.items():
        if not isinstance(value, str | int | float | bool):
            raise UpstreamError("BadUserInput", f"dimension {name!r} must be a string, a number or a boolean")
