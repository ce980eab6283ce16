"""The custom scalars DateTime and JSON, strict where a lenient server would hide a client's mistake."""

from datetime import datetime
from typing import Any

from graphql import GraphQLError, GraphQLScalarType, StringValueNode, ValueNode, value_from_ast_untyped

from .instants import from_iso, to_iso


def _serialize_date_time(value: Any) -> str:
    return to_iso(value if isinstance(value, datetime) else from_iso(value))


def _parse_date_time(value: Any) -> datetime:
    """Only ISO-8601 with a zone: what upstream's clients send (docs/protocol.md section 9). Numbers are refused."""
    if not isinstance(value, str):
        raise GraphQLError(f"DateTime cannot represent a non string value: {value!r}")
    try:
        return from_iso(value)
    except ValueError as error:
        raise GraphQLError(f"DateTime cannot represent an invalid ISO-8601 date-time string: {error}") from None


def _parse_date_time_literal(node: ValueNode, _variables: dict[str, Any] | None = None) -> datetime:
    if not isinstance(node, StringValueNode):
        raise GraphQLError("DateTime cannot represent a non string literal", node)
    return _parse_date_time(node.value)


DATE_TIME = {
    "serialize": _serialize_date_time,
    "parse_value": _parse_date_time,
    "parse_literal": _parse_date_time_literal,
}

JSON: dict[str, Any] = {
    "serialize": lambda value: value,
    "parse_value": lambda value: value,
    "parse_literal": value_from_ast_untyped,
}


def attach(scalar: GraphQLScalarType, functions: dict[str, Any]) -> None:
    """Gives a scalar that came from SDL its functions; graphql-core has no other door for them."""
    for name, function in functions.items():
        setattr(scalar, name, function)
