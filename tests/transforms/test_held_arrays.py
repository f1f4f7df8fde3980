"""Arrays of a device that a jitted function does not get as arguments: its program holds them as they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import device
from fnet.devices.cuda.device import Cuda
from fnet.errors import DeviceError
from tests.devices.cuda.emulated import Emulated


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Emulated:
    driver = Emulated(is_late=True)
    monkeypatch.setitem(device.FOUND, "cuda", Cuda("cuda", driver))
    return driver


def there(array: Any) -> Any:
    return fnet.to_device(np.asarray(array, np.float32), "cuda")


def test_weights_of_the_function_are_used_where_they_are(card):
    net = fnet.layers.Dense(2, activation="tanh")
    params, state = net.init(fnet.random.key(0), (3,))
    x = np.ones((4, 3), np.float32)
    expected = net.apply(params, state, x)[0]
    on_card = fnet.to_device(params, "cuda")
    apply = fnet.jit(lambda x: net.apply(on_card, state, x)[0])
    given, copied = card.seen["copied in"], card.seen["copied"]
    assert apply.plan(there(x)).inputs[1:] == [a.spec for a in fnet.tree.leaves(on_card)]
    assert card.seen["copied"] == copied
    for _ in range(3):  # launch by launch, as a graph, by the call that is written for steady ones
        np.testing.assert_allclose(fnet.to_host(apply(there(x))), expected, rtol=1e-6)
    assert card.seen["copied in"] == given + 5  # x, and the sizes of the product


def test_numbers_go_where_the_arrays_of_the_function_are(card):
    w = there([1, 2])
    scaled = fnet.jit(lambda factor: w * factor)
    for factor in (2.0, 3.0):
        result = scaled(factor)
        assert result.device == "cuda"
        np.testing.assert_array_equal(fnet.to_host(result), [factor, 2 * factor])
    alone = fnet.jit(lambda: w + 1)()
    np.testing.assert_array_equal(fnet.to_host(alone), [2, 3])


def test_an_array_of_the_function_can_be_a_result_and_have_a_gradient(card):
    w = there([1, 2])

    @fnet.jit
    def f(x: Any) -> Any:
        of_w = fnet.value_and_grad(lambda v: np.sum(v * w * x))(w)
        return of_w, w, fnet.grad(lambda v: np.sum(v * w))(x)

    (value, slope), same, of_x = fnet.to_host(f(there([3, 4])))
    assert float(value) == 3 + 16
    np.testing.assert_array_equal(slope, [3, 8])
    np.testing.assert_array_equal(same, [1, 2])
    np.testing.assert_array_equal(of_x, [1, 2])


def test_what_is_updated_later_is_held_as_it_was(card):
    update = fnet.jit(lambda w: {"w": w + 1}, donate="w")
    w = update(there([1, 2]))["w"]
    f = fnet.jit(lambda x: x * w)
    for _ in range(2):
        np.testing.assert_array_equal(fnet.to_host(f(there([1, 1]))), [2, 3])
        w = update(w)["w"]


def test_repeated_calls_have_them_too(card):
    by = there([1, 2])
    step = fnet.jit(lambda w: {"w": w + by}, donate="w")
    w = step.repeat(3, there([0, 0]))["w"]
    w = step.repeat(2, w)["w"]
    np.testing.assert_array_equal(fnet.to_host(step(w)["w"]), [6, 12])


def test_arrays_that_are_apart_are_named(card, monkeypatch):
    monkeypatch.setitem(device.FOUND, "cuda#1", device.device_named("cuda").beside("cuda#1"))
    one, two = there([1, 2]), fnet.to_device(np.ones(2, np.float32), "cuda#1")
    with pytest.raises(DeviceError, match=r"^'x' is on 'cuda' and 'float32\[2\] of the function itself' on 'cuda#1'"):
        fnet.jit(lambda x: x + two)(one)
    with pytest.raises(DeviceError, match=r"^'float32\[2\] of the function itself' is on 'cuda#1' and 'x' on the h"):
        fnet.jit(lambda x: x + two)(np.ones(2, np.float32))


def test_njit_apply_takes_no_array_of_a_card(card):
    w = there([1, 2])
    net = fnet.Layer(lambda key, shape, dtype: ({}, {}), lambda params, state, x, **how: (x * w, state))
    with pytest.raises(DeviceError, match=r"^njit_apply needs arrays on the host, the network computes with <Dev"):
        fnet.njit_apply(net, {}, {}, (2,))
