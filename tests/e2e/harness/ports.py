"""Ports for daemons. PORT is always passed to them: the product documents print two different defaults for it."""

import socket
from contextlib import ExitStack


def free_ports(count: int) -> list[int]:
    """Different ports that were free on loopback a moment ago. Another process may still take one: see Daemons."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def free_port() -> int:
    return free_ports(1)[0]
