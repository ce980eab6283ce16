"""gRPC server reflection, v1 and v1alpha: what grpcurl and its like need."""

import queue
import signal
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2

from harness.contract import (
    METHODS,
    SERVICE,
    pb,
    reflection_alpha_pb2,
    reflection_alpha_pb2_grpc,
    reflection_pb2,
    reflection_pb2_grpc,
)
from harness.daemon import Daemons
from harness.failures import refusal
from harness.waiting import timed

VERSIONS = {
    "v1": (reflection_pb2, reflection_pb2_grpc),
    "v1alpha": (reflection_alpha_pb2, reflection_alpha_pb2_grpc),
}

NOT_FOUND = 5
INVALID_ARGUMENT = 3

SIDECAR_PROTO = "stigg/sidecar/v1/sidecar.proto"


class Reflection:
    def __init__(self, channel: Any, version: str) -> None:
        self._messages, services = VERSIONS[version]
        self._stub = services.ServerReflectionStub(channel)

    def talk(self, questions: queue.SimpleQueue) -> Any:
        """One stream, kept open until a None is put into the queue."""
        requests = (self._messages.ServerReflectionRequest(**question) for question in iter(questions.get, None))
        return self._stub.ServerReflectionInfo(requests, timeout=30)

    def ask(self, *questions: dict[str, Any]) -> list[Any]:
        """All on one stream; one answer each, in order."""
        requests = [self._messages.ServerReflectionRequest(**question) for question in questions]
        return list(self._stub.ServerReflectionInfo(iter(requests), timeout=10))

    def files(self, **question: Any) -> dict[str, descriptor_pb2.FileDescriptorProto]:
        (answer,) = self.ask(question)
        parsed = map(
            descriptor_pb2.FileDescriptorProto.FromString, answer.file_descriptor_response.file_descriptor_proto
        )
        return {each.name: each for each in parsed}


@pytest.fixture(scope="module")
def channel(shared_daemons: Daemons) -> Any:
    return shared_daemons(OFFLINE=1).client.channel


@pytest.fixture(params=VERSIONS)
def reflection(request: pytest.FixtureRequest, channel: Any) -> Reflection:
    return Reflection(channel, request.param)


def test_it_lists_the_services(reflection: Reflection) -> None:
    (answer,) = reflection.ask({"list_services": "*"})
    names = {service.name for service in answer.list_services_response.service}
    assert names == {
        SERVICE,
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }


@pytest.mark.parametrize(
    "symbol",
    [SERVICE, f"{SERVICE}.GetEntitlementV2", "stigg.sidecar.v1.MeteredEntitlement", "stigg.sidecar.v1.FeatureType"],
)
def test_it_describes_a_symbol(reflection: Reflection, symbol: str) -> None:
    assert SIDECAR_PROTO in reflection.files(file_containing_symbol=symbol)


def test_the_contract_it_describes_is_ours(reflection: Reflection) -> None:
    """Compiled in, or the daemon would describe another contract than it serves."""
    files = reflection.files(file_containing_symbol=SERVICE)
    served, ours = files[SIDECAR_PROTO], descriptor_pb2.FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(ours)
    assert [method.name for method in served.service[0].method] == list(METHODS)
    for each in (served, ours):
        for message in each.message_type:
            for field in message.field:
                field.ClearField("json_name")
    assert served == ours


def test_what_it_imports_comes_along(reflection: Reflection) -> None:
    files = reflection.files(file_by_filename=SIDECAR_PROTO)
    assert all(dependency in files for file in files.values() for dependency in file.dependency)
    assert "google/protobuf/timestamp.proto" in files


@pytest.mark.parametrize("service", ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"])
def test_it_describes_the_other_services_too(reflection: Reflection, service: str) -> None:
    files = reflection.files(file_containing_symbol=service)
    assert any(each.package + "." + each.service[0].name == service for each in files.values() if each.service)


@pytest.mark.parametrize(
    "question", [{"file_containing_symbol": "stigg.Nothing"}, {"file_by_filename": "nothing.proto"}]
)
def test_what_it_does_not_know_is_not_found(reflection: Reflection, question: dict[str, str]) -> None:
    (answer,) = reflection.ask(question)
    assert answer.error_response.error_code == NOT_FOUND


def test_a_question_about_nothing_is_invalid(reflection: Reflection) -> None:
    (answer,) = reflection.ask({})
    assert answer.error_response.error_code == INVALID_ARGUMENT


def test_a_stream_takes_many_questions(reflection: Reflection) -> None:
    questions: list[dict[str, str]] = [{"list_services": ""}, {"file_containing_symbol": "stigg.Nothing"}] * 20
    answers = reflection.ask(*questions)
    assert [each.WhichOneof("message_response") for each in answers] == [
        "list_services_response", "error_response",
    ] * 20  # fmt: skip


def test_a_question_is_returned_with_its_answer(reflection: Reflection) -> None:
    (answer,) = reflection.ask({"host": "example", "list_services": "*"})
    assert answer.valid_host == answer.original_request.host == "example"


@pytest.mark.parametrize("version", VERSIONS)
def test_streams_do_not_hold_up_the_end(version: str, daemon: Daemons) -> None:
    """A client keeps its stream for more questions: it is no call to wait for."""
    draining = daemon(OFFLINE=1, DRAIN_TIMEOUT_MS=8000)
    questions: queue.SimpleQueue = queue.SimpleQueue()
    stream = Reflection(draining.client.channel, version).talk(questions)
    questions.put({"list_services": "*"})
    assert next(stream).HasField("list_services_response")
    draining.process.signal(signal.SIGTERM)
    code, seconds = timed(draining.process.wait)
    assert code == 0
    assert seconds < 4
    assert refusal(lambda: next(stream)).code is grpc.StatusCode.UNAVAILABLE
    questions.put(None)
