"""The device of NVIDIA's cards, one for each card: CUDA kernels, a pool of memory, graphs.

`fnet.to_device(x, "cuda")` is all that most code needs. The functions here are about the memory of a card, which fnet
keeps for what comes next: ``from fnet.devices.cuda import memory_use``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fnet.device import device_named
from fnet.errors import DeviceError, ValueRangeError

if TYPE_CHECKING:
    from fnet.devices.cuda.memory import MemoryUse, Pool


def memory_use(device: str = "cuda") -> MemoryUse:
    """How many bytes of a card's memory are used, kept and free; ``print(memory_use())`` says it in words."""
    return _pool(device).use()


def set_memory_limit(nbytes: int | None, device: str = "cuda") -> None:
    """Let arrays and programs, with what is kept for others, take at most so many bytes of a card; None: all.

    What is in use above the limit stays. An array that there is no room for raises `DeviceError`.
    """
    if nbytes is not None and (isinstance(nbytes, bool) or not isinstance(nbytes, int) or nbytes < 0):
        raise ValueRangeError(f"a limit of memory is a number of bytes, 0 or more, or None; received {nbytes!r}.")
    _pool(device).set_limit(nbytes)


def release_memory(device: str = "cuda") -> None:
    """Give a card back the memory that fnet keeps for what comes next; waits for work that has begun."""
    _pool(device).release()


def _pool(device: str) -> Pool:
    home: Any = device_named(device)
    if not hasattr(home, "pool"):
        raise DeviceError(f"fnet keeps no memory of '{device}'. Name a card: 'cuda', 'cuda:1', ...")
    return home.pool
