"""Predicates over requests, for faults and for the recorder alike. They combine with `&`, `|` and `~`.

Examples:

    edge("v2") & customer("c1")
    operation("ReportUsage") | operation("ReportUsageBulk")
"""

from collections.abc import Callable

from .request import Request
from .scope import Generation

Predicate = Callable[[Request], bool]


class Match:
    """A predicate with a description; a plain function is accepted wherever a Match is."""

    def __init__(self, description: str, predicate: Predicate) -> None:
        self._description = description
        self._predicate = predicate

    def __call__(self, request: Request) -> bool:
        return self._predicate(request)

    def __and__(self, other: "Match") -> "Match":
        return Match(f"({self} & {other})", lambda request: self(request) and other(request))

    def __or__(self, other: "Match") -> "Match":
        return Match(f"({self} | {other})", lambda request: self(request) or other(request))

    def __invert__(self) -> "Match":
        return Match(f"~{self}", lambda request: not self(request))

    def __str__(self) -> str:
        return self._description


def any_request() -> Match:
    return Match("any request", lambda request: True)


def edge(generation: Generation | None = None) -> Match:
    """Entitlement documents of the Edge; the start-up check is `sdk_configuration()`."""
    labels = ("edge:v1", "edge:v2") if generation is None else (f"edge:{generation}",)
    return Match(f"edge {generation or 'v1|v2'}", lambda request: request.route.label in labels)


def sdk_configuration() -> Match:
    """The start-up check on either channel (docs/protocol.md section 1.6)."""
    labels = ("edge:config", "GetSdkConfiguration")
    return Match("sdk configuration", lambda request: request.label in labels)


def graphql() -> Match:
    return Match("graphql", lambda request: request.is_graphql)


def operation(name: str) -> Match:
    """A GraphQL operation. Before the body is read the name comes from the header `x-graphql-operation-name`."""
    return Match(f"operation {name}", lambda request: request.operation == name)


def customer(customer_id: str) -> Match:
    return Match(f"customer {customer_id!r}", lambda request: request.customer_id == customer_id)


def resource(resource_id: str | None) -> Match:
    return Match(f"resource {resource_id!r}", lambda request: request.resource_id == resource_id)


def path_contains(text: str) -> Match:
    """`text` is looked for in the percent-decoded path, without the query."""
    return Match(f"path contains {text!r}", lambda request: text in request.path)


def reused_connection() -> Match:
    """Not the first request of its connection: what a pooled client may replay by itself."""
    return Match("reused connection", lambda request: request.index_on_connection > 0)
