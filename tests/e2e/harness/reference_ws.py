"""The reference WebSocket server (reference_ws/server.mjs): graphql-transport-ws by npm's graphql-ws, not by us.

    with ReferenceWs() as feed:
        daemon(upstream, WS_ENABLED=1, WS_URL=feed.url)
        feed.wait_for_subscriptions("usageUpdatedV2")
        feed.publish("usageUpdatedV2", push.usage_v2("c", "seats", 4))
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Self

from .waiting import PATIENCE_SECONDS, eventually

_ROOT = Path(__file__).resolve().parents[3]
_MODULES = _ROOT / "build/reference_ws"
_SERVER = _ROOT / "tests/e2e/reference_ws/server.mjs"
_SDL = _ROOT / "tests/e2e/independent_upstream/sdl"

V1_FIELDS = ("entitlementsUpdated", "usageUpdated", "packagePublished", "creditBalanceUpdated")
V2_FIELDS = ("entitlementsUpdatedV2", "usageUpdatedV2", "packagePublished")


class ReferenceWs:
    """A running server. `generations` is what its schema has; a port of 0 is any free one. Thread-safe."""

    def __init__(
        self,
        generations: Sequence[str] = ("v1", "v2"),
        api_key: str = "server-test-key",
        port: int = 0,
        tls: Mapping[str, str] | None = None,
    ) -> None:
        assert (_MODULES / "node_modules").is_dir(), "run scripts/test once: it installs the server's packages"
        self.api_key = api_key
        self._lock = Lock()
        self._child = subprocess.Popen(
            [
                "node",
                _SERVER,
                _MODULES,
                *(_SDL / f"{name}.graphql" for name in ("common", *generations)),
                "--",
                json.dumps({"port": port, "apiKey": api_key, "tls": tls}),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        self.port: int = self._answer()["port"]
        self._scheme = "wss" if tls else "ws"

    @property
    def url(self) -> str:
        """For WS_URL."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    # What happens to subscribers.

    def publish(self, field: str, value: Mapping[str, Any]) -> int:
        """Sends `value` to every subscription of this root field; answers how many there are."""
        return int(self._do("publish", field=field, value=value)["subscriptions"])

    def drop(self) -> None:
        """Ends every connection without a close frame."""
        self._do("drop")

    def close_all(self, code: int, reason: str = "") -> None:
        self._do("close", code=code, reason=reason)

    def mute(self) -> None:
        """What connected peers send is not read any more: no ping is answered."""
        self._do("mute")

    def refuse(self, status: int) -> None:
        """Upgrades are answered with this HTTP status from now on; 0 ends that."""
        self._do("refuse", status=status)

    def fail_next_subscribe(self, field: str) -> None:
        """The next subscribe to this root field is answered with an `error` message."""
        self._do("failSubscribe", field=field)

    def set_key(self, key: str) -> None:
        """The key that is accepted from now on."""
        self._do("setKey", key=key)

    def send(self, text: str, binary: bool = False) -> None:
        """Any frame, to everybody."""
        self._do("send", text=text, binary=binary)

    def send_in_fragments(self, text: str, size: int) -> None:
        """One message in frames of `size` characters."""
        self._do("sendInFragments", text=text, size=size)

    # What was seen.

    @property
    def state(self) -> dict[str, Any]:
        """connections (open), upgrades, accepted, acknowledged, rejected, pings, completes; subscriptions by root
        field; subscribes, inits and closes as they came; upgradeHeaders of the last."""
        return self._do("state")

    def wait_for_subscriptions(self, *fields: str, count: int = 1) -> dict[str, Any]:
        """Until each of these root fields has `count` subscriptions."""
        return eventually(lambda: self.state, lambda seen: all(seen["subscriptions"][name] == count for name in fields))

    def wait_for_acknowledged(self, count: int, within: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """Until `count` connections were acknowledged since the start."""
        return eventually(lambda: self.state, lambda seen: seen["acknowledged"] >= count, within)

    def stop(self) -> None:
        """Ends the process: every socket with it. Idempotent."""
        if self._child.stdin is not None and not self._child.stdin.closed:
            self._child.stdin.close()
        self._child.wait(PATIENCE_SECONDS)
        if self._child.stdout is not None:
            self._child.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _do(self, command: str, **arguments: Any) -> dict[str, Any]:
        with self._lock:
            assert self._child.stdin is not None
            self._child.stdin.write(json.dumps({"do": command} | arguments) + "\n")
            self._child.stdin.flush()
            answer = self._answer()
        assert "error" not in answer, answer["error"]
        return answer

    def _answer(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        assert line, f"the reference server ended with {self._child.wait(PATIENCE_SECONDS)}"
        answer: dict[str, Any] = json.loads(line)
        return answer
