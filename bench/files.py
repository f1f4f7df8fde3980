"""What it costs to save and load 100 MB, beside h5py with SHA-256 and nothing else, by turns in one process."""

from __future__ import annotations

import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

import fnet

ARRAYS, SHAPE = 10, (1250, 2000)  # of float32, together 100 MB
TARGET = 1.5  # times what raw h5py with SHA-256 takes, at most


def files_table(rounds: int) -> str:
    """Seconds and ratios of saving and loading; medians of the rounds."""
    tree = {f"kernel_{i}": np.random.default_rng(i).normal(size=SHAPE).astype(np.float32) for i in range(ARRAYS)}
    lines = [
        "| 100 MB | fnet.checkpoint, s | h5py and SHA-256, s | ratio | target, at most | processor's time, ratio |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        own, raw = Path(folder, "fnet.h5"), Path(folder, "raw.h5")
        pairs = {
            "save": (lambda: fnet.checkpoint.save(own, tree), lambda: _save(raw, tree)),
            "load": (lambda: fnet.checkpoint.load(own, tree), lambda: _load(raw)),
        }
        for title, both in pairs.items():
            taken = _by_turns(both, rounds)
            wall, processor = taken[..., 0], taken[..., 1]
            ratio, of_processor = (float(np.median(t[:, 0] / t[:, 1])) for t in (wall, processor))
            fnet_s, raw_s = (statistics.median(wall[:, who]) for who in (0, 1))
            lines.append(f"| {title} | {fnet_s:.3f} | {raw_s:.3f} | {ratio:.2f} | {TARGET:g} | {of_processor:.2f} |")
    return "\n".join(lines)


def _by_turns(functions: tuple[Callable[[], object], ...], rounds: int) -> np.ndarray:
    """Seconds of the clock and of the processor, (rounds, functions, 2), after a round that warms up."""
    taken = np.zeros((rounds + 1, len(functions), 2))
    for turn in range(rounds + 1):
        for which in sorted(range(len(functions)), reverse=bool(turn % 2)):
            wall, processor = time.perf_counter(), time.process_time()
            functions[which]()
            taken[turn, which] = time.perf_counter() - wall, time.process_time() - processor
    return taken[1:]


def _save(path: Path, tree: dict[str, np.ndarray]) -> None:
    """Write to another name, and rename: without waiting for the disk and without reading back."""
    temporary = path.with_suffix(".tmp")
    with h5py.File(temporary, "w") as file:
        for name, array in tree.items():
            file.create_dataset(name, data=array).attrs["sha256"] = hashlib.sha256(array.data).hexdigest()
    temporary.replace(path)


def _load(path: Path) -> dict[str, np.ndarray]:
    with h5py.File(path, "r") as file:
        tree = {name: file[name][...] for name in file}
        for name, array in tree.items():
            if hashlib.sha256(array.data).hexdigest() != file[name].attrs["sha256"]:
                raise ValueError(name)
    return tree
