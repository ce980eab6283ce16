"""One request from arrival to the end of its answer: fault, processing, delivery, and the record of them."""

from .endpoints import Endpoints
from .fault_steps import Ending
from .faults import Fault
from .http_response import Response, error_response
from .recorder import Recorder
from .request import Request
from .wire import Wire


class Exchange:
    """Thread-safe: holds no state of its own."""

    def __init__(self, endpoints: Endpoints, recorder: Recorder) -> None:
        self._endpoints = endpoints
        self._recorder = recorder

    def run(self, request: Request, fault: Fault | None, wire: Wire) -> None:
        """`request` is recorded already. A peer that has gone away is not an error."""
        self._recorder.note(request, fault=str(fault) if fault is not None else None)
        try:
            if fault is None:
                wire.send_response(self._process(request))
            else:
                self._run_fault(request, fault, wire)
        except OSError:
            wire.drop()
        finally:
            self._recorder.note(request, finished=True)

    def _run_fault(self, request: Request, fault: Fault, wire: Wire) -> None:
        fault.met()
        ending = fault.ending
        if fault.wait_first and not _wait(fault, wire):
            return
        answer = self._process(request) if ending is None or ending.processes else None
        if not fault.wait_first and not _wait(fault, wire):
            return
        _deliver(ending, answer, wire)

    def _process(self, request: Request) -> Response:
        """An exception here is a bug of this package: recorded, so that `assert_clean` fails, and answered 500."""
        try:
            response = self._endpoints.answer(request)
        except Exception as error:
            self._recorder.internal_error(error)
            response = error_response(500, "InternalServerError", repr(error))
        self._recorder.note(request, processed=True, status=response.status)
        return response


def _wait(fault: Fault, wire: Wire) -> bool:
    if all(wait.wait(wire) for wait in fault.waits):
        return True
    wire.drop()
    return False


def _deliver(ending: Ending | None, answer: Response | None, wire: Wire) -> None:
    if ending is not None:
        ending.deliver(wire, answer)
    else:
        assert answer is not None
        wire.send_response(answer)
