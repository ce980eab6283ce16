"""One run of the binary: started without a shell, watched line by line, ended by its pid."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Condition, Thread
from typing import IO

from .waiting import PATIENCE_SECONDS

BINARY = Path(os.environ.get("SIDECAR_BINARY") or Path(__file__).resolve().parents[3] / "build/release/stigg-sidecar")

_SANITIZER_REPORTS = ("AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "MemorySanitizer", "runtime error:")
_INHERITED = ("ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS", "LLVM_PROFILE_FILE", "GCOV_PREFIX")


def is_sanitized() -> bool:
    """Whether the binary is instrumented: its memory figures then say nothing about the daemon."""
    return any(mark in BINARY.read_bytes() for mark in (b"__asan_init", b"__tsan_init", b"__msan_init", b"__llvm_profile_init"))


def process_environment(variables: Mapping[str, object]) -> dict[str, str]:
    """Exactly `variables`, and what sanitizers read: nothing of the machine reaches the daemon. None leaves one out."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return inherited | {name: str(value) for name, value in variables.items() if value is not None}


class Output:
    """Lines of one stream as they arrive. Thread-safe; nothing is lost, `text` is complete once the process ended."""

    def __init__(self, stream: IO[str]) -> None:
        self._changed = Condition()
        self._lines: list[str] = []
        self._ended = False
        self._stream = stream
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def lines(self) -> list[str]:
        with self._changed:
            return list(self._lines)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, wanted: Callable[[str], bool], timeout: float = PATIENCE_SECONDS) -> str | None:
        """The first line, past or future, for which `wanted` holds; None when the stream ended without one."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._ended or any(map(wanted, self._lines)), timeout):
                raise TimeoutError(f"no such line within {timeout} s; seen:\n" + "\n".join(self._lines))
            return next(filter(wanted, self._lines), None)

    def join(self) -> None:
        self._reader.join(PATIENCE_SECONDS)

    def _read(self) -> None:
        with self._stream:
            for line in self._stream:
                self._note(line.rstrip("\n"))
        self._note(None)

    def _note(self, line: str | None) -> None:
        with self._changed:
            if line is None:
                self._ended = True
            else:
                self._lines.append(line)
            self._changed.notify_all()


class Process:
    """A started binary. `stop` or `wait` must be called; `kill` is for tests that end it otherwise."""

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, object], under: Sequence[str] = ()
    ) -> None:
        """`under`: a program that becomes the binary, as prlimit does."""
        self._child = subprocess.Popen(
            [*under, BINARY, *arguments],
            env=process_environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        self.stdout = Output(self._child.stdout)
        self.stderr = Output(self._child.stderr)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    def signal(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    def wait(self, timeout: float = PATIENCE_SECONDS) -> int:
        """The exit code. A process that has not ended by then is killed and TimeoutExpired raised."""
        try:
            code = self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self.stdout.join()
        self.stderr.join()
        return code

    def stop(self) -> None:
        """Ends it as an operator does and requires a clean end."""
        self.signal(signal.SIGTERM)
        code = self.wait()
        assert code == 0, f"exit code {code} after SIGTERM; stderr:\n{self.stderr.text}"

    def kill(self) -> None:
        self._child.kill()
        self._child.wait()

    def assert_no_sanitizer_report(self) -> None:
        for stream in (self.stdout, self.stderr):
            for report in _SANITIZER_REPORTS:
                assert report not in stream.text, f"{report} spoke:\n{stream.text}"


def run(*arguments: str, **environment: object) -> subprocess.CompletedProcess[str]:
    """Runs a verb to its end."""
    return subprocess.run(
        [BINARY, *arguments],
        env=process_environment(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=PATIENCE_SECONDS,
        check=False,
    )
