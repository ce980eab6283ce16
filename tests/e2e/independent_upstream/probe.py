"""A minimal client for testing the upstream itself, and for poking it from a daemon test. Standard library only."""

import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from typing import Any, Self
from urllib.parse import quote

from .server import Upstream

TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error_code(self) -> str:
        """`extensions.code` of the first error: the only one clients read (docs/protocol.md section 2.3)."""
        code: str = self.json["errors"][0]["extensions"]["code"]
        return code


class Probe:
    """One keep-alive connection. Raises what http.client raises; every wait ends after TIMEOUT_SECONDS."""

    def __init__(self, upstream: Upstream, api_key: str | None = None) -> None:
        self.api_key = api_key if api_key is not None else upstream.api_key or ""
        self.connection = HTTPConnection("127.0.0.1", upstream.port, timeout=TIMEOUT_SECONDS)

    def entitlements(self, generation: str, customer_id: str, resource_id: str | None = None) -> Answer:
        document = {"v1": "entitlements.json", "v2": "entitlements-state.json"}[generation]
        query = f"?resourceId={quote(resource_id, safe='')}" if resource_id is not None else ""
        return self.get(f"/v1/c/{quote(customer_id, safe='')}/{document}{query}")

    def get(self, target: str) -> Answer:
        return self.send("GET", target)

    def graphql(self, query: str, variables: dict[str, Any] | None = None, operation: str | None = None) -> Answer:
        """`operation` defaults to the first operation name in the document."""
        name = operation or query.split(maxsplit=2)[1].partition("(")[0]
        payload = {"operationName": name, "variables": variables or {}, "query": query}
        return self.post_graphql(json.dumps(payload).encode(), name)

    def post_graphql(self, body: bytes, operation: str = "") -> Answer:
        headers = {"Content-Type": "application/json", "x-graphql-operation-name": operation}
        return self.send("POST", "/graphql", body, headers)

    def send(self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        self.request(method, target, body, headers)
        return self.receive()

    def request(self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None) -> None:
        """Sends without waiting for the answer. An iterable `body` goes out chunked."""
        self.connection.request(method, target, body, {"X-API-KEY": self.api_key, **(headers or {})})

    def receive(self) -> Answer:
        response: HTTPResponse = self.connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
