"""Fails when a hit costs over 5 % more instructions than docs/performance.md says. Run by scripts/test."""

import pathlib
import re
import sys

import page
from servers import hit_instructions

GROWTH_MAX = 1.05


def main() -> int:
    options = page.options(__doc__)
    published = re.search(r"Instructions of one hit, from request bytes to response bytes: ([\d,]+)", pathlib.Path("docs/performance.md").read_text())
    if published is None:
        print("docs/performance.md says no figure; scripts/bench --write puts it there", file=sys.stderr)
        return 1
    before, now = int(published.group(1).replace(",", "")), hit_instructions(options.build)
    print(f"{now:,} instructions a hit; docs/performance.md: {before:,}")
    if now <= before * GROWTH_MAX:
        return 0
    print(f"that is {now / before - 1:.0%} more: find out why, or publish the figure with scripts/bench --write", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
