"""A real redis-server on loopback, started by a test and ended by its process id."""

import contextlib
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .ports import free_ports
from .waiting import PATIENCE_SECONDS, eventually

_STARTS_MAX = 3


def _as_options(options: dict[str, object]) -> dict[str, str]:
    return {name.replace("_", "-"): str(value) for name, value in options.items()}


class RedisServer:
    """Without persistence: started again, it is empty. Options are redis-server's, with underscores for hyphens."""

    def __init__(self, **options: object) -> None:
        self._options = _as_options(options)
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self.port = 0
        self._paused = False
        for _ in range(_STARTS_MAX):
            (self.port,) = free_ports(1)
            self.start()
            if self._process.poll() is None:
                return
        raise AssertionError(f"redis-server does not start:\n{self.log()}")

    def start(self, ready: bool = True, **more: object) -> None:
        """Starts it, or starts it again, empty unless it was saved, on the same port; returns once it answers if
        `ready`."""
        options = self._options | _as_options(more)
        self._process = subprocess.Popen(self._command(options), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        if ready:
            eventually(lambda: self._process.poll() is not None or self.answers())

    def _command(self, options: dict[str, str]) -> list[str]:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        command += ["--dir", self._folder.name, "--logfile", "redis.log"]
        for name, value in options.items():
            command += [f"--{name}", *value.split(" ")]
        return command

    def answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.AuthenticationError:
            return True
        except (redis.ConnectionError, redis.ResponseError, redis.BusyLoadingError):
            return False

    def refusal(self) -> str:
        """What it answers a PING with instead of an answer; empty when it does answer."""
        try:
            self.client().ping()
        except redis.RedisError as error:
            return f"{type(error).__name__} {error}".replace("BusyLoadingError", "LOADING")
        return ""

    def client(self, **options: Any) -> "redis.Redis[str]":
        """One that does not try again by itself."""
        defaults = {"decode_responses": True, "socket_timeout": PATIENCE_SECONDS, "retry": Retry(NoBackoff(), 0)}
        return redis.Redis(port=self.port, **(defaults | options))

    @property
    def running(self) -> bool:
        """Not ended, and not paused."""
        return self._process.poll() is None and not self._paused

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE_SECONDS)

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)
        self._paused = True

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)
        self._paused = False

    def lose_folder(self) -> None:
        """Where it would save itself is gone."""
        shutil.rmtree(self._folder.name)

    def log(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return Path(self._folder.name, "redis.log").read_text()
        return ""

    def stop(self) -> None:
        if self._process.poll() is None:
            self.resume()
            self.kill()
        with contextlib.suppress(FileNotFoundError):
            self._folder.cleanup()

    def environment(self, prefix: str = "production") -> dict[str, object]:
        return {"REDIS_ENVIRONMENT_PREFIX": prefix, "REDIS_HOST": "127.0.0.1", "REDIS_PORT": self.port}

    def __enter__(self) -> "RedisServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
