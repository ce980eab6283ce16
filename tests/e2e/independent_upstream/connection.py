"""Serves one keep-alive HTTP/1.1 connection; the standard library parses request lines and headers."""

import socket
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from threading import Event
from typing import Any

from .exchange import Exchange
from .faults import Fault, FaultScript
from .http_response import error_response
from .recorder import Recorder
from .request import Headers, Request, parse_json
from .request_body import BadBody, read_body
from .route import parse_target
from .wire import Wire


class ConnectionContext:
    """What every connection of one running server shares."""

    def __init__(self, exchange: Exchange, faults: FaultScript, recorder: Recorder, stopping: Event) -> None:
        self.exchange = exchange
        self.faults = faults
        self.recorder = recorder
        self.stopping = stopping


class ConnectionHandler(BaseHTTPRequestHandler):
    """Constructing it serves the connection to its end, as the base class has it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    raw_requestline: bytes = b""

    def __init__(self, connection: socket.socket, address: Any, context: ConnectionContext) -> None:
        self._context = context
        self._wire = Wire(connection, context.stopping)
        self._connection_id = context.recorder.connection_opened()
        self._served = 0
        super().__init__(connection, address, context)  # type: ignore[arg-type]

    def handle(self) -> None:
        fault = self._context.faults.take_on_accept()
        if fault is not None and fault.ending is not None:
            fault.met()
            fault.ending.deliver(self._wire, None)
        else:
            super().handle()

    def do_GET(self) -> None:
        head = self._request_without_body()
        fault = self._context.faults.take(head, body_read=False)
        if fault is not None:
            self._run(self._context.recorder.arrived(head), fault)
            return
        try:
            body = read_body(self.rfile, head.headers)
        except BadBody as error:
            self._refuse(error)
            return
        request = self._context.recorder.arrived(replace(head, body=body, json=parse_json(body)))
        self._run(request, self._context.faults.take(request, body_read=True))

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Called by the base class for a request line or headers that it cannot parse."""
        self._context.recorder.malformed(f"{code} {message}: {self.raw_requestline[:200]!r}")
        super().send_error(code, message, explain)

    def log_message(self, format: str, *args: Any) -> None:
        """Silence: the recorder is the log."""

    def _run(self, request: Request, fault: Fault | None) -> None:
        self._wire.keep_alive = not self.close_connection
        self._served += 1
        self._context.exchange.run(request, fault, self._wire)
        self.close_connection = not self._wire.keep_alive

    def _refuse(self, error: BadBody) -> None:
        """Framing is lost, so the connection ends."""
        self._context.recorder.malformed(str(error))
        self._wire.keep_alive = False
        self.close_connection = True
        self._wire.send_response(error_response(error.status, "BAD_REQUEST", str(error)))

    def _request_without_body(self) -> Request:
        target = self.requestline.split(" ")[1]
        return Request(
            method=self.command,
            target=target,
            route=parse_target(target),
            headers=Headers(list(self.headers.items())),
            body=b"",
            json=None,
            connection_id=self._connection_id,
            index_on_connection=self._served,
        )
