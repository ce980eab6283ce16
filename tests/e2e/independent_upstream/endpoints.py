"""Answers one request from the world: key check, then Edge (docs/protocol.md section 1) or GraphQL (section 2)."""

from collections.abc import Callable
from dataclasses import replace

from . import graphql_document
from .generations import Generations
from .http_response import Response, error_response, json_bytes_response, json_response
from .recorder import Recorder, Rejection
from .request import Request
from .resolvers import SDK_CONFIGURATION
from .schema import schema_for
from .world import World


class Endpoints:
    """Thread-safe. `api_key` and `generations` may be changed at any time; None accepts every key."""

    def __init__(self, world: World, generations: Generations, recorder: Recorder, api_key: str | None) -> None:
        self.world = world
        self.generations = generations
        self.api_key = api_key
        self._recorder = recorder

    def answer(self, request: Request) -> Response:
        label = request.route.label
        if label == "malformed":
            return error_response(400, "BadUserInput", "Request target is malformed")
        if label == "unknown":
            return error_response(404, "NotFound", "No such path")
        if self.api_key is not None and request.headers.get("x-api-key") != self.api_key:
            return error_response(401, "Unauthenticated", "Invalid API key")
        wanted, endpoint = ("POST", self._graphql) if label == "graphql" else ("GET", self._edge)
        return self._with_method(wanted, request, endpoint)

    @staticmethod
    def _with_method(method: str, request: Request, endpoint: Callable[[Request], Response]) -> Response:
        if request.method == method:
            return endpoint(request)
        refused = error_response(405, "MethodNotAllowed", f"Only {method} is served here")
        return replace(refused, headers={**refused.headers, "Allow": method})

    def _edge(self, request: Request) -> Response:
        generation, customer_id = request.route.generation, request.route.customer_id
        if generation is None or customer_id is None:
            return json_response({"data": {"sdkConfiguration": SDK_CONFIGURATION}})
        if not self.generations.edge(generation):
            return error_response(404, "NotFound", "No such path")
        raw = self.world.raw_edge_body(customer_id, request.resource_id, generation)
        if raw is not None:
            return json_bytes_response(raw)
        if generation == "v1":
            entitlements = self.world.entitlements_v1(customer_id, request.resource_id)
            return json_response({"data": {"entitlements": entitlements}})
        state = self.world.entitlements_state(customer_id, request.resource_id)
        return json_response({"data": {"entitlementsState": state}})

    def _graphql(self, request: Request) -> Response:
        query = request.json.get("query") if isinstance(request.json, dict) else None
        if not isinstance(query, str) or not _well_formed(request):
            message = "POST body must be a JSON object with query, and optionally variables and operationName"
            return self._rejected(request, "BAD_REQUEST", [message], error_response(400, "BAD_REQUEST", message))
        schema = schema_for(v1=self.generations.graphql_v1, v2=self.generations.graphql_v2)
        execution = graphql_document.run(
            schema, self.world, query, request.json.get("variables"), request.json.get("operationName")
        )
        for crash in execution.crashes:
            self._recorder.internal_error(crash)
        response = json_response(execution.payload, execution.status)
        if execution.rejection is None:
            return response
        return self._rejected(request, execution.rejection, execution.messages, response)

    def _rejected(self, request: Request, code: str, messages: list[str], response: Response) -> Response:
        self._recorder.rejected(Rejection(request, code, messages))
        return response


def _well_formed(request: Request) -> bool:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    variables, name = request.json.get("variables"), request.json.get("operationName")
    return (
        media_type == "application/json"
        and (variables is None or isinstance(variables, dict))
        and (name is None or isinstance(name, str))
    )
