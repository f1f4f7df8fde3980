"""Where the figures come from: processor, system, interpreter."""

from __future__ import annotations

import os
import platform
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_UNITS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


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
