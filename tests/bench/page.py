"""What all benchmarks take from the command line and do with their text."""

import argparse
import pathlib


def options(description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--customers", type=int, default=1000)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    return parser.parse_args()


def publish(section: str, text: str, write: bool) -> None:
    """Prints the text and, if told to, puts it between its markers in docs/performance.md."""
    print(text)
    if not write:
        return
    begin, end = f"<!-- {section}:begin -->", f"<!-- {section}:end -->"
    path = pathlib.Path("docs/performance.md")
    before, rest = path.read_text().split(begin)
    path.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}")
