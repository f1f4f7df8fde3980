"""Arrays from one stream or card to another: copied there, in the order of the work on either side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import device
from fnet.devices.cuda.device import Cuda
from fnet.ops import add
from tests.devices.cuda.conftest import is_real
from tests.devices.cuda.emulated import Emulated

X = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.fixture(params=["cuda#1", "cuda:1"])
def other(request: pytest.FixtureRequest, cuda: Cuda, monkeypatch: pytest.MonkeyPatch) -> str:
    """A second stream of the card, or a second card."""
    name: str = request.param
    if name == "cuda#1":
        monkeypatch.setitem(device.FOUND, name, cuda.beside(name))
    elif not is_real(cuda):
        monkeypatch.setitem(device.FOUND, name, Cuda(name, Emulated(is_late=True, number=1)))
    elif name not in device.device_names():
        pytest.skip("there is one card")
    return name


def test_copies_do_not_go_through_the_host(cuda: Cuda, other: str):
    x = fnet.to_device(X, "cuda")
    seen: Any = None if is_real(cuda) else (device.device_named(other), cuda)
    before = [sum(home.driver.seen[how] for how in ("copied out", "waited")) for home in seen or ()]
    y = add(fnet.to_device(add(x, x), other), np.float32(1))  # computed before it is copied, and then computed with
    back = fnet.to_device(y[:, ::2], "cuda")
    assert before == [sum(home.driver.seen[how] for how in ("copied out", "waited")) for home in seen or ()]
    assert (y.device, back.device) == (other, "cuda")
    np.testing.assert_array_equal(fnet.to_host(y), 2 * X + 1)
    np.testing.assert_array_equal(fnet.to_host(back), (2 * X + 1)[:, ::2])


def test_memory_of_what_was_copied_is_used_again_behind_the_copy(cuda: Cuda, other: str):
    for _ in range(3):
        x = fnet.to_device(X, "cuda")
        y = fnet.to_device(x, other)
        del x
        full = fnet.to_device(np.full((3, 4), 7, np.float32), "cuda")  # in the place of x
        np.testing.assert_array_equal(fnet.to_host(y), X)
        del full


def test_an_array_that_is_updated_later_was_copied_as_it_was(cuda: Cuda, other: str):
    step = fnet.jit(lambda w: {"w": w + 1}, donate="w")
    w = step(fnet.to_device(X, "cuda"))["w"]
    y = fnet.to_device(w, other)
    w = step(w)["w"]
    np.testing.assert_array_equal(fnet.to_host(y), X + 1)
    np.testing.assert_array_equal(fnet.to_host(w), X + 2)


def test_nothing_to_copy(cuda: Cuda, other: str):
    assert fnet.to_device(fnet.to_device(X[:0], "cuda"), other).shape == (0, 4)
