"""The device that all peers work on: what the variable ``BENCH_DEVICE`` says, the CPU by default.

"cuda" is the first card. "emulated" is a card without a card, for trying the benchmark itself: fnet alone has it.
"""

from __future__ import annotations

import os

VARIABLE = "BENCH_DEVICE"
CPU, CUDA, EMULATED = "cpu", "cuda", "emulated"


def chosen() -> str:
    """The device, by its name."""
    return os.environ.get(VARIABLE, CPU)
