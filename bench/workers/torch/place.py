"""Where PyTorch's tensors lie, and how long the card works: by the clock on the CPU, by events on a card."""

from __future__ import annotations

import torch

from bench import device
from bench.protocol import Run, UnavailableError, by_clock

DEVICE = torch.device("cuda" if device.chosen() == device.CUDA else "cpu")


def start() -> str:
    """Convolutions of float32 on the card as precise as products; returns what it is, for the name of the peer."""
    if device.chosen() == device.CPU:
        return ""
    if device.chosen() == device.EMULATED or not torch.cuda.is_available():
        raise UnavailableError("PyTorch sees no card")
    torch.backends.cudnn.allow_tf32 = torch.get_float32_matmul_precision() != "highest"
    return f" on {torch.cuda.get_device_name()}"


def timed(run: Run, count: int) -> tuple[float, int]:
    """Seconds that about `count` steps take, and how many they were."""
    if DEVICE.type == "cpu":
        return by_clock(run, count)
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    begin.record()
    steps = run(count)
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / 1e3, steps


def wait() -> None:
    """Return when the device has done all that was begun."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
