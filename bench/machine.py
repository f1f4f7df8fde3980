"""Where the figures come from: processor, system, interpreter."""

from __future__ import annotations

import os
import platform
from pathlib import Path

_CPUINFO, _STATUS = Path("/proc/cpuinfo"), Path("/proc/self/status")
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_UNITS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


class UnavailableError(Exception):
    """This peer, or this machine, cannot do this: the message says why."""


def describe() -> str:
    """One line: processor, cores, vector units, system, Python."""
    name, units = platform.processor() or platform.machine(), ""
    if _CPUINFO.is_file():
        fields = dict(line.split(":", 1) for line in _CPUINFO.read_text().splitlines() if ":" in line)
        fields = {key.strip(): value.strip() for key, value in fields.items()}
        name = fields.get("model name", name)
        units = " ".join(u for u in _UNITS if u in fields.get("flags", "").split())
    parts = [name, f"{os.cpu_count()} cores", units, platform.system(), f"Python {platform.python_version()}"]
    return ", ".join(part for part in parts if part)


def bind(threads: int) -> None:
    """Leave this process `threads` processors, the one limit that every library keeps to; before importing any."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(threads)))


def memory() -> tuple[int, int]:
    """Bytes of this process in memory: now, and the most so far; `UnavailableError` where the system does not say."""
    if not _STATUS.is_file():
        raise UnavailableError("this system does not say how much memory a process takes")
    fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines() if ":" in line)
    now, peak = (1024 * int(fields[name].split()[0]) for name in ("VmRSS", "VmHWM"))
    return now, peak
