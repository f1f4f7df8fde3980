"""Whole kernels with tiles in registers, compiled for a processor that has them, hold the instructions of AMX."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import pytest
from numba import types

from fnet.kernels.cpu.vector.simd import INSTRUCTION_SET
from tests.kernels.cpu.tile_reference import COMPILED

# The kernel of a module, and its arguments that are arrays of float32.
KERNELS = {
    "gemm_tiles": ("gemm_tiles", "a b c bias work"),
    "conv_tiles": ("gather_tiles", "x w bias y work"),
    "conv_weight_tiles": ("weight_gradient_tiles", "x g dw partial work"),
    "attention_tiles": ("attention_tiles", "q k v numbers o logsum scratch"),
    "recurrent_simple": ("forward", "x weights bias recurrent h0 ys h_last rows work"),
}
INSTRUCTIONS = ("ldtilecfg", "tilezero", "tileloadd", "tdpbf16ps", "tilestored", "tilerelease")
OTHERS = {
    "key": types.uint32,
    "layout": types.int64,
    "mask": types.boolean,
    "offsets": types.int64,
    "panels": types.int64,
    "sizes": types.int64,
    "state": types.uint8,
    "table": types.int64,
    "words": types.uint32,
}


def counted(module: str) -> dict[str, int]:
    """How often each instruction is in the code of a module's kernel."""
    name, floats = KERNELS[module]
    kernel: Any = getattr(importlib.import_module(f"fnet.kernels.cpu.{module}"), name)
    kinds = OTHERS | dict.fromkeys(floats.split(), types.float32)
    names = inspect.signature(kernel.py_func).parameters
    kernel.compile(tuple(types.Array(kinds[each], 1, "C") if each in kinds else types.int64 for each in names))
    assembly = kernel.inspect_asm(kernel.signatures[0])
    return {each: len(re.findall(rf"\b{each}", assembly)) for each in INSTRUCTIONS}


@COMPILED
@pytest.mark.slow
@pytest.mark.skipif(INSTRUCTION_SET != "avx512", reason="tiles come with vectors of 64 bytes")
@pytest.mark.parametrize("module", KERNELS)
def test_a_kernel_holds_the_instructions_of_tiles(module, tmp_path):
    features = llvm.get_host_cpu_features()
    features.update({"amx-tile": True, "amx-bf16": True})
    given = {"NUMBA_CPU_NAME": "sapphirerapids", "NUMBA_CPU_FEATURES": features.flatten()}
    given |= {"FNET_CACHE_DIR": str(tmp_path), "FNET_QUIET": "1", "FNET_COMPILERS": "1"}
    code = f"import json; from {__name__} import counted; print(json.dumps(counted({module!r})))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | given,
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert min(found.values()) > 0, found
    assert found["tdpbf16ps"] >= 12  # four for each of three products
    assert found["ldtilecfg"] == found["tilerelease"]
