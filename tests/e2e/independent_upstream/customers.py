"""A customer: its own scope, the scopes of its resources, and whether it is entitled to anything at all."""

from enum import Enum
from typing import Self

from .scope import Scope, Shared


class Standing(Enum):
    """Value: the V2 reason served with an empty state (docs/protocol.md section 0), or None."""

    ACTIVE = None
    ARCHIVED = "CustomerIsArchived"
    NO_SUBSCRIPTION = "NoActiveSubscription"


class Customer(Scope):
    """Thread-safe, like Scope. Created only by `World.customer()`."""

    def __init__(self, shared: Shared, customer_id: str) -> None:
        super().__init__(shared)
        self.id = customer_id
        self.name: str | None = None
        self.email: str | None = None
        self.standing = Standing.ACTIVE
        self.resources: dict[str, Scope] = {}

    def resource(self, resource_id: str) -> Scope:
        """The scope of a resource, created on first use."""
        with self._shared.lock:
            return self.resources.setdefault(resource_id, Scope(self._shared, resource_id))

    def archive(self) -> Self:
        return self._stand(Standing.ARCHIVED)

    def no_subscription(self) -> Self:
        return self._stand(Standing.NO_SUBSCRIPTION)

    def activate(self) -> Self:
        return self._stand(Standing.ACTIVE)

    def _stand(self, standing: Standing) -> Self:
        with self._shared.lock:
            self.standing = standing
        return self
