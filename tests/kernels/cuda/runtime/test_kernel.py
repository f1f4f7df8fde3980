"""Kernels of CUDA as they are written: launches of them, and the checker runs them with all that they call."""

from __future__ import annotations

import numpy as np
import pytest

from fnet.errors import StructureError
from fnet.kernels.cuda.runtime.kernel import DeviceFunction, cuda, device_function, kernel
from fnet.kernels.scalar import exponential, instructions
from fnet.kernels.scalar.loading import Loader
from fnet.testing.cuda import RaceError, UnwrittenError, run_kernel

ALL = 0xFFFFFFFF


@device_function
def fused(a, b, c):
    return cuda.fma(a, b, c)


@device_function
def total_of_warp(value):
    step = 16
    while step:
        value += cuda.shfl_xor_sync(ALL, value, step)
        step //= 2
    return value


@device_function
def total_beside_place(value):
    return total_of_warp(value) + first_of_warp()


@device_function
def first_of_warp():
    return cuda.threadIdx.x // 32 * 32


@kernel(threads=64)
def totals(x, out):
    i = cuda.grid(1)
    value = total_beside_place(x[i])
    if cuda.laneid == 0:
        out[i // 32] = value


exp_f32 = Loader({exponential: device_function}, {instructions.multiply_add: fused}, __file__)["exp_f32"]


@kernel
def exponentials(x, out):
    i = cuda.grid(1)
    if i < x.size:
        out[i] = exp_f32(x[i])


@kernel
def shifted(x, waits):
    i = cuda.threadIdx.x
    value = x[(i + 1) % x.size]
    if waits:
        cuda.syncthreads()
    x[i] = value


def test_a_launch_is_the_same_for_the_same_numbers():
    launch = totals[2, (64, 1)]
    assert launch == totals[(2,), 64] and hash(launch) == hash(totals[(2,), 64])
    assert launch != totals[2, 64, 128] and launch != exponentials[2, 64]
    assert (launch.kernel, launch.grid, launch.block, launch.__name__) == (totals, (2, 1, 1), (64, 1, 1), "totals")
    assert totals[2, 64, np.int64(128)].shared_bytes == 128
    assert (totals.threads, totals.contract, totals.__module__) == (64, True, __name__)


def test_device_functions_are_run_by_what_they_call():
    x, out = np.arange(64.0), np.zeros(2)
    run_kernel(totals, 1, 64, x, out)
    np.testing.assert_array_equal(out, [x[:32].sum(), x[32:].sum() + 32])


def test_scalar_functions_are_run_with_the_instructions_of_the_device():
    assert isinstance(exp_f32, DeviceFunction)
    x = np.linspace(-20, 20, 37, dtype=np.float32)
    out = np.zeros_like(x)
    run_kernel(exponentials, 2, 32, x, out)
    np.testing.assert_allclose(out, np.exp(x), rtol=3e-7)


def test_faults_are_found_in_them():
    run_kernel(shifted, 1, 8, np.arange(8.0), 1)
    with pytest.raises(RaceError, match=r"x\[1\] is written by thread 1"):
        run_kernel(shifted, 1, 8, np.arange(8.0), 0)
    with pytest.raises(UnwrittenError, match=r"total_of_warp, line \d+: lane \d+ asks for the value of lane \d+"):
        run_kernel(totals, 1, 40, np.arange(64.0), np.zeros(2))


def test_what_is_no_kernel_and_what_cannot_be_called():
    with pytest.raises(StructureError, match="expected a plain Python function, received a Kernel"):
        kernel(totals)
    with pytest.raises(StructureError, match="totals is a kernel of CUDA, which Python cannot call.\nWithout a card"):
        totals[1, 32](np.zeros(32), np.zeros(1))
    with pytest.raises(AttributeError, match=r"cuda.threadIdx is for kernels while they run: write it into a function"):
        first_of_warp()
