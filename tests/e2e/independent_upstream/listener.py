"""Accepts TCP connections and gives each a thread; closes them all again, whatever they are doing."""

import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread, current_thread
from typing import Any

Serve = Callable[[socket.socket, Any], None]

_BACKLOG = 512
_JOIN_SECONDS_MAX = 5.0


class Listener:
    """Listening from construction to close(). `serve` runs on a thread of its own per connection."""

    def __init__(self, host: str, port: int, serve: Serve, on_error: Callable[[BaseException], None]) -> None:
        """`on_error` gets what `serve` raised, except OSError: peers may go away at any time."""
        self._serve = serve
        self._on_error = on_error
        self._lock = Lock()
        self._open: dict[Thread, socket.socket] = {}
        self._socket = socket.create_server((host, port), backlog=_BACKLOG)
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._accepting = Thread(target=self._accept_until_woken, name="upstream-accept", daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Bounded: a connection thread that outlives its socket by 5 s is reported to `on_error` and left behind."""
        self._wake_writer.send(b"x")
        self._accepting.join(_JOIN_SECONDS_MAX)
        for each in (self._socket, self._wake_reader, self._wake_writer):
            each.close()
        with self._lock:
            threads = list(self._open)
        self.drop_connections()
        deadline = time.monotonic() + _JOIN_SECONDS_MAX
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                self._on_error(TimeoutError(f"{thread.name} did not end"))

    def drop_connections(self) -> None:
        """Wakes blocked readers and writers too; their threads end by themselves."""
        with self._lock:
            for connection in self._open.values():
                with suppress(OSError):  # closed by either side meanwhile
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept_until_woken(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._wake_reader, selectors.EVENT_READ)
            while all(key.fileobj is self._socket for key, _ in selector.select()):
                try:
                    connection, address = self._socket.accept()
                except OSError:
                    continue  # the peer gave up before it was accepted
                self._start(connection, address)

    def _start(self, connection: socket.socket, address: Any) -> None:
        connection.setblocking(True)
        thread = Thread(
            target=self._run, args=(connection, address), name=f"upstream-connection-{address[1]}", daemon=True
        )
        with self._lock:
            self._open[thread] = connection
        thread.start()

    def _run(self, connection: socket.socket, address: Any) -> None:
        try:
            self._serve(connection, address)
        except OSError:
            pass
        except Exception as error:
            self._on_error(error)
        finally:
            connection.close()
            with self._lock:
                del self._open[current_thread()]
