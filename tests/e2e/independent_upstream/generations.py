"""Which documents of which protocol generation an instance serves (docs/protocol.md section 0)."""

from dataclasses import dataclass

from .scope import Generation


@dataclass
class Generations:
    """Switches, read anew for every request and safe to flip at any time from any thread.

    Edge off: that document answers 404. GraphQL off: its part is missing from the schema.
    """

    edge_v1: bool = True
    edge_v2: bool = True
    graphql_v1: bool = True
    graphql_v2: bool = True

    def only_v1(self) -> None:
        self.edge_v1, self.graphql_v1, self.edge_v2, self.graphql_v2 = True, True, False, False

    def only_v2(self) -> None:
        self.edge_v1, self.graphql_v1, self.edge_v2, self.graphql_v2 = False, False, True, True

    def both(self) -> None:
        self.edge_v1 = self.graphql_v1 = self.edge_v2 = self.graphql_v2 = True

    def edge(self, generation: Generation) -> bool:
        return self.edge_v1 if generation == "v1" else self.edge_v2
