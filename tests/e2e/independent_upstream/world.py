"""The state behind an upstream: customers, plans, usage and events, in memory.

One world may be shared by several `Upstream`s (an Edge host and a GraphQL host, say). Thread-safe: one lock guards it
all, and what is handed out is a snapshot.
"""

from threading import RLock
from typing import Any

from . import render
from .customers import Customer, Standing
from .errors import UpstreamError
from .event_log import Event, EventLog
from .instants import Clock, Stamps, system_clock
from .measurement import Measurement, UsageReport
from .scope import Generation, Scope, Shared
from .usage_ledger import UsageLedger


class World:
    """`clock` is the upstream's wall time: periods and update times follow it, so a test may move it."""

    def __init__(self, clock: Clock = system_clock) -> None:
        self._clock = clock
        self._shared = Shared(RLock(), Stamps(clock))
        self._customers: dict[str, Customer] = {}
        self._plans: dict[str, Scope] = {}
        self._ledger = UsageLedger(self._shared, self._scope_to_write, self._feature_exists)
        self._event_log = EventLog(self._shared.lock)

    # Building and changing.

    def customer(self, customer_id: str) -> Customer:
        """Created on first use, with an active subscription and no entitlements."""
        with self._shared.lock:
            return self._customers.setdefault(customer_id, Customer(self._shared, customer_id))

    def plan(self, plan_id: str) -> Scope:
        """What `provisionSubscription` gives to a customer: build it as a scope. Created on first use."""
        with self._shared.lock:
            return self._plans.setdefault(plan_id, Scope(self._shared))

    def remove_customer(self, customer_id: str) -> None:
        """From now on the customer is unknown."""
        with self._shared.lock:
            del self._customers[customer_id]

    # What tests look at. KeyError for what was never defined.

    def usage(self, customer_id: str, feature_id: str, resource_id: str | None = None) -> float | None:
        with self._shared.lock:
            scope = self._existing_scope(customer_id, resource_id)
            return scope.features[feature_id].usage_at(self._clock())

    def credit_usage(self, customer_id: str, currency_id: str, resource_id: str | None = None) -> float:
        with self._shared.lock:
            return self._existing_scope(customer_id, resource_id).credits[currency_id].usage.current

    @property
    def measurements(self) -> list[Measurement]:
        """Every usage report that was counted, in order; a repeated idempotency key appears once."""
        return self._ledger.accepted

    @property
    def events(self) -> list[Event]:
        """Every distinct event, in order of first arrival."""
        return self._event_log.events

    @property
    def event_repeats(self) -> int:
        return self._event_log.repeats

    @property
    def customer_ids(self) -> list[str]:
        with self._shared.lock:
            return list(self._customers)

    # What the endpoints ask for.

    def entitlements_v1(self, customer_id: str, resource_id: str | None) -> list[render.Json]:
        """Empty for whatever is unknown, archived or not subscribed: V1 cannot say which (section 0)."""
        with self._shared.lock:
            scope, _ = self._scope_to_read(customer_id, resource_id)
            return render.entitlements_v1(scope, customer_id, self._clock()) if scope is not None else []

    def entitlements_state(self, customer_id: str, resource_id: str | None) -> render.Json:
        with self._shared.lock:
            scope, reason = self._scope_to_read(customer_id, resource_id)
            return render.entitlements_state(scope, customer_id, reason, self._clock())

    def raw_edge_body(self, customer_id: str, resource_id: str | None, generation: Generation) -> bytes | None:
        """Also for a customer that is archived or not subscribed: these bytes are served whatever the world says."""
        with self._shared.lock:
            try:
                return self._existing_scope(customer_id, resource_id).raw_edge_bodies.get(generation)
            except KeyError:
                return None

    def report_usage(self, report: UsageReport) -> Measurement:
        return self._ledger.report(report)

    def report_usage_bulk(self, reports: list[UsageReport]) -> list[Measurement]:
        return self._ledger.report_bulk(reports)

    def report_events(self, events: list[Event]) -> None:
        self._event_log.report(events)

    def provision_customer(self, customer_id: str, name: str | None, email: str | None) -> dict[str, Any]:
        """A new customer has no subscription; an existing one keeps what it has."""
        with self._shared.lock:
            if customer_id not in self._customers:
                self.customer(customer_id).no_subscription()
            customer = self._customers[customer_id]
            customer.name, customer.email = name, email
            return {"customerId": customer_id, "name": name, "email": email}

    def provision_subscription(self, customer_id: str, plan_id: str) -> None:
        """Copies the plan's entitlements. An unknown plan is BadUserInput (our choice of code)."""
        with self._shared.lock:
            customer = self._customers.get(customer_id)
            if customer is None:
                raise UpstreamError("CustomerNotFound", "Customer not found")
            if plan_id not in self._plans:
                raise UpstreamError("BadUserInput", "Plan not found")
            customer.activate().copy_entitlements_from(self._plans[plan_id])

    # Lookups, all under the lock.

    def _existing_scope(self, customer_id: str, resource_id: str | None) -> Scope:
        customer = self._customers[customer_id]
        return customer if resource_id is None else customer.resources[resource_id]

    def _scope_to_read(self, customer_id: str, resource_id: str | None) -> tuple[Scope | None, str | None]:
        """(scope, None), or (None, V2 reason). The reason for an unknown resource is our assumption (section 11)."""
        customer = self._customers.get(customer_id)
        if customer is None:
            return None, "CustomerNotFound"
        if customer.standing is not Standing.ACTIVE:
            return None, customer.standing.value
        if resource_id is None:
            return customer, None
        scope = customer.resources.get(resource_id)
        return (scope, None) if scope is not None else (None, "CustomerResourceNotFound")

    def _scope_to_write(self, customer_id: str, resource_id: str | None) -> Scope:
        scope, reason = self._scope_to_read(customer_id, resource_id)
        if scope is not None:
            return scope
        code, message = {
            "CustomerNotFound": ("CustomerNotFound", "Customer not found"),
            "CustomerIsArchived": ("EntityIsArchivedError", "Customer is archived"),
            "NoActiveSubscription": ("NoActiveSubscriptionForCustomer", "Customer has no active subscription"),
            "CustomerResourceNotFound": ("CustomerResourceNotFound", "Customer resource not found"),
        }[reason or ""]
        raise UpstreamError(code, message)

    def _feature_exists(self, feature_id: str) -> bool:
        scopes: list[Scope] = list(self._plans.values())
        for customer in self._customers.values():
            scopes += [customer, *customer.resources.values()]
        return any(feature_id in scope.features for scope in scopes)
