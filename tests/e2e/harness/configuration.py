"""Starts of which a mistake in the configuration is expected, and what they say about it."""

import subprocess

from .process import run

EXIT_CONFIG = 78

KEY = "server-key-that-nobody-may-see"


def start(**environment: object) -> subprocess.CompletedProcess[str]:
    """`serve`, of which a mistake is expected."""
    return run("serve", **({"SERVER_API_KEY": KEY, "PORT": 1, "HTTP_PORT": 0} | environment))


def violations(ended: subprocess.CompletedProcess[str]) -> list[str]:
    """Its lines about mistakes, without the closing one that counts them."""
    assert ended.returncode == EXIT_CONFIG, ended
    lines = ended.stderr.splitlines()
    assert "mistake" in lines[-1]
    return lines[:-1]


def check(**environment: object) -> subprocess.CompletedProcess[str]:
    return run("check-config", **({"SERVER_API_KEY": KEY} | environment))
