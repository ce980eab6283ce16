"""Whether every scenario of docs/reliability.md names tests, and these exist. Prints what is wrong; ends with 1 then."""

import pathlib
import re
import sys

SCENARIOS = 50

tests = pathlib.Path("tests")
python = {path.name: path.read_text() for folder in ("e2e", "deploy", "browser") for path in (tests / folder).glob("*.py")}
cpp = "\n".join(path.read_text() for folder in ("unit", "sim") for path in (tests / folder).rglob("*.cc"))
stems = {path.stem for path in tests.rglob("*_test.cc")}


def in_python(text: str, names: list) -> bool:
    return all(re.search(rf"^\s*(def|class) {re.escape(name)}\b", text, re.MULTILINE) for name in names)


def exists(name: str) -> bool:
    if name.startswith(("tests/", "scripts/")):
        return pathlib.Path(name.split()[0]).exists()
    if ".py" in name:
        file, *parts = name.split("::")
        return file in python and in_python(python[file], parts)
    if name.startswith("test_") or name.startswith("Test"):
        return any(in_python(text, name.split("::")) for text in python.values())
    suite, _, test = name.partition(".")
    # A suite alone, a test of it, or, with an ellipsis, several that begin alike.
    rest = rf"\s*{re.escape(test.rstrip('…'))}" + ("" if test.endswith("…") else r"\b") if test else ""
    return name in stems or re.search(rf"\bTEST(_F|_P)?\({re.escape(suite)},{rest}", cpp) is not None


wrong, seen = [], set()
for line in pathlib.Path("docs/reliability.md").read_text().splitlines():
    if not (row := re.match(r"\| (\d+) \|.*\|([^|]*)\|$", line)):
        continue
    number, names = int(row[1]), re.findall(r"`([^`]+)`", row[2])
    seen.add(number)
    if not names:
        wrong.append(f"scenario {number} names no test")
    wrong += [f"scenario {number}: there is no {name}" for name in names if not exists(name)]
wrong += [f"scenario {number} is missing" for number in range(1, SCENARIOS + 1) if number not in seen]
for problem in wrong:
    print(f"docs/reliability.md: {problem}")
sys.exit(bool(wrong))
