"""Root resolvers. They translate arguments and answers; the rules are the world's.

The context value is the World. Members below the root are read from the dictionaries that render.py makes.
"""

from collections.abc import Callable
from typing import Any

from graphql import GraphQLResolveInfo

from .event_log import Event
from .measurement import UsageReport
from .world import World

Json = dict[str, Any]
Resolver = Callable[..., Any]

SDK_CONFIGURATION: Json = {
    "__typename": "SdkConfiguration",
    "sentryDsn": None,
    "isWidgetWatermarkEnabled": False,
    "showWatermark": False,
}
"""docs/protocol.md section 1.6: clients look only at whether the call succeeds."""


def _world(info: GraphQLResolveInfo) -> World:
    world: World = info.context
    return world


def _scope_ids(query: Json) -> tuple[str, str | None]:
    """A resource id that is null or empty names no resource."""
    return query["customerId"], query.get("resourceId") or None


def _sdk_configuration(_source: None, _info: GraphQLResolveInfo) -> Json:
    return SDK_CONFIGURATION


def _cached_entitlements(_source: None, info: GraphQLResolveInfo, query: Json) -> list[Json]:
    return _world(info).entitlements_v1(*_scope_ids(query))


def _entitlements_state(_source: None, info: GraphQLResolveInfo, query: Json) -> Json:
    return _world(info).entitlements_state(*_scope_ids(query))


def _report_usage(_source: None, info: GraphQLResolveInfo, input: Json) -> Json:
    return _world(info).report_usage(UsageReport.from_input(input)).as_json()


def _report_usage_bulk(_source: None, info: GraphQLResolveInfo, input: Json) -> list[Json]:
    reports = [UsageReport.from_input(item) for item in input["usages"]]
    return [measurement.as_json() for measurement in _world(info).report_usage_bulk(reports)]


def _report_event(_source: None, info: GraphQLResolveInfo, events: Json) -> None:
    _world(info).report_events([Event.from_input(item) for item in events["usageEvents"]])


def _provision_customer(_source: None, info: GraphQLResolveInfo, input: Json) -> Json:
    return {"customer": _world(info).provision_customer(input["customerId"], input.get("name"), input.get("email"))}


def _provision_subscription(_source: None, info: GraphQLResolveInfo, input: Json) -> Json:
    _world(info).provision_subscription(input["customerId"], input["planId"])
    return {"status": "SUCCESS"}


QUERIES: dict[str, Resolver] = {
    "sdkConfiguration": _sdk_configuration,
    "cachedEntitlements": _cached_entitlements,
    "entitlementsState": _entitlements_state,
}

MUTATIONS: dict[str, Resolver] = {
    "reportUsage": _report_usage,
    "reportUsageBulk": _report_usage_bulk,
    "reportEvent": _report_event,
    "provisionCustomer": _provision_customer,
    "provisionSubscription": _provision_subscription,
}
