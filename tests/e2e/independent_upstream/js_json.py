"""JSON as a JavaScript server writes it: 5, not 5.0, for a Float that is whole.

Without this every number from the GraphQL executor would carry a fraction and a client that only parses integers,
or only fractions, would never be found out.
"""

import json
from typing import Any

_MAX_SAFE_INTEGER = 2**53


def dumps(value: Any) -> bytes:
    return json.dumps(_whole_numbers(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _whole_numbers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < _MAX_SAFE_INTEGER:
        return int(value)
    if isinstance(value, dict):
        return {key: _whole_numbers(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_whole_numbers(element) for element in value]
    return value
