"""Arrays of a card for other libraries and theirs for fnet: addresses, who holds what, the order of streams."""

from __future__ import annotations

import ctypes
import gc
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import device
from fnet.devices.cuda import sharing
from fnet.devices.cuda.arrays import address_of
from fnet.devices.cuda.device import Cuda
from fnet.errors import DeviceError, DtypeError
from tests.devices.cuda.emulated import Emulated
from tests.devices.recording import Recording

X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulated]:
    card = Emulated(is_late=True, number=1)
    monkeypatch.setitem(device.FOUND, "cuda:1", Cuda("cuda:1", card))
    yield card


class Other:
    """An array of another library, in memory of its own."""

    def __init__(self, array: np.ndarray, address: int, kind: int = sharing.CUDA) -> None:
        self.array, self.address, self.kind = array, address, kind
        self.streams: list[Any] = []

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.kind, 1

    def __dlpack__(self, *, stream: Any = None) -> Any:
        self.streams.append(stream)
        block = (ctypes.c_uint8 * self.array.nbytes).from_address(self.address)
        block.owner = self
        seen = np.ndarray(self.array.shape, self.array.dtype, block, 0, self.array.strides)
        capsule = seen.__dlpack__()
        sharing._name_device(capsule, (self.kind, 1))
        return capsule


@pytest.mark.parametrize(
    "view", [lambda x: x, lambda x: x.T, lambda x: x[1, ::2], lambda x: x[::-1, ::-1], lambda x: x[:, 1:1]]
)
def test_a_view_goes_out_and_in_again_without_a_copy(card: Emulated, view: Any):
    x = view(fnet.to_device(X, "cuda:1"))
    assert x.__dlpack_device__() == (2, 1)
    y = fnet.from_dlpack(x)
    assert (y.device, y.shape, y.dtype) == ("cuda:1", x.shape, x.dtype)
    if x.size:
        assert address_of(y) == address_of(x)
    assert card.seen["copied"] == card.seen["launched"] == 0
    np.testing.assert_array_equal(fnet.to_host(y.copy()), view(X))


def test_the_capsule_names_the_card_and_holds_the_array(card: Emulated):
    x = fnet.to_device(X, "cuda:1")
    capsule = x.__dlpack__(stream=sharing.UNORDERED)
    begin = sharing._pointer_of(capsule, b"dltensor")
    assert ctypes.c_void_p.from_address(begin).value == address_of(x)
    assert list((ctypes.c_int32 * 3).from_address(begin + 8)) == [2, 1, 2]  # kind, number, axes
    pool = x.home.pool
    del x
    assert pool.use().used == 256
    del capsule
    assert pool.use().used == 0


def test_memory_that_others_used_is_not_given_away_before_they_are_done(card: Emulated):
    x, alone = fnet.to_device(X, "cuda:1"), fnet.to_device(X, "cuda:1")
    capsule = x.__dlpack__()
    del alone
    fnet.to_device(X, "cuda:1")
    assert card.seen["finished"] == 0
    del x, capsule
    fnet.to_device(X, "cuda:1")
    assert card.seen["finished"] == 1


@pytest.mark.parametrize("asked, stream", [(None, 1), (1, 1), (2, 2), (-1, None)])
def test_what_others_do_comes_after_what_was_begun(
    card: Emulated, monkeypatch: pytest.MonkeyPatch, asked: Any, stream: Any
):
    waits: list[Any] = []
    x = fnet.to_device(X, "cuda:1")
    monkeypatch.setattr(card, "wait", lambda stream, event: waits.append((stream, event[0])))
    x.__dlpack__(stream=asked, max_version=(1, 0), copy=None)
    assert waits == ([] if stream is None else [(stream, x.home.stream)])


def test_an_array_of_another_library(card: Emulated):
    stream, address = card.stream(), card.allocate(X.nbytes)
    card.copy_in(address, X, stream)
    card.synchronize(stream)
    other = Other(X, address)
    x = fnet.from_dlpack(other)
    assert (x.device, x.shape, address_of(x)) == ("cuda:1", X.shape, address)
    assert other.streams == [x.home.stream]
    np.testing.assert_array_equal(fnet.to_host(x), X)
    last = x[1:]
    del x
    gc.collect()
    assert last.memory.owner is not None and card.memory()[0] < card.capacity
    del last
    gc.collect()
    assert card.seen["freed"] == 0


def test_the_interface_of_arrays(card: Emulated):
    x = fnet.to_device(X, "cuda:1").T
    assert x.__cuda_array_interface__ == {
        "shape": (3, 2), "typestr": "<f4", "data": (address_of(x), False), "strides": (4, 12), "stream": x.home.stream,
        "version": 3,
    }  # fmt: skip
    assert x[:0].__cuda_array_interface__["data"] == (0, False) and x.memory.is_shared


def test_pickles_go_through_the_host(card: Emulated):
    x = fnet.to_device({"w": X, "n": np.int64(3)}, "cuda:1")
    made = pickle.loads(pickle.dumps(x))
    assert made["w"].home is x["w"].home and made["w"].memory is not x["w"].memory
    np.testing.assert_array_equal(fnet.to_host(made["w"]), X)
    text = pickle.dumps(x)
    del device.FOUND["cuda:1"]
    with pytest.raises(DeviceError, match="there is no device 'cuda:1' here"):
        pickle.loads(text)
    device.FOUND["cuda:1"] = x["w"].home


def test_it_is_printed_like_an_array_of_the_host(card: Emulated):
    x = fnet.to_device(X, "cuda:1")
    assert str(x) == str(X) and f"{x[0, 1]}" == "1.0" and repr(x) == "<DeviceArray float32[2, 3] on 'cuda:1'>"


def test_what_cannot_be_shared(card: Emulated, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(device.FOUND, "one", Recording("one"))
    hidden = fnet.to_device(X, "one")
    assert not hasattr(hidden, "__cuda_array_interface__")
    with pytest.raises(DeviceError, match="an array on 'one' cannot be shared. Copy it: fnet.to_host"):
        fnet.from_dlpack(hidden)
    with pytest.raises(DeviceError, match="from_dlpack takes an array with __dlpack__, received a list"):
        fnet.from_dlpack([1])
    with pytest.raises(DeviceError, match="on the CPU or a CUDA card, received one on DLPack's device 10"):
        fnet.from_dlpack(Other(X, 1 << 40, kind=10))
    with pytest.raises(DtypeError, match="complex64"):
        fnet.from_dlpack(X.astype(np.complex64))
