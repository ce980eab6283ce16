"""One request as it arrived, and what became of it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .route import Route


class Headers(Mapping[str, str]):
    """Case-insensitive; a repeated header is joined with ", ". Iterates over lower-case names. Immutable."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.pairs = tuple(pairs)
        """As they arrived: order, spelling and repetitions kept."""
        self._values: dict[str, str] = {}
        for name, value in pairs:
            key = name.lower()
            self._values[key] = f"{self._values[key]}, {value}" if key in self._values else value

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass
class Outcome:
    """Filled in by the server while the request is handled; written under the recorder's lock."""

    fault: str | None = None
    """Description of the injected fault that this request met."""
    processed: bool = False
    """True once the request was handed to an endpoint: a write has then been counted, or refused, for good."""
    status: int | None = None
    """The status the endpoint answered, which an injected fault may have replaced on the wire."""
    finished: bool = False
    """True when the server is done with the request, whether or not an answer could be delivered."""


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    """The raw bytes of the request line's target, as text."""
    route: Route
    headers: Headers
    body: bytes
    json: Any
    """The parsed body; None when it is empty or not JSON."""
    connection_id: int
    """1 for the first connection; requests with the same number shared it."""
    index_on_connection: int
    """0 for the first request of its connection: more than 0 means that keep-alive worked."""
    number: int = 0
    """1 for the first request of this recorder, in order of arrival; 0 before it is recorded."""
    arrived_monotonic: float = 0.0
    """Seconds of time.monotonic() when the request was complete: only for differences."""
    outcome: Outcome = field(default_factory=Outcome, compare=False)

    @property
    def path(self) -> str:
        """Percent-decoded, without the query."""
        return self.route.path

    @property
    def query(self) -> dict[str, str]:
        """Percent-decoded; the last of repeated names wins."""
        return self.route.query

    @property
    def is_edge(self) -> bool:
        return self.route.label.startswith("edge:")

    @property
    def is_graphql(self) -> bool:
        return self.route.label == "graphql"

    @property
    def operation(self) -> str | None:
        """GraphQL operation name, from the body, else from the header (docs/protocol.md section 2.1)."""
        if not self.is_graphql:
            return None
        name = self._member(self.json, "operationName")
        return name if isinstance(name, str) else self.headers.get("x-graphql-operation-name")

    @property
    def label(self) -> str:
        """What the counters count: the GraphQL operation name, or edge:v1, edge:v2, edge:config, graphql, unknown."""
        return self.operation or self.route.label

    @property
    def variables(self) -> dict[str, Any]:
        variables = self._member(self.json, "variables")
        return variables if isinstance(variables, dict) else {}

    @property
    def customer_id(self) -> str | None:
        """Of an Edge path, or of the `query` or `input` variable; None for bulks and events."""
        return self.route.customer_id or self._subject("customerId")

    @property
    def resource_id(self) -> str | None:
        return self.route.resource_id if self.is_edge else self._subject("resourceId")

    def __str__(self) -> str:
        return f"#{self.number} {self.method} {self.target} [{self.label}] {self.outcome}"

    def _subject(self, member: str) -> str | None:
        for name in ("query", "input"):
            value = self._member(self.variables.get(name), member)
            if isinstance(value, str):
                return value
        return None

    @staticmethod
    def _member(value: Any, name: str) -> Any:
        return value.get(name) if isinstance(value, dict) else None


def parse_json(body: bytes) -> Any:
    """None when the body is not strict JSON: NaN and Infinity, which Python would let pass, are refused."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except ValueError:
        return None


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
