"""What it costs to train from data sets in an HDF5 file, read again in every epoch, beside arrays in memory."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import fnet
from bench.problems import CNN
from bench.workers.fnet.losses import loss_of
from bench.workers.fnet.networks import network

EPOCHS = 2  # of a call
SAMPLES = 60_000  # with 28 x 28 numbers 188 MB, or 47 MB as bytes; two windows of 32 MB are in memory
TARGET = 1.1  # times what an epoch takes over arrays, at most
CHUNK = 128  # samples
LAYOUTS: dict[str, dict[str, Any]] = {
    "contiguous": {},
    f"chunks of {CHUNK}": {"chunks": CHUNK},
    f"chunks of {CHUNK}, gzip": {"chunks": CHUNK, "dtype": np.uint8, "compression": "gzip", "compression_opts": 1},
}


def streaming_table(rounds: int) -> str:
    """Seconds of an epoch of the CNN row by turns; medians of the rounds and of their ratios."""
    with tempfile.TemporaryDirectory() as folder, _sources(Path(folder)) as sources:
        seconds = _by_turns(sources, rounds)
    lines = ["| CNN, batch 32, 60,000 samples | s an epoch | beside arrays | target, at most |", "|---|---:|---:|---:|"]
    for (name, kind), taken in seconds.items():
        ratio = statistics.median(np.asarray(taken) / seconds["arrays", kind])
        target = "" if name == "arrays" or "gzip" in name else f"{TARGET:g}"
        lines.append(f"| {name}, {kind} | {statistics.median(taken):.3f} | {ratio:.3f} | {target} |")
    return "\n".join(lines)


@contextmanager
def _sources(folder: Path) -> Iterator[dict[tuple[str, str], tuple[Any, Any]]]:
    """Pairs (x, y), by name and dtype."""
    rng = np.random.default_rng(0)
    x, y = CNN().samples(rng, SAMPLES)
    whole = rng.integers(0, 256, x.shape, np.uint8)
    whole[rng.random(x.shape) < 0.8] = 0  # as of digits, most of which is paper
    pairs: dict[tuple[str, str], tuple[Any, Any]] = {("arrays", "float32"): (x, y), ("arrays", "uint8"): (whole, y)}
    with h5py.File(folder / "samples.h5", "w") as file:
        labels = file.create_dataset("y", data=y)
        for name, options in LAYOUTS.items():
            data = whole if options.get("dtype") == np.uint8 else x
            chunks = (options["chunks"], *x.shape[1:]) if "chunks" in options else None
            given = file.create_dataset(name, data=data, **options | {"chunks": chunks})
            pairs[name, str(data.dtype)] = given, labels
        file.flush()
        yield pairs


def _by_turns(sources: dict[tuple[str, str], tuple[Any, Any]], rounds: int) -> dict[tuple[str, str], list[float]]:
    """Seconds of an epoch over each, after some that warm up."""
    problem = CNN()
    trainer = fnet.Trainer(network(problem), loss_of(problem), fnet.optimizers.adam(1e-3))
    ts = trainer.init(fnet.random.key(0), (28, 28, 1))
    seconds: dict[tuple[str, str], list[float]] = {name: [] for name in sources}
    for turn in range(rounds + 1):
        for name in sorted(sources, reverse=bool(turn % 2)):
            begin = time.perf_counter()
            ts, _ = trainer.fit(ts, *sources[name], batch_size=problem.batch, epochs=EPOCHS, verbose=False)
            if turn:
                seconds[name].append((time.perf_counter() - begin) / EPOCHS)
    return seconds
