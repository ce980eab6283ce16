"""What a hit costs, and what memory holds, against the number of customers. Standard library only. Started by scripts/bench
customers."""

import contextlib
import pathlib
import statistics
import subprocess
import sys
import tempfile

import page
import plots
from servers import free_port, load, machine, start_daemon

CUSTOMERS = (1_000, 10_000, 100_000, 1_000_000)


def start_filled(build: pathlib.Path, folder: str, customers: int):
    """A daemon that restores its customers from a snapshot, with nobody upstream: it answers them from memory, for as long as it
    likes, each with the two trailers of data past its time."""
    nobody = f"http://127.0.0.1:{free_port()}"
    snapshot = f"{folder}/{customers}.snapshot"
    subprocess.run([build / "tests/bench/snapshot_fill", str(customers), snapshot, "key", nobody, nobody], check=True, stdout=sys.stderr)
    environment = {
        "SERVER_API_KEY": "key", "API_URL": nobody, "EDGE_API_URL": nobody, "WS_ENABLED": "0", "SNAPSHOT_PATH": snapshot,
        "SNAPSHOT_INTERVAL_SECS": "86400", "CACHE_MAX_SIZE_BYTES": str(8 << 30), "OFFLINE": "0", "OFFLINE_DATA_FILE": "",
    }  # fmt: skip
    daemon = start_daemon(build, "", f"{customers:,} customers", **environment)
    metrics = page.fetch_metrics(daemon)
    if metrics["sidecar_cache_entries"] != customers:
        raise RuntimeError(f"{metrics['sidecar_cache_entries']} of {customers} customers were restored")
    return daemon, {"bytes": metrics["sidecar_cache_bytes"], "entries": metrics["sidecar_cache_entries"]}


def by_customers(build: pathlib.Path, rounds: int, seconds: float) -> list:
    lines = ["| customers | keys | CPU s/1M | ratio to 10,000 | cache bytes a customer |", "|--:|---|--:|--:|--:|"]
    cpu, memory = [], []
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        filled = {}
        for customers in CUSTOMERS:
            daemon, size = start_filled(build, folder, customers)
            stack.callback(daemon.stop)
            filled[customers] = (daemon, size)
            memory.append(["cache", customers, size["bytes"] / 2**20])
        for keys, zipf in (("uniform", 0), ("zipf", 0.99)):
            figures = {customers: [] for customers in CUSTOMERS}
            for number in range(rounds):
                for customers, (daemon, _) in filled.items():
                    run = load(build, daemon, customers=customers, inflight=64, connections=4, seconds=seconds, warmup=0.3, zipf=zipf)
                    figures[customers].append(run["cpu_s_per_1m"])
                print(f"  customers, {keys}: round {number + 1} of {rounds}", file=sys.stderr)
            for customers, (_, size) in filled.items():
                ratio = statistics.median(a / b for a, b in zip(figures[customers], figures[10_000]))
                median = statistics.median(figures[customers])
                cpu.append([keys, customers, median])
                lines.append(
                    f"| {customers:,} | {keys} | {median:.2f} | {ratio:.2f} | {size['bytes'] / size['entries']:,.0f} |"
                )
    page.keep("customers", {"cpu": cpu, "memory": memory})
    return lines


def main() -> None:
    options = page.options(__doc__)
    text = [f"Measured on {machine()}; {options.rounds} rounds of {options.seconds} s, medians.", "", *by_customers(options.build, options.rounds, options.seconds)]
    page.publish("customers", "\n".join(text), options.write)
    if options.write:
        plots.draw()


if __name__ == "__main__":
    main()
