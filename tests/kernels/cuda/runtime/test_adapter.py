"""Compiling kernels for a card that is not there; without the packages for it an error says what to install."""

from __future__ import annotations

import importlib
import threading

import numpy as np
import pytest

from fnet.errors import DeviceError
from fnet.kernels.cuda.runtime import adapter
from fnet.kernels.cuda.runtime.access import is_aligned, load4, store4
from fnet.kernels.cuda.runtime.arithmetic import multiply_add
from fnet.kernels.cuda.runtime.kernel import Kernel, cuda, device_function, kernel
from fnet.kernels.cuda.scalars import tanh_f32

F4 = np.dtype(np.float32)
compiles = pytest.mark.skipif(bool(adapter.why_missing()), reason=adapter.why_missing())


@device_function
def bent(x):
    return tanh_f32(multiply_add(x, x, x))


@kernel(threads=128)
def bend(x, y, n):
    i = 4 * cuda.grid(1)
    if is_aligned(x) and i + 4 <= n:
        a, b, c, d = load4(x, i)
        store4(y, i, (bent(a), bent(b), bent(c), bent(d)))


@kernel(contract=False)
def product_and_sum(x, y):
    y[0] = x[0] * x[1] + x[2]


@kernel
def unknown(x):
    x[0] = x.nothing


def test_without_the_packages_an_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(adapter, "why_missing", lambda: "No module named 'numba_cuda'. Install it.")
    with pytest.raises(DeviceError, match=r"^bend: no compiler for kernels of CUDA. No module named .* Install it.$"):
        adapter.compiled(bend, (F4, F4, None), (8, 9))


@compiles
@pytest.mark.parametrize("capability", [(8, 0), (9, 0)])
def test_a_kernel_with_all_that_it_calls_becomes_machine_code(capability):
    code = adapter.compiled(bend, (F4, F4, None), capability)
    assert code.cubin[:4] == b"\x7fELF"
    assert code.name.encode() in code.cubin
    assert 0 < code.registers <= 64
    assert code.local == code.spilled == 0
    assert "ld.global.v4.f32" in code.ptx
    assert "st.global.v4.f32" in code.ptx
    assert ".maxntid" in code.ptx
    assert ".f64" not in code.ptx


@compiles
def test_a_product_and_a_sum_are_rounded_twice_where_the_kernel_says_so():
    assert "fma" not in adapter.compiled(product_and_sum, (F4, F4), (9, 0)).ptx


@compiles
def test_the_assembler_is_told_how_many_blocks_need_registers():
    assert ".minnctapersm 1" in adapter.compiled(bend, (F4, F4, None), (9, 0)).ptx
    of_two = Kernel(bend.py_func, 128, True, blocks=2)
    assert ".minnctapersm 2" in adapter.compiled(of_two, (F4, F4, None), (9, 0)).ptx


@compiles
def test_what_cannot_be_compiled_raises():
    with pytest.raises(Exception, match="nothing"):
        adapter.compiled(unknown, (F4,), (9, 0))


@compiles
def test_only_the_thread_that_compiles_sees_the_card_that_it_compiles_for(monkeypatch):
    dispatcher = importlib.import_module("numba.cuda.dispatcher")
    adapter.compiled(bend, (F4, F4, None), (9, 0))
    seen = []

    def compilable(*args):
        seen.append(dispatcher.get_current_device().compute_capability)
        other = threading.Thread(target=lambda: seen.append(device_or_none()))
        other.start()
        other.join()
        raise ValueError

    def device_or_none():
        try:
            return dispatcher.get_current_device().compute_capability
        except Exception:  # no driver
            return None

    there = device_or_none()
    monkeypatch.setattr(adapter, "_compilable", compilable)
    monkeypatch.setattr(adapter, "LEAST", (7, 7))
    with pytest.raises(ValueError):
        adapter._typed.__wrapped__(bend, (F4, F4, None))
    assert seen == [(7, 7), there]
    assert there != (7, 7)
    assert device_or_none() == there
