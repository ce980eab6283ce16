"""An upstream that is independent of the daemon: nothing here was derived from its sources. See README.md."""

from .fault_steps import (
    Body,
    Delay,
    DropAfterProcessing,
    DropBeforeReading,
    GraphqlError,
    Gzipped,
    HalfBody,
    Hold,
    HugeBody,
    Reset,
    Silent,
    Status,
    Trickle,
)
from .faults import FOREVER, Fault, FaultScript
from .gate import Gate
from .generations import Generations
from .match import (
    Match,
    any_request,
    customer,
    edge,
    graphql,
    operation,
    path_contains,
    resource,
    reused_connection,
    sdk_configuration,
)
from .recorder import Recorder, Rejection
from .request import Headers, Outcome, Request
from .server import DEFAULT_API_KEY, Upstream
from .world import World

__all__ = [
    "DEFAULT_API_KEY", "FOREVER", "Body", "Delay", "DropAfterProcessing", "DropBeforeReading", "Fault", "FaultScript",
    "Gate", "Generations", "GraphqlError", "Gzipped", "HalfBody", "Headers", "Hold", "HugeBody", "Match", "Outcome",
    "Recorder", "Rejection", "Request", "Reset", "Silent", "Status", "Trickle", "Upstream", "World", "any_request",
    "customer", "edge", "graphql", "operation", "path_contains", "resource", "reused_connection", "sdk_configuration",
]  # fmt: skip
