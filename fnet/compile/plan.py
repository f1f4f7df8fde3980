"""The flat plan: a list of kernel calls over buffers, as data that can be printed, walked, or turned into source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fnet.compile.memory import INPUT, OUTPUT, STATE, Buffer
from fnet.device import Device
from fnet.spec import ArraySpec


@dataclass(frozen=True, slots=True)
class Slot:
    """A flat window of `count` elements in a buffer, `skip` bytes after its beginning."""

    buffer: Buffer
    skip: int
    count: int
    dtype: np.dtype
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return self.count * self.dtype.itemsize

    def __str__(self) -> str:
        buffer = self.buffer
        where = {INPUT: f"in{buffer.index}", OUTPUT: f"out{buffer.index}", STATE: f"state{buffer.index}"}
        name = where.get(buffer.place, "const" if buffer.constant is not None else f"@{buffer.offset}")
        return f"{name}:{self.dtype}{list(self.shape)}".replace(" ", "")


@dataclass(frozen=True, slots=True)
class KernelCall:
    """One kernel call, what it is for, and how many bytes it touches."""

    kernel: Callable
    args: tuple[Slot | int, ...]
    label: str
    touched: int

    @property
    def slots(self) -> list[Slot]:
        return [a for a in self.args if isinstance(a, Slot)]


@dataclass(slots=True)
class Plan:
    """Everything an executor needs.

    `state[i]` is the buffer of the donated input i; `kept[k]` is the one of them in which output k is left, or None
    where the output is an array of its own. Constants, and what must stay zero, lie in `fixed_bytes` of memory that is
    the program's own; the arena holds nothing from one run to the next. The kernels are those of the `device`.
    """

    calls: list[KernelCall]
    inputs: list[ArraySpec]
    outputs: list[ArraySpec]
    arena_bytes: int
    fixed_bytes: int
    state_bytes: int
    constants: list[Buffer]
    state: dict[int, Buffer]
    kept: list[Buffer | None]
    device: Device

    @property
    def traffic(self) -> int:
        """Bytes that the calls touch in one run: how much work there is, roughly."""
        return sum(call.touched for call in self.calls)

    def __str__(self) -> str:
        """A table of calls: position, what it computes, buffers with dtype and shape, bytes touched."""
        rows = [("#", "computes", "kernel", "bytes", "buffers")]
        for i, call in enumerate(self.calls):
            name = getattr(call.kernel, "__name__", str(call.kernel))
            rows.append((str(i), call.label, name, str(call.touched), " ".join(map(str, call.slots))))
        widths = [max(len(row[c]) for row in rows) for c in range(4)]
        lines = ["  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[4]]) for row in rows]
        total = f"{len(self.calls)} calls, {self.traffic} bytes touched; arena {self.arena_bytes} bytes"
        kept = sum(b is not None for b in self.kept)
        return "\n".join([*lines, f"{total}, state {self.state_bytes} bytes, {kept} outputs updated in place"])
