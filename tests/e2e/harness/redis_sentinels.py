"""A master, two replicas, and three Sentinels that watch them: real processes on loopback."""

import contextlib
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import redis

from .redis_server import RedisServer
from .waiting import eventually

MASTER_NAME = "mymaster"

_SENTINELS = 3
_DOWN_AFTER_MS = 1000
"""How long a master must be silent before a Sentinel takes it for dead."""


class Sentinel(RedisServer):
    """Watches one master. It keeps its knowledge in its configuration file."""

    def __init__(self, master: RedisServer, **options: object) -> None:
        self._master_port = master.port
        super().__init__(**options)

    def _command(self, options: dict[str, str]) -> list[str]:
        file = Path(self._folder.name, "sentinel.conf")
        if not file.exists():
            lines = [f"{name} {value}" for name, value in options.items()]
            lines += [
                f"port {self.port}",
                "bind 127.0.0.1",
                f"dir {self._folder.name}",
                "logfile redis.log",
                f"sentinel monitor {MASTER_NAME} 127.0.0.1 {self._master_port} 2",
                f"sentinel down-after-milliseconds {MASTER_NAME} {_DOWN_AFTER_MS}",
                f"sentinel failover-timeout {MASTER_NAME} 10000",
                f"sentinel parallel-syncs {MASTER_NAME} 2",
            ]
            file.write_text("\n".join(lines) + "\n")
        return ["redis-server", str(file), "--sentinel"]


class SentinelGroup:
    """Ready to fail over when it is made. `servers` are the master, at first, and its replicas."""

    def __init__(self) -> None:
        with ExitStack() as stack:
            self.servers = [stack.enter_context(RedisServer())]
            for _ in range(2):
                replica = RedisServer(replicaof=f"127.0.0.1 {self.servers[0].port}", repl_diskless_sync_delay=0)
                self.servers.append(stack.enter_context(replica))
            self.sentinels = [stack.enter_context(Sentinel(self.servers[0])) for _ in range(_SENTINELS)]
            for sentinel in self.sentinels:
                eventually(lambda sentinel=sentinel: self._knows_all(sentinel))
            self._running = stack.pop_all()

    @staticmethod
    def _knows_all(sentinel: RedisServer) -> bool:
        state = sentinel.client().info("sentinel")["master0"]
        return bool(state["slaves"] == 2 and state["sentinels"] == _SENTINELS)

    def master(self) -> RedisServer | None:
        """Whoever runs and says that it is the master; None while nobody does."""
        for server in self.servers:
            with contextlib.suppress(redis.RedisError):
                if server.running and server.client().role()[0] == "master":
                    return server
        return None

    def environment(self, prefix: str = "production") -> dict[str, object]:
        return {
            "REDIS_ENVIRONMENT_PREFIX": prefix,
            "REDIS_SENTINELS": ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels),
            "REDIS_MASTER_NAME": MASTER_NAME,
        }

    def __enter__(self) -> "SentinelGroup":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()
