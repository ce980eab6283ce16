"""Puts measured text between its markers in docs/performance.md."""

import pathlib


def write(section: str, text: str) -> None:
    begin, end = f"<!-- {section}:begin -->", f"<!-- {section}:end -->"
    path = pathlib.Path("docs/performance.md")
    before, rest = path.read_text().split(begin)
    path.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}")
