"""How a training step grows: with the batch, the width, the depth or the steps of a sequence, and with threads."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.measure import measure
from bench.peer import started
from bench.problems import MLP, Network, Recurrent
from bench.rows import Row

PEERS = ("fnet", "torch")
PLOT = Path(__file__).parent / "plots" / "scaling.svg"


@dataclass(frozen=True)
class Curve:
    """A family of problems by one size; `power` is how the work grows with it when it is large."""

    title: str
    size: str
    sizes: tuple[int, ...]
    problem: Callable[[int], Network]
    power: int = 1


CURVES = (
    Curve("MLP, 2 x 128", "batch", (1, 8, 32, 128, 512, 2048), lambda n: MLP(n, (128, 128, 128, 1))),
    Curve("MLP of 2 layers, batch 64", "width", (16, 64, 128, 256, 512, 1024), lambda n: MLP(64, (n, n, n, 1)), 2),
    Curve("MLP of width 64, batch 32", "depth", (1, 2, 4, 8, 16, 32), lambda n: MLP(32, (64,) * (n + 1) + (1,))),
    Curve("LSTM(64), 32 steps of 32", "batch", (1, 4, 16, 64, 256), lambda n: Recurrent(n, "lstm", 64, 32, 32)),
    Curve("LSTM, 32 steps, batch 32", "width", (16, 32, 64, 128, 256), lambda n: Recurrent(32, "lstm", n, 32, n), 2),
    Curve("LSTM(64), batch 32", "steps", (8, 16, 32, 64, 128, 256), lambda n: Recurrent(32, "lstm", 64, n, 32)),
)
Line = dict[tuple[str, int], list[float]]
"""Seconds a step at every size of a curve, by peer and number of threads."""


def measure_curves(names: Sequence[str], threads: int, rounds: int, burst: float) -> list[Line]:
    """The lines of every curve, with one thread and with `threads`."""
    lines: list[Line] = [{} for _ in CURVES]
    for count in sorted({1, threads}):
        with started([name for name in PEERS if name in names], count) as (peers, _):
            for curve, line in zip(CURVES, lines, strict=True):
                line.update({(peer.name, count): [] for peer in peers})
                for size in curve.sizes:
                    row = Row(curve.title, f"{curve.title}, {curve.size} {size}", "step", curve.problem(size))
                    result = measure(row, peers, rounds, burst)
                    for peer in peers:
                        known = peer.name in result.seconds
                        line[peer.name, count].append(result.median(peer.name) if known else math.nan)
    return lines


def curves_table(lines: Sequence[Line]) -> str:
    """Times at the smallest and the largest size of each curve, and how they grow at its end."""
    head = "| curve | peer, threads | us, smallest | us, largest | power of growth at the end | of the work |"
    rows = [head, "|---|---|---:|---:|---:|---:|"]
    for curve, line in zip(CURVES, lines, strict=True):
        title = f"{curve.title}: {curve.size} {curve.sizes[0]} to {curve.sizes[-1]}"
        for (peer, threads), seconds in line.items():
            power = math.log(seconds[-1] / seconds[-2]) / math.log(curve.sizes[-1] / curve.sizes[-2])
            cells = [title, f"{peer}, {threads}", f"{seconds[0] * 1e6:.1f}", f"{seconds[-1] * 1e6:.0f}"]
            rows.append(f"| {' | '.join(cells)} | {power:.2f} | {curve.power} |")
            title = ""
    return "\n".join(rows)


def plot(lines: Sequence[Line]) -> None:
    """Draw the curves, or leave it where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    axes = figure.subplots(2, 3).flat
    styles = {"fnet": "C0", "torch": "C1"}
    for ax, curve, line in zip(axes, CURVES, lines, strict=True):
        for (peer, threads), seconds in line.items():
            label = f"{peer}, {threads} thread{'s' if threads > 1 else ''}"
            dash, marker = ("--", "o") if threads == 1 else ("-", "s")
            us = [1e6 * s for s in seconds]
            ax.loglog(curve.sizes, us, dash, marker=marker, markersize=3, color=styles[peer], label=label)
        ax.set(title=curve.title, xlabel=curve.size, ylabel="us a training step")
        ax.set_xticks(curve.sizes, [str(size) for size in curve.sizes])
        ax.minorticks_off()
        ax.grid(alpha=0.3)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    PLOT.parent.mkdir(exist_ok=True)
    figure.savefig(PLOT, metadata={"Date": None})
