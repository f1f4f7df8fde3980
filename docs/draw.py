"""Draw the pictures of architecture.md from the code: ``python docs/draw.py`` writes rooms.svg and dense.svg.

rooms.svg: the rooms in the order in which they may import each other, from pyproject.toml and their docstrings.
dense.svg: the way of `x` through a Dense layer. Every call of a function of fnet is recorded. A box is a room; a line
in it is a file of the room, with the function of the file in which most of the calls happen. The rooms for trees,
specs, masks, arguments and errors are left out.
"""

from __future__ import annotations

import ast
import html
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

import fnet
from fnet import layers, random

HERE, SOURCES = Path(__file__).parent, Path(fnet.__file__).parent
ROOMS = ("networks", "layers", "ops", "transforms", "compile", "devices", "kernels")
PHASES = {("transforms/stage.py", "stage"): "trace", ("compile/build.py", "build"): "plan"}
"""The functions in which a jitted function is traced and planned."""
WIDTH, LINE, GAP, MARGIN = 320, 17, 14, 16
FRAME = 'rx="4" fill="#eef3fa" stroke="#8899aa"'


@dataclass
class Recorder:
    """Counts the calls within each function of fnet: by phase, then by file, in the order of their first call."""

    found: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    stack: list[tuple[str, str, int, str] | None] = field(default_factory=list)
    calls: int = 0
    phase: str = "run"

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            self.stack.append(self.entered(Path(frame.f_code.co_filename), frame.f_code.co_qualname))
            kernel = getattr(frame.f_locals.get("kernel"), "py_func", None)
            if kernel is not None and frame.f_code.co_name == "call":  # the recorder does not see compiled calls
                self.kernel(Path(kernel.__code__.co_filename), kernel.__qualname__)
        elif event == "return" and self.stack:
            left = self.stack.pop()
            if left is not None:
                file, name, before, phase = left
                self.found[self.phase][file][name] += self.calls - before
                self.phase = phase

    def entered(self, path: Path, name: str) -> tuple[str, str, int, str] | None:
        """Note that a function was called; None where it is not one of fnet's, or has no name."""
        if not path.is_relative_to(SOURCES):
            return None
        file, outside = path.relative_to(SOURCES).as_posix(), self.phase
        self.calls += 1
        if name.endswith(">"):
            return None
        self.phase = PHASES.get((file, name), outside)
        self.found.setdefault(self.phase, {}).setdefault(file, {}).setdefault(name, 0)
        return file, name, self.calls, outside

    def kernel(self, path: Path, name: str) -> None:
        """Note that a kernel is called, which is what its file is there for."""
        found = self.entered(path, name)
        if found is not None:
            self.found[self.phase][found[0]][name] += sys.maxsize


def recorded(f: Callable[[], Any]) -> dict[str, list[tuple[str, str]]]:
    """For each phase of ``f()``, the files that it goes through, with the function in which most calls happen."""
    recorder = Recorder()
    sys.setprofile(recorder)
    try:
        f()
    finally:
        sys.setprofile(None)
    return {
        phase: [(file, max(names, key=names.__getitem__)) for file, names in files.items()]
        for phase, files in recorder.found.items()
    }


def ways() -> dict[str, list[tuple[str, str]]]:
    """The files on each way of `x`, by the title of the way."""
    layer = layers.Dense(8, "relu")
    (params, state), x = layer.init(random.key(0), (4,)), np.ones((3, 4), np.float32)
    g, other = np.ones((3, 8), np.float32), np.ones((5, 4), np.float32)

    def forward(params: Any, x: Any) -> Any:
        return layer.apply(params, state, x)[0]

    def step(params: Any, x: Any, g: Any) -> Any:
        y, pull = fnet.vjp(forward, params, x)
        return y, pull(g)

    step(params, other, forward(params, other))  # another size of batch: loads kernels, and records nothing for `x`
    eager = [recorded(lambda: forward(params, x))]
    pull = fnet.vjp(forward, params, x)[1]
    eager += [recorded(lambda: pull(g)), recorded(lambda: forward(params, x))]
    fnet.jit(step)(params, x, g)
    jitted = fnet.jit(step)
    first = recorded(lambda: jitted(params, x, g))
    for _ in range(5):  # the text of a steady call is written
        jitted(params, x, g)
    return {
        "eager, first call: layer.apply": eager[0]["run"],
        "eager, first call: pull": eager[1]["run"],
        "eager, a later call: layer.apply": eager[2]["run"],
        "jit, first call: trace apply and pull": first["trace"],
        "jit, first call: plan": first["plan"],
        "jit, a later call": recorded(lambda: jitted(params, x, g))["run"],
    }


