"""The driver of a card by a stand-in for NVIDIA's: what is called in which order, how arguments are packed, errors."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from fnet.errors import DeviceError, StructureError
from fnet.kernels.cuda.runtime import adapter, driver, kept
from fnet.kernels.cuda.runtime.kernel import cuda, kernel, launch_of
from fnet.kernels.cuda.runtime.limits import Limits
from tests.kernels.cuda.runtime.fake_bindings import FakeBindings, Result

F4, I8 = np.dtype(np.float32), np.dtype(np.int64)


@kernel
def shifted(x, n, y):
    i = cuda.grid(1)
    if i < min(n, x.size):
        y[i] = x[i] + np.float32(1)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBindings]:
    fake = FakeBindings((9, 0), (7, 5))
    monkeypatch.setattr(driver, "_api", lambda: fake)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: None)
    monkeypatch.setattr(
        kept, "compiled", lambda k, s, c: adapter.Compiled(f"{k.__name__}_{len(s)}", b"code", "", 0, 0, 0, 0)
    )
    driver.cards.cache_clear()
    yield fake
    driver.cards.cache_clear()


@pytest.fixture
def card(api: FakeBindings) -> driver.Driver:
    made = driver.Driver(0)
    api.calls.clear()
    return made


def test_cards_are_those_that_kernels_are_for(api: FakeBindings):
    assert driver.cards() == (
        {0: "Card 0"},
        "card 1, Card 1, has capability 7.5; kernels need 8.0 or more",
    )
    made = driver.Driver(0)
    assert (made.name, made.capability, made.number) == ("Card 0", (9, 0), 0)


def test_why_there_are_none(api: FakeBindings, monkeypatch: pytest.MonkeyPatch):
    def said() -> str:
        driver.cards.cache_clear()
        found, why = driver.cards()
        assert found == {}
        return why

    api.capabilities = ()
    assert said() == "the driver sees no card"
    api.failing["cuInit"] = Result.CUDA_ERROR_NO_DEVICE
    assert said() == "starting the driver: CUDA says no device."
    monkeypatch.setattr(driver, "_api", lambda: __import__("no_such_bindings"))
    assert said() == "No module named 'no_such_bindings': install fnet[cuda]"

    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert said() == f"NVIDIA's driver is not installed ({driver.LIBRARY} was not found)"


def test_a_kernel_is_loaded_once_for_a_kind_of_arguments(api: FakeBindings, card: driver.Driver):
    api.parameters = 15
    launch = shifted[4, (32, 2)]
    args = [(4096, 100, F4), -7, (8192, 50, F4)]
    card.prepare(launch, args)
    assert api.names() == ["cuModuleLoadData", "cuModuleGetFunction"]
    card.launch(launch, args, 5)
    assert api.names() == ["cuLaunchKernel"]
    card.launch(shifted[1, 32], [(4096, 100, F4), -7, (8192, 50, F4)], 5)
    card.launch(launch, [(256, 1, F4), 3, (512, 2, F4)], 5)
    _, function, *how, pointers, extra = api.calls[-1]
    assert function >= 1000 and (how, extra) == ([4, 1, 1, 32, 2, 1, 0, 5], 0) and pointers
    assert api.names() == ["cuLaunchKernel"] * 2
    assert api.launched == [
        [0, 0, 100, 4, 4096, 100, 4, -7, 0, 0, 50, 4, 8192, 50, 4],
        [0, 0, 100, 4, 4096, 100, 4, -7, 0, 0, 50, 4, 8192, 50, 4],
        [0, 0, 1, 4, 256, 1, 4, 3, 0, 0, 2, 4, 512, 2, 4],
    ]
    card.launch(launch, [(4096, 100, I8), -7, (8192, 50, F4)], 5)
    assert api.names()[0] == "cuModuleLoadData"


def test_blocks_that_wait_for_each_other_begin_together(api: FakeBindings, card: driver.Driver):
    launch = replace(shifted[4, 32], together=True)
    card.launch(launch, [], 5)
    name, _, *how, pointers = api.calls[-1]
    assert name == "cuLaunchCooperativeKernel" and how == [4, 1, 1, 32, 1, 1, 0, 5] and pointers
    assert card.limits == Limits(together=132, shared_bytes=232448)
    api.attributes["cooperative"] = 0
    assert driver.Driver(0).limits.together == 1


def test_much_shared_memory_is_asked_for(api: FakeBindings, card: driver.Driver):
    card.launch(shifted[1, 1, 64 << 10], [], 5)
    assert ("cuFuncSetAttribute", 8, 64 << 10) in [(name, *args[1:]) for name, *args in api.calls]


@pytest.mark.skipif(bool(adapter.why_missing()), reason=adapter.why_missing())
def test_arguments_are_packed_as_compiled_code_reads_them():
    ptx = adapter.compiled(shifted, (F4, None, F4), (9, 0)).ptx
    numbers = driver.packed([(4096, 100, F4), 7, (8192, 50, F4)])
    assert len(re.findall(r"\.param \.u64 \w+_param_\d+", ptx)) == len(numbers) == 15
    read = {int(number) for number in re.findall(r"ld\.param\.u64[^\[]*\[\w+_param_(\d+)\]", ptx)}
    assert {numbers[k] for k in read} >= {4096, 100, 7, 8192} and not {numbers[k] for k in read} & {0, 4}


def test_numbas_own_kernels_are_launched_by_their_text():
    numba = pytest.importorskip("numba.cuda")

    class Configured:
        dispatcher = numba.jit(shifted.py_func)
        griddim, blockdim, sharedmem = (2, 1, 1), (8, 1, 1), 16

    launch = launch_of(Configured)
    assert launch == launch_of(Configured) and launch.kernel.py_func is shifted.py_func
    assert (launch.grid, launch.block, launch.shared_bytes) == ((2, 1, 1), (8, 1, 1), 16)
    with pytest.raises(StructureError, match=r"kernel\[grid, block\], received a Kernel"):
        launch_of(shifted)


def test_work_is_recorded_and_replayed(api: FakeBindings, card: driver.Driver):
    with card.capture(3) as graph:
        card.zero(4096, 16, 3)
    assert api.names() == [
        "cuStreamBeginCapture", "cuMemsetD8Async", "cuStreamEndCapture", "cuGraphInstantiate", "cuGraphDestroy",
    ]  # fmt: skip
    card.replay(graph, 5)
    assert api.calls[-1] == ("cuGraphLaunch", graph.executable, 5)
    del graph
    assert api.calls[-1][0] == "cuGraphExecDestroy"


def test_an_error_while_work_is_recorded_ends_the_recording(api: FakeBindings, card: driver.Driver):
    with pytest.raises(ZeroDivisionError), card.capture(3):
        1 / 0  # noqa: B018
    assert api.names() == ["cuStreamBeginCapture", "cuStreamEndCapture"]


def test_memory_and_order(api: FakeBindings, card: driver.Driver):
    stream, address = card.stream(), card.allocate(64)
    host = np.arange(8.0)
    card.copy_in(address, host, stream)
    card.copy_out(host, address, stream)
    card.copy(address, address + 32, 0, stream)
    card.wait(stream, card.record(stream))
    card.synchronize(stream)
    card.free(address)
    calls = [call for call in api.calls if call[0] != "cuCtxSetCurrent"]
    assert calls[2:4] == [
        ("cuMemcpyHtoDAsync", address, host.ctypes.data, 64, stream),
        ("cuMemcpyDtoHAsync", host.ctypes.data, address, 64, stream),
    ]
    assert api.names()[4:] == [
        "cuEventCreate", "cuEventRecord", "cuStreamWaitEvent", "cuEventDestroy", "cuStreamSynchronize", "cuMemFree",
    ]  # fmt: skip


def test_copies_between_cards(api: FakeBindings, card: driver.Driver):
    other, stream = driver.Driver(1), card.stream()
    here, there = card.allocate(64), other.allocate(64)
    api.calls.clear()
    card.copy_from(here, other, there, 64, stream)
    card.copy_from(here, card, here + 32, 32, stream)
    card.copy_from(here, other, there, 0, stream)
    assert [call for call in api.calls if call[0] != "cuCtxSetCurrent"] == [
        ("cuMemcpyPeerAsync", here, card._context, there, other._context, 64, stream),
        ("cuMemcpyDtoDAsync", here, here + 32, 32, stream),
    ]
    assert card._context != other._context


def test_pinned_memory_lives_as_long_as_an_array_of_it(api: FakeBindings, card: driver.Driver):
    host = card.pinned(64)
    part = host[8:16].view(np.float64)
    host[:] = 0
    del host
    assert part[0] == 0 and "cuMemFreeHost" not in api.names()
    del part
    assert api.names() == ["cuMemFreeHost"]


def test_errors_say_what_was_done(api: FakeBindings, card: driver.Driver, monkeypatch: pytest.MonkeyPatch):
    api.failing["cuMemAlloc"] = Result.CUDA_ERROR_OUT_OF_MEMORY
    assert card.allocate(1 << 40) == 0
    api.failing["cuStreamSynchronize"] = Result.CUDA_ERROR_ILLEGAL_ADDRESS
    with pytest.raises(DeviceError, match="waiting for the card: CUDA says illegal address.\nThe card takes no more"):
        card.synchronize(5)
    api.failing["cuLaunchKernel"] = Result.CUDA_ERROR_NO_DEVICE
    with pytest.raises(DeviceError, match="^shifted: CUDA says no device.$"):
        card.launch(shifted[1, 1], [], 5)
    monkeypatch.setattr("os.getpid", lambda: -1)
    with pytest.raises(DeviceError, match=r"forked from, and cannot be used here.\nStart processes with .*'spawn'"):
        card.synchronize(5)
