"""CPU of a call of the C++ client library beside the raw generated stub's. Standard library only. Started by scripts/bench
sdk."""

import contextlib
import json
import pathlib
import subprocess
import tempfile

import page
from servers import load, machine, start_daemon, world


def main() -> None:
    options = page.options(__doc__)
    with contextlib.ExitStack() as stack, tempfile.NamedTemporaryFile("w", suffix=".json") as data:
        json.dump(world(10), data)
        data.flush()
        daemon = start_daemon(options.build, data.name)
        stack.callback(daemon.stop)
        load(options.build, daemon, customers=10, inflight=1, fill=1)
        command = [options.build / "tests/bench/sdk_calls", "127.0.0.1", str(daemon.port), str(options.rounds * 3), "3000"]
        seen = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    text = [
        f"Measured on {machine()}; {options.rounds * 3} rounds of 3,000 calls each, medians; CPU µs of the client a call.", "",
        "| form | raw stub | library | ratio of the same round |", "|---|--:|--:|--:|",
        f"| synchronous, one after the other | {seen['raw']:.1f} | {seen['sdk']:.1f} | {seen['ratio']:.3f} |",
        f"| callbacks, 16 under way | {seen['raw_async']:.1f} | {seen['sdk_async']:.1f} | {seen['ratio_async']:.3f} |",
    ]  # fmt: skip
    page.publish("sdk", "\n".join(text), options.write, pathlib.Path("docs/sdk.md"))


if __name__ == "__main__":
    main()
