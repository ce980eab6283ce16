"""Takes a GraphQL request through the library step by step, so that each kind of refusal keeps its own code.

HTTP statuses and codes are Apollo Server's: 400 GRAPHQL_PARSE_FAILED, GRAPHQL_VALIDATION_FAILED,
OPERATION_RESOLUTION_FAILURE, BAD_USER_INPUT (variables); 200 for errors raised by resolvers (docs/protocol.md 2.3).
"""

from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values

from .errors import UpstreamError, new_trace_id
from .world import World


@dataclass(frozen=True)
class Execution:
    """`rejection` is the code when the request never reached a resolver; `crashes` are resolver bugs of ours."""

    status: int
    payload: dict[str, Any]
    rejection: str | None = None
    messages: list[str] = field(default_factory=list)
    crashes: list[BaseException] = field(default_factory=list)


class _Rejected(Exception):
    def __init__(self, code: str, errors: list[GraphQLError]) -> None:
        super().__init__(code)
        self.code, self.errors = code, errors


def run(
    schema: GraphQLSchema, world: World, query: str, variables: dict[str, Any] | None, operation_name: str | None
) -> Execution:
    """Never raises. Queries and mutations only: a subscription needs the WebSocket."""
    try:
        document = _parsed(query)
        _require_valid(schema, document)
        operation = _chosen_operation(document, operation_name)
        _require_variables(schema, operation, variables or {})
    except _Rejected as rejected:
        errors = [_formatted(error, rejected.code) for error in rejected.errors]
        return Execution(400, {"errors": errors}, rejected.code, [error.message for error in rejected.errors])
    result = execute_sync(
        schema, document, context_value=world, variable_values=variables, operation_name=operation_name
    )
    if not result.errors:
        return Execution(200, {"data": result.data})
    payload = {"errors": [_formatted(error, "UnexpectedError") for error in result.errors], "data": result.data}
    return Execution(200, payload, crashes=[crash for error in result.errors if (crash := _crash(error))])


def _parsed(query: str) -> DocumentNode:
    try:
        return parse(query)
    except GraphQLSyntaxError as error:
        raise _Rejected("GRAPHQL_PARSE_FAILED", [error]) from None


def _require_valid(schema: GraphQLSchema, document: DocumentNode) -> None:
    errors = validate(schema, document)
    if errors:
        raise _Rejected("GRAPHQL_VALIDATION_FAILED", errors)


def _chosen_operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    operation = get_operation_ast(document, name)
    if operation is None:
        wanted = f"Unknown operation named {name!r}." if name else "Must provide an operation name."
        raise _Rejected("OPERATION_RESOLUTION_FAILURE", [GraphQLError(wanted)])
    if operation.operation is OperationType.SUBSCRIPTION:
        raise _Rejected("BAD_REQUEST", [GraphQLError("Subscriptions are not served over HTTP.", operation)])
    return operation


def _require_variables(schema: GraphQLSchema, operation: OperationDefinitionNode, variables: dict[str, Any]) -> None:
    coerced = get_variable_values(schema, operation.variable_definitions or (), variables)
    if isinstance(coerced, list):
        raise _Rejected("BAD_USER_INPUT", coerced)


def _formatted(error: GraphQLError, default_code: str) -> dict[str, Any]:
    formatted: dict[str, Any] = dict(error.formatted)
    formatted["extensions"] = {"code": default_code, **(error.extensions or {}), "traceId": new_trace_id()}
    return formatted


def _crash(error: GraphQLError) -> BaseException | None:
    """What is not an UpstreamError was not meant to happen: a serialisation error, or an exception of ours."""
    return None if isinstance(error.original_error, UpstreamError) else error
