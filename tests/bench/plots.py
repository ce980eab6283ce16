"""Draws docs/plots/*.svg from the figures that runs have kept (page.keep). Standard library only."""

import math
import pathlib
import typing

import page

FOLDER = pathlib.Path("docs/plots")
WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 34, 48
COLOURS = ("#3b76c4", "#d1762a", "#3a9157", "#a0509e", "#8a7a2c", "#c04848")
INK = "#808890"


class Scale(typing.NamedTuple):
    """From figures to places. `ticks`: figures with what they are called."""

    low: float
    high: float
    start: float
    end: float
    ticks: list
    logarithmic: bool = False

    def at(self, value: float) -> float:
        turn = math.log10 if self.logarithmic else float
        share = (turn(value) - turn(self.low)) / (turn(self.high) - turn(self.low))
        return self.start + share * (self.end - self.start)


def short(value: float) -> str:
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"


def decades(low: float, high: float, start: float, end: float) -> Scale:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    ticks = [(10.0**power, short(10.0**power)) for power in range(first, last + 1)]
    return Scale(10.0**first, 10.0**last, start, end, ticks, logarithmic=True)


def linear(high: float, start: float, end: float) -> Scale:
    step = 10 ** math.floor(math.log10(high / 3))
    step *= next(factor for factor in (1, 2, 5, 10) if high / (step * factor) <= 6)
    count = math.ceil(high / step)
    return Scale(0, count * step, start, end, [(i * step, short(i * step)) for i in range(count + 1)])


def chart(title: str, x_name: str, y_name: str, x: Scale, y: Scale, lines: dict) -> str:
    """`lines`: names with their points."""
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<text x="{LEFT}" y="20" fill="{INK}" font-size="14">{title}</text>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" fill="{INK}" text-anchor="middle">{x_name}</text>',
        f'<text transform="translate(14 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" fill="{INK}" text-anchor="middle">{y_name}</text>',
    ]
    for value, name in x.ticks:
        out.append(f'<path d="M{x.at(value):.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="{INK}" stroke-opacity=".25"/>')
        out.append(f'<text x="{x.at(value):.1f}" y="{HEIGHT - BOTTOM + 18}" fill="{INK}" text-anchor="middle">{name}</text>')
    for value, name in y.ticks:
        out.append(f'<path d="M{LEFT} {y.at(value):.1f}H{WIDTH - RIGHT}" stroke="{INK}" stroke-opacity=".25"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y.at(value) + 4:.1f}" fill="{INK}" text-anchor="end">{name}</text>')
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x.at(a):.1f},{y.at(b):.1f}" for a, b in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        place = TOP + 16 + 18 * number
        out.append(f'<path d="M{WIDTH - RIGHT + 12} {place}h18" stroke="{colour}" stroke-width="3"/>')
        out.append(f'<text x="{WIDTH - RIGHT + 36}" y="{place + 4}" fill="{INK}">{name}</text>')
    return "\n".join([*out, "</svg>", ""])


def latency(rows: list, label: str, file: str) -> None:
    """How long the slowest share of calls takes, to one in ten thousand."""
    lines = {name: [(1 / (1 - share), max(us, 1)) for share, us in points] for at, name, points in rows if at == label}
    if not lines:
        return
    every = [us for points in lines.values() for _, us in points]
    x = Scale(1, 1e4, LEFT, WIDTH - RIGHT, [(1, "0"), (2, "50"), (10, "90"), (100, "99"), (1e3, "99.9"), (1e4, "99.99")], True)
    y = decades(min(every), max(every), HEIGHT - BOTTOM, TOP)
    write(file, chart(f"Latency, {label}", "% of calls that took no longer", "µs", x, y, lines))


def against(data: list, file: str, title: str, x_name: str, y_name: str, x_log: bool = True) -> None:
    """`data`: [line, x, y]."""
    lines: dict = {}
    for name, a, b in data:
        lines.setdefault(name, []).append((a, b))
    every_x = sorted({a for _, a, _ in data})
    x = Scale(every_x[0], every_x[-1], LEFT, WIDTH - RIGHT, [(a, short(a)) for a in every_x], x_log)
    y = linear(max(b for _, _, b in data) * 1.05, HEIGHT - BOTTOM, TOP)
    write(file, chart(title, x_name, y_name, x, y, lines))


def write(file: str, text: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / file).write_text(text)


def draw() -> None:
    """Whatever there are figures for."""
    if rows := page.kept("latency"):
        latency(rows, "64:4", "latency-closed.svg")
        latency(rows, "10000/s", "latency-open.svg")
    if data := page.kept("customers"):
        against(data["cpu"], "cpu-customers.svg", "CPU of a hit, daemon", "customers of 20 features", "CPU µs a request")
        against(data["memory"], "memory-customers.svg", "Memory of the cache", "customers of 20 features", "MiB")
    if data := page.kept("connections"):
        against(data, "connections.svg", "Throughput, 64 calls in flight", "connections", "requests a second")


if __name__ == "__main__":
    draw()
