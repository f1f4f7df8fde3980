"""The sizes of the processor's data caches in bytes, from which kernels take the sizes of their blocks.

Where the operating system does not tell them, they are those of a common processor. Blocks change how fast a result is
there, never its bits.
"""

from __future__ import annotations

from pathlib import Path

_USUAL = {1: 48 << 10, 2: 1 << 20}
_LEAST, _MOST = {1: 16 << 10, 2: 256 << 10}, {1: 128 << 10, 2: 4 << 20}
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def cache_sizes(folder: Path) -> dict[int, int]:
    """The bytes of the first two levels, by level; folder: where Linux describes the caches of one processor."""
    sizes = dict(_USUAL)
    for cache in folder.glob("index*"):
        try:
            level, kind, size = ((cache / name).read_text().strip() for name in ("level", "type", "size"))
            if kind != "Instruction" and int(level) in sizes:
                sizes[int(level)] = int(size.rstrip("KMG")) * _UNITS.get(size[-1:], 1)
        except (OSError, ValueError):
            continue
    return {level: min(max(size, _LEAST[level]), _MOST[level]) for level, size in sizes.items()}


LEVEL_1, LEVEL_2 = cache_sizes(Path("/sys/devices/system/cpu/cpu0/cache")).values()
