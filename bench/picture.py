"""The picture of fnet beside PyTorch, JAX and Keras: `python -m bench.picture` draws docs/peers.svg from RESULTS.md."""

from __future__ import annotations

import html
import math
from pathlib import Path

from bench.report import PAGE

PICTURE = Path(__file__).parents[1] / "docs" / "peers.svg"
COLOURS = {"PyTorch": "#d1495b", "JAX": "#2e6f95", "Keras": "#8d8d8d"}
PREFIXES = {"torch": "PyTorch", "jax": "JAX", "keras": "Keras"}
"""How the names of peers in the table begin."""
LEFT, WIDTH, RIGHT, TITLE, BAR, GAP, TOP, BOTTOM = 10, 420, 40, 16, 9, 8, 44, 40
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
Ratios = dict[str, dict[str, float]]
"""How many times fnet's time a library takes, by the title of a row and the name of the library."""


def ratios(page: str) -> Ratios:
    """What the table of all peers on the page of results says; of several Keras, the fastest."""
    found: Ratios = {}
    title = ""
    for line in page.split("\n## Every peer\n", 1)[1].split("\n## ", 1)[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 6 or cells[0] == "row" or set(cells[0]) == {"-"}:
            continue
        title = cells[0] or title
        name = PREFIXES.get(cells[1].partition("_")[0])
        if name is not None and cells[4]:
            row = found.setdefault(title, {})
            row[name] = min(float(cells[4]), row.get(name, math.inf))
    return found


def svg(found: Ratios) -> str:
    """The SVG text: a group of bars for each row, on a logarithmic axis that begins at fnet's own time.

    A library that is faster than fnet has its number and no bar.
    """
    most = max(ratio for row in found.values() for ratio in row.values())
    end = next(tick for tick in TICKS if tick >= most)

    def at(ratio: float) -> float:
        return LEFT + WIDTH * math.log(max(ratio, 1)) / math.log(end)

    drawn, y = [], TOP
    for title, row in found.items():
        drawn.append(f'<text x="{LEFT}" y="{y + TITLE - 5}" font-weight="bold">{html.escape(title)}</text>')
        y += TITLE
        for name in (name for name in COLOURS if name in row):
            drawn.append(
                f'<rect x="{LEFT}" y="{y}" width="{at(row[name]) - LEFT:.1f}" height="{BAR - 1}" '
                f'fill="{COLOURS[name]}"><title>{name}: {row[name]:g} times</title></rect>'
            )
            drawn.append(f'<text x="{at(row[name]) + 4:.1f}" y="{y + BAR - 1}" font-size="9">{row[name]:.3g}</text>')
            y += BAR
        y += GAP
    grid = [
        f'<path d="M{at(tick):.1f} {TOP - 6}V{y}" stroke="#dddddd"/>'
        f'<text x="{at(tick):.1f}" y="{y + 14}" text-anchor="middle">{tick}x</text>'
        for tick in TICKS
        if tick <= end
    ]
    legend = [
        f'<rect x="{LEFT + 110 * i}" y="14" width="12" height="12" fill="{colour}"/>'
        f'<text x="{LEFT + 110 * i + 18}" y="24">{name}</text>'
        for i, (name, colour) in enumerate(COLOURS.items())
    ]
    caption = f'<text x="{LEFT}" y="{y + 32}">time of a step or call, as a multiple of fnet\'s (1x)</text>'
    size = f'viewBox="0 0 {LEFT + WIDTH + RIGHT} {y + BOTTOM}" width="{LEFT + WIDTH + RIGHT}" height="{y + BOTTOM}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11" fill="#222222">'
    page = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join([head, page, *grid, *legend, *drawn, caption, "</svg>", ""])


def draw() -> None:
    """Write the picture of what the page of results says now."""
    PICTURE.write_text(svg(ratios(PAGE.read_text())))


if __name__ == "__main__":
    draw()
