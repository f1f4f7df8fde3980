"""What starting costs, in fresh processes: importing fnet, first steps with a warm and a cold cache, the compiler."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from bench.rows import find

KEYS = ("mlp", "cnn", "lstm", "vgg", "transformer")
WARM, COLD, KERNEL = 1.0, 8.0, 2.0  # targets, seconds
IMPORT = 2.0  # times what importing NumPy takes


@dataclass(frozen=True)
class FirstStep:
    """Seconds to import fnet and do the first step of a row; the compilations of the cold one.

    processor: processor seconds of the cold one's processes, which do not depend on what else the machine does;
    compiled: by kernel of the first process, seconds without and with the kernels that it calls.
    """

    title: str
    warm: float
    cold: float
    processor: float
    compiled: dict[str, tuple[float, float]]


def measure_startup(rounds: int) -> list[FirstStep]:
    """Medians over fresh processes; a cold cache is a new directory, filled by one step."""
    return [_first_step(key, rounds) for key in KEYS]


def startup_table(figures: list[FirstStep]) -> str:
    """First steps beside their targets."""
    head = "| import and first step | warm cache, s | cold cache, s | of the processor, s | kernels compiled |"
    lines = [head, "|---|---:|---:|---:|---:|"]
    lines += [f"| {f.title} | {f.warm:.2f} | {f.cold:.2f} | {f.processor:.2f} | {len(f.compiled)} |" for f in figures]
    lines.append(f"| target, below | {WARM:g} | {COLD:g} | | |")
    return "\n".join(lines)


def measure_imports(rounds: int) -> dict[str, float]:
    """Seconds of importing fnet and NumPy in fresh processes, by turns; medians."""
    seconds: dict[str, list[float]] = {"numpy": [], "fnet": []}
    for _ in range(rounds + 1):
        for name, taken in seconds.items():
            taken.append(_seconds_to_import(name))
    return {name: statistics.median(taken[1:]) for name, taken in seconds.items()}  # the first ones fill caches


def imports_line(seconds: dict[str, float]) -> str:
    """What importing costs beside its target."""
    fnet, numpy = seconds["fnet"], seconds["numpy"]
    return f"`import fnet`: {fnet:.3f} s, {fnet / numpy:.2f} times `import numpy` ({numpy:.3f} s); at most {IMPORT:g}."


def compilers_table(figures: list[FirstStep], top: int = 12) -> str:
    """The kernels that take longest to compile."""
    compiled: dict[str, tuple[float, float]] = {}
    for figure in figures:
        for name, (own, whole) in figure.compiled.items():
            compiled[name] = max((own, whole), compiled.get(name, (0.0, 0.0)))
    lines = ["| slowest to compile | s | with the kernels that it calls, s |", "|---|---:|---:|"]
    slowest = sorted(compiled.items(), key=lambda item: -item[1][0])[:top]
    lines += [f"| {name} | {own:.2f} | {whole:.2f} |" for name, (own, whole) in slowest]
    return "\n".join([*lines, f"| target, below | {KERNEL:g} | |"])


def _first_step(key: str, rounds: int) -> FirstStep:
    with tempfile.TemporaryDirectory() as cache:
        cold = _run(key, cache)
        warm = [_run(key, cache) for _ in range(rounds)]
    seconds = statistics.median(run["seconds"] for run in warm)
    return FirstStep(find(key).title, seconds, cold["seconds"], cold["processor"], cold["compiled"])


def _run(key: str, cache: str) -> dict:
    return dict(json.loads(_output(["-m", "bench.first_step", key], {"FNET_CACHE_DIR": cache})))


def _seconds_to_import(name: str) -> float:
    code = f"import time; begin = time.perf_counter(); import {name}; print(time.perf_counter() - begin)"
    return float(_output(["-c", code], {}))


def _output(arguments: list[str], variables: dict[str, str]) -> str:
    """What a fresh process prints; Python keeps the bytecode of modules, as it does unless it is told otherwise."""
    environment = os.environ | variables
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
