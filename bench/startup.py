"""What starting costs, in fresh processes: importing fnet, the first training step with a warm and a cold cache."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass

_IMPORT = """
import time
start = time.perf_counter()
import fnet
print(time.perf_counter() - start)
"""

_FIRST_STEP = """
import time
start = time.perf_counter()
from bench.problems import SMALL
from bench.worker_fnet import training_step
training_step(SMALL)(1)
print(time.perf_counter() - start)
"""


@dataclass(frozen=True)
class Startup:
    """One figure and its target, both in seconds."""

    title: str
    seconds: float
    target: float


def measure_startup(rounds: int) -> list[Startup]:
    """Medians over fresh processes; the cold cache is a new directory, filled by its one step."""
    with tempfile.TemporaryDirectory() as cache:
        cold = _run(_FIRST_STEP, cache)
        warm = statistics.median(_run(_FIRST_STEP, cache) for _ in range(rounds))
        importing = statistics.median(_run(_IMPORT, cache) for _ in range(rounds))
    return [
        Startup("import fnet", importing, 0.3),
        Startup("import and first step of the MLP 16-16-1, warm cache", warm, 1.0),
        Startup("import and first step of the MLP 16-16-1, cold cache", cold, 15.0),
    ]


def _run(code: str, cache: str) -> float:
    environment = os.environ | {"FNET_CACHE_DIR": cache}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    return float(done.stdout)
