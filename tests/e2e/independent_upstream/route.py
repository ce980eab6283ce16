"""Where a request target leads: percent-decoding and the paths of docs/protocol.md sections 1.1 and 2.1."""

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from .scope import Generation

_ENTITLEMENTS_DOCUMENTS: dict[str, Generation] = {
    "entitlements.json": "v1",
    "entitlements-state.json": "v2",
}
_SDK_CONFIGURATION_PATH = ["v1", "config", "server-sdk-configuration.json"]


@dataclass(frozen=True)
class Route:
    """`label` is one of edge:v1, edge:v2, edge:config, graphql, unknown, malformed.

    `path` is decoded as a whole, for reading; the customer id is decoded from its own segment, so an encoded slash
    in it stays inside it.
    """

    label: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    generation: Generation | None = None
    customer_id: str | None = None

    @property
    def resource_id(self) -> str | None:
        return self.query.get("resourceId") or None


def parse_target(target: str) -> Route:
    """Accepts origin form and absolute form. What is no URL, or not UTF-8 once decoded, is `malformed`."""
    try:
        parts = urlsplit("http://upstream" + target if target.startswith("/") else target)
        path = unquote(parts.path, errors="strict")
        segments = [unquote(segment, errors="strict") for segment in parts.path.split("/")[1:]]
        query = dict(parse_qsl(parts.query, keep_blank_values=True, errors="strict"))
    except ValueError:
        return Route("malformed", target)
    if segments == ["graphql"]:
        return Route("graphql", path, query)
    if segments == _SDK_CONFIGURATION_PATH:
        return Route("edge:config", path, query)
    if len(segments) == 4 and segments[:2] == ["v1", "c"] and segments[2]:
        generation = _ENTITLEMENTS_DOCUMENTS.get(segments[3])
        if generation is not None:
            return Route(f"edge:{generation}", path, query, generation, segments[2])
    return Route("unknown", path, query)
