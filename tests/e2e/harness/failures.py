"""What a refused call says: gRPC status, message and details."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status


@dataclass(frozen=True)
class Refusal:
    code: grpc.StatusCode
    message: str
    retry_after_seconds: float | None
    """Of the google.rpc.RetryInfo in the status details, if there is one."""


def refusal(call: Callable[[], Any]) -> Refusal:
    """Runs a call that must fail. The status details, if any, must repeat code and message."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    error: Any = raised.value
    return Refusal(error.code(), error.details(), _retry_after(error))


def invalid_argument(call: Callable[[], Any]) -> str:
    """The message of a call that must be refused as INVALID_ARGUMENT."""
    refused = refusal(call)
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT, refused
    return refused.message


def _retry_after(error: Any) -> float | None:
    status = rpc_status.from_call(error)
    if status is None:
        return None
    for detail in status.details:
        info = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            return info.retry_delay.ToTimedelta().total_seconds()
    return None
