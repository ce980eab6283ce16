"""What all benchmarks take from the command line and do with their text."""

import argparse
import json
import pathlib
import re
import urllib.request


def options(description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--customers", type=int, default=1000)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    return parser.parse_args()


KEPT = pathlib.Path("build/bench")


def keep(name: str, data: object) -> None:
    """Figures of a run, for plots."""
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / f"{name}.json").write_text(json.dumps(data))


def kept(name: str) -> object | None:
    path = KEPT / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def metrics_text(daemon) -> str:
    """Of the daemon's HTTP port."""
    return urllib.request.urlopen(f"http://127.0.0.1:{daemon.http_port}/metrics", timeout=10).read().decode()


def fetch_metrics(daemon) -> dict:
    """Series without labels."""
    return {name: float(value) for name, value in re.findall(r"^([a-z_]+) (\S+)$", metrics_text(daemon), re.MULTILINE)}


def fetch_labelled(daemon, name: str) -> dict:
    """A series by the value of its one label."""
    found = re.findall(rf'^{name}{{[a-z]+="([^"]*)"}} (\S+)$', metrics_text(daemon), re.MULTILINE)
    return {label: float(value) for label, value in found}


def publish(section: str, text: str, write: bool, path: pathlib.Path = pathlib.Path("docs/performance.md")) -> None:
    """Prints the text and, if told to, puts it between its markers in the page."""
    print(text)
    if not write:
        return
    begin, end = f"<!-- {section}:begin -->", f"<!-- {section}:end -->"
    before, rest = path.read_text().split(begin)
    path.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}")
