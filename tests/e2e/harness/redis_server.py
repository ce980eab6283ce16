"""A real redis-server on loopback, started by a test and ended by its process id."""

import contextlib
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import redis

from .ports import free_ports
from .waiting import PATIENCE_SECONDS, eventually

_STARTS_MAX = 3


class RedisServer:
    """Without persistence: started again, it is empty. Options are redis-server's, with underscores for hyphens."""

    def __init__(self, **options: object) -> None:
        self._options = {name.replace("_", "-"): str(value) for name, value in options.items()}
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self.port = 0
        for _ in range(_STARTS_MAX):
            (self.port,) = free_ports(1)
            self.start()
            if self._process.poll() is None:
                return
        raise AssertionError(f"redis-server does not start:\n{self.log()}")

    def start(self) -> None:
        """Starts it, or starts it again, empty, on the same port."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        command += ["--dir", self._folder.name, "--logfile", "redis.log"]
        for name, value in self._options.items():
            command += [f"--{name}", *value.split(" ")]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        eventually(lambda: self._process.poll() is not None or self.answers())

    def answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.AuthenticationError:
            return True
        except (redis.ConnectionError, redis.ResponseError, redis.BusyLoadingError):
            return False

    def client(self, **options: Any) -> "redis.Redis[str]":
        return redis.Redis(port=self.port, decode_responses=True, socket_timeout=PATIENCE_SECONDS, **options)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE_SECONDS)

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def log(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return Path(self._folder.name, "redis.log").read_text()
        return ""

    def stop(self) -> None:
        if self._process.poll() is None:
            self.resume()
            self.kill()
        self._folder.cleanup()

    def environment(self, prefix: str = "production") -> dict[str, object]:
        return {"REDIS_ENVIRONMENT_PREFIX": prefix, "REDIS_HOST": "127.0.0.1", "REDIS_PORT": self.port}

    def __enter__(self) -> "RedisServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
