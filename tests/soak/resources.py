"""Memory, descriptors and threads of a process over time, and whether they grow."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Sample:
    minute: float
    rss_kib: int
    descriptors: int
    threads: int


def sample(pid: int, minute: float) -> Sample:
    status = Path(f"/proc/{pid}/status").read_text()
    number = lambda name: int(re.search(rf"{name}:\s+(\d+)", status)[1])  # noqa: E731
    return Sample(minute, number("VmRSS"), len(os.listdir(f"/proc/{pid}/fd")), number("Threads"))


def slope(points: list[tuple[float, float]]) -> float:
    """Least squares; 0 for fewer than two moments."""
    if len({x for x, _ in points}) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)


@dataclass
class Trend:
    """Of one process that is never ended. Its first quarter is left out: buffers and pools fill then."""

    samples: list[Sample] = field(default_factory=list)

    def per_minute(self, figure: str) -> float:
        late = self.samples[len(self.samples) // 4 :]
        return slope([(each.minute, float(getattr(each, figure))) for each in late])

    def growth(self, figure: str) -> float:
        """What the trend makes of the time that it was taken over."""
        late = self.samples[len(self.samples) // 4 :]
        return self.per_minute(figure) * (late[-1].minute - late[0].minute) if late else 0.0

    def peak(self, figure: str) -> int:
        return max((int(getattr(each, figure)) for each in self.samples), default=0)


FLAT = {"rss_kib": 4096.0, "descriptors": 8.0, "threads": 2.0}
"""Growth over the whole time that is none: an allocator's reserve, connections that just came."""
