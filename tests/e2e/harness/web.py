"""HTTP/1.1 to the daemon, and its metrics as numbers. Standard library only."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection

from .waiting import PATIENCE_SECONDS


@dataclass(frozen=True)
class HttpAnswer:
    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


def http(
    port: int, path: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> HttpAnswer:
    """One request on a connection of its own. Raises OSError or HTTPException when there is no answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return HttpAnswer(response.status, headers, response.read())
    finally:
        connection.close()


def read_until_closed(connection: socket.socket) -> bytes:
    """What the peer sends before it closes or resets. TimeoutError when it does neither in time."""
    connection.settimeout(PATIENCE_SECONDS)
    seen = b""
    try:
        while chunk := connection.recv(64 * 1024):
            seen += chunk
    except ConnectionResetError:
        pass
    return seen


class Metrics:
    """One scrape in the Prometheus text format."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._samples: dict[str, float] = {}
        self.series: dict[str, float] = {}
        """By name with labels, as they stand in the text."""
        for line in text.splitlines():
            if line and not line.startswith("#"):
                series, _, value = line.rpartition(" ")
                self.series[series] = float(value)
                name = series.partition("{")[0]
                self._samples[name] = self._samples.get(name, 0.0) + float(value)

    def __contains__(self, name: str) -> bool:
        return name in self._samples

    def __getitem__(self, name: str) -> float:
        """The sum over all label values."""
        return self._samples[name]
