"""CPU of answers with SHADOW_TARGET: off, at a target that answers, at one that answers late, at one that is closed, and at
one that takes connections and says nothing. A second one that is off shows what a difference is worth. Standard library
only. Started by scripts/bench shadow."""

import contextlib
import json
import os
import pathlib
import socket
import statistics
import sys
import tempfile

import page
from servers import Server, free_port, load, machine, start_daemon, world

sys.path.insert(0, "tests/e2e")
from harness.relay import SlowRelay  # noqa: E402

#: Seconds that a target's answer is late; SHADOW_TIMEOUT_MS is a second.
LATE = 0.3
SHAPE = {"connections": 4, "inflight": 64}


def threads_cpu(server: Server) -> tuple[float, float]:
    """Seconds so far: of the threads that answer calls, and of all."""
    answering = everything = 0.0
    for task in pathlib.Path(f"/proc/{server.pid}/task").iterdir():
        name, rest = (task / "stat").read_text().rsplit(")", 1)
        fields = rest.split()
        seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        everything += seconds
        if name.split("(", 1)[1].startswith("http2-"):
            answering += seconds
    return answering, everything


def main() -> None:
    options = page.options(__doc__)
    with contextlib.ExitStack() as stack, tempfile.NamedTemporaryFile("w", suffix=".json") as data:
        json.dump(world(options.customers), data)
        data.flush()
        other = start_daemon(options.build, data.name, "other")
        stack.callback(other.stop)
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        late = stack.enter_context(contextlib.closing(SlowRelay(other.port)))
        late.delay = LATE
        targets = {
            "off": "",
            "off, a second process": "",
            "on, the target answers": other.target,
            f"on, the target answers {LATE * 1000:.0f} ms late": f"127.0.0.1:{late.port}",
            "on, the target is closed": f"127.0.0.1:{free_port()}",
            "on, the target says nothing": f"127.0.0.1:{silent.getsockname()[1]}",
        }
        servers = []
        for name, target in targets.items():
            more = {"SHADOW_TARGET": target} if target else {}
            servers.append(start_daemon(options.build, data.name, name, **more))
            stack.callback(servers[-1].stop)
        for server in [other, *servers]:
            load(options.build, server, customers=options.customers, inflight=1, fill=1)
        figures: dict[str, list[tuple[float, float, float]]] = {server.name: [] for server in servers}
        for number in range(options.rounds):
            # Each is first as often as the others: what runs beside this comes and goes.
            turn = number % len(servers)
            for server in servers[turn:] + servers[:turn]:
                before = threads_cpu(server)
                said = load(options.build, server, customers=options.customers, seconds=options.seconds, **SHAPE)
                after = threads_cpu(server)
                calls = said["rps"] * options.seconds
                figures[server.name].append(
                    ((after[0] - before[0]) / calls * 1e6, (after[1] - before[1]) / calls * 1e6, said["rps"])
                )
            print(f"  shadow: round {number + 1} of {options.rounds}", file=sys.stderr)
        seen = {server.name: page.fetch_labelled(server, "sidecar_shadow_compared_total") for server in servers if targets[server.name]}
    base = figures["off"]
    rows = []
    for name, own in figures.items():
        median = [statistics.median(run[i] for run in own) for i in range(3)]
        ratios = [statistics.median(run[i] / off[i] for run, off in zip(own, base)) for i in range(3)]
        counts = ", ".join(f"{count:,.0f} {outcome}" for outcome, count in seen.get(name, {}).items() if count)
        rows.append(
            f"| {name} | {median[0]:.2f} | {ratios[0]:.2f} | {median[1]:.2f} | {ratios[1]:.2f} | {ratios[2]:.2f} | {counts} |"
        )
    text = [
        f"Measured on {machine()}; {SHAPE['inflight']} in flight on {SHAPE['connections']} connections, cached metered checks, "
        f"SHADOW_SAMPLE_PERCENT at its default of 1; {options.rounds} rounds of {options.seconds} s each, medians of the rounds.", "",
        "| shadow | CPU µs a call, threads that answer | ratio | CPU µs a call, all threads | ratio | throughput, ratio | sampled |",
        "|---|--:|--:|--:|--:|--:|---|",
        *rows,
    ]  # fmt: skip
    page.publish("shadow", "\n".join(text), options.write)


if __name__ == "__main__":
    main()