def room_of(file: str) -> str | None:
    """The room that draws a file, or None. Activations are drawn with the layers."""
    room = file.split("/")[0]
    return room if room in ROOMS else "layers" if room == "activations.py" else None


def dense(found: dict[str, list[tuple[str, str]]]) -> str:
    """The SVG text: a column for each way, a row for each room, a line from each room to the next one below."""
    cells = {
        title: {room: [stop for stop in way if room_of(stop[0]) == room] for room in ROOMS}
        for title, way in found.items()
    }
    tops, y = {}, 52
    for room in ROOMS:
        tops[room], y = y, y + 26 + GAP + LINE * max(len(rooms[room]) for rooms in cells.values())
    drawn = []
    for column, (title, rooms) in enumerate(cells.items()):
        x, above = MARGIN + column * (WIDTH + GAP), None
        drawn.append(f'<text x="{x}" y="32" font-size="14" font-weight="bold">{html.escape(title)}</text>')
        for room, stops in rooms.items():
            if not stops:
                continue
            top, height = tops[room], 24 + len(stops) * LINE
            if above is not None:
                drawn.append(f'<path d="M{x + 20} {above}V{top}" stroke="#8899aa" stroke-width="2"/>')
            above = top + height
            drawn.append(f'<rect x="{x}" y="{top}" width="{WIDTH}" height="{height}" {FRAME}/>')
            drawn.append(f'<text x="{x + 8}" y="{top + 16}" font-weight="bold">{room}/</text>')
            for number, (file, name) in enumerate(stops, 1):
                text = f"{file.removeprefix(f'{room}/')}: {name.replace('.<locals>', '')}"
                drawn.append(f'<text x="{x + 18}" y="{top + 16 + number * LINE}">{html.escape(text)}</text>')
    return svg(MARGIN * 2 + len(cells) * (WIDTH + GAP) - GAP, y, drawn)


def rooms() -> str:
    """The SVG text: a box for each layer of imports, a line in it for each room, with what its docstring says."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    drawn, y = [], MARGIN
    for layer in layers:
        names = layer.split(" | ")
        drawn.append(f'<rect x="{MARGIN}" y="{y}" width="930" height="{len(names) * LINE + 8}" {FRAME}/>')
        for number, name in enumerate(names, 1):
            line = y + number * LINE
            drawn.append(f'<text x="{MARGIN + 8}" y="{line}" font-weight="bold">{name}</text>')
            drawn.append(f'<text x="{MARGIN + 140}" y="{line}">{html.escape(purpose(name))}</text>')
        y += len(names) * LINE + 8 + 6
    return svg(930 + 2 * MARGIN, y + MARGIN, drawn)


def purpose(room: str) -> str:
    """The first line of the docstring of a room: a package or a module of fnet."""
    path = SOURCES / room / "__init__.py"
    text = (path if path.is_file() else SOURCES / f"{room}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").split("\n")[0].replace("`", "")


def svg(width: int, height: int, drawn: list[str]) -> str:
    """The text of a picture."""
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">'
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="white"/>', *drawn, "</svg>", ""])


if __name__ == "__main__":
    (HERE / "rooms.svg").write_text(rooms(), encoding="utf-8")
    (HERE / "dense.svg").write_text(dense(ways()), encoding="utf-8")
