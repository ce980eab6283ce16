"""`Upstream`: the server that a test starts, points the daemon at, breaks and questions."""

import socket
from threading import Event
from typing import Self

from .connection import ConnectionContext, ConnectionHandler
from .endpoints import Endpoints
from .exchange import Exchange
from .faults import FaultScript
from .generations import Generations
from .listener import Listener
from .recorder import Recorder
from .world import World

DEFAULT_API_KEY = "server-test-key"


class Upstream:
    """Edge and GraphQL of one upstream on one loopback port, HTTP/1.1 with keep-alive, one thread per connection.

        with Upstream() as upstream:
            upstream.world.customer("c1").boolean("feature-sso")
            # API_URL and EDGE_API_URL of the daemon = upstream.url

    `world`, `faults`, `recorder` and `generations` outlive `stop()`; `start()` after it comes back on the same port,
    which is how an outage is played. All members are safe to use from any thread, start and stop from one only.
    """

    def __init__(
        self,
        *,
        world: World | None = None,
        api_key: str | None = DEFAULT_API_KEY,
        generations: Generations | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.world = world or World()
        self.generations = generations or Generations()
        self.faults = FaultScript()
        self.recorder = Recorder()
        self._endpoints = Endpoints(self.world, self.generations, self.recorder, api_key)
        self._host = host
        self._port = 0
        self._stopping = Event()
        self._listener: Listener | None = None

    def start(self) -> Self:
        """Returns once connections are accepted. Raises OSError if the port of an earlier start is taken."""
        if self._listener is not None:
            raise RuntimeError("already started")
        self._stopping = Event()
        exchange = Exchange(self._endpoints, self.recorder)
        context = ConnectionContext(exchange, self.faults, self.recorder, self._stopping)

        def serve(connection: socket.socket, address: object) -> None:
            ConnectionHandler(connection, address, context)

        self._listener = Listener(self._host, self._port, serve, self.recorder.internal_error)
        self._port = self._listener.port
        return self

    def stop(self) -> None:
        """Ends every connection, silent and held ones included, and every thread. Does nothing when not started."""
        if self._listener is None:
            return
        listener, self._listener = self._listener, None
        self._stopping.set()
        self.faults.abandon_gates()
        listener.close()

    def drop_connections(self) -> None:
        """Closes every open connection, idle or not; new ones are accepted. For stale pooled connections."""
        if self._listener is not None:
            self._listener.drop_connections()

    @property
    def url(self) -> str:
        """`http://127.0.0.1:<port>`, without a trailing slash. Known from the first start on, stopped or not."""
        if self._port == 0:
            raise RuntimeError("not started yet")
        return f"http://{self._host}:{self._port}"

    @property
    def port(self) -> int:
        return self._port

    @property
    def api_key(self) -> str | None:
        """What X-API-KEY must be; None accepts anything. Setting it revokes the old key from the next request on."""
        return self._endpoints.api_key

    @api_key.setter
    def api_key(self, key: str | None) -> None:
        self._endpoints.api_key = key

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
