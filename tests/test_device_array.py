"""Arrays of a device: NumPy's operators and functions, moves from device to device, errors by their text."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import device, ops, tree
from fnet.errors import DeviceError, DtypeError, StructureError
from fnet.layers import Dense
from tests.devices.recording import Recording

X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def x(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("one", "other"):
        monkeypatch.setitem(device.FOUND, name, Recording(name))
    yield fnet.to_device(X, "one")


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x + 1,
        lambda x: 2 / (x + 1.5),
        lambda x: -x @ x.T,
        lambda x: np.where(x > 2, x, 0),
        lambda x: np.concatenate([x, x[:1]], axis=0),
        lambda x: x[1, ::2],
        lambda x: x[:, None] * x.sum(axis=1, keepdims=True)[None],
        lambda x: np.exp(x).mean(axis=0),
        lambda x: x.astype("int32") % 2 == 0,
        lambda x: x * np.float32(3) + np.array(2.0, np.float32),
        lambda x: np.argmax(x, axis=-1),
        lambda x: np.cumsum(x.reshape(3, 2).T, axis=1),
        lambda x: np.ones_like(x) + x,
        np.zeros_like,
        lambda x: np.stack([x[0, 0], np.float32(2), x[1, 1], np.array(3, np.float32)]),
        lambda x: np.full_like(x, 3, np.float64),
    ],
)
def test_numpys_operators_and_functions_give_arrays_there(f: Callable[[Any], Any], x: Any):
    y = f(x)
    assert isinstance(y, fnet.DeviceArray) and y.device == "one"
    expected = f(X)
    assert (y.shape, y.dtype.kind) == (expected.shape, expected.dtype.kind)
    np.testing.assert_allclose(fnet.to_host(y), expected, rtol=1e-6)


def test_what_it_says_of_itself(x: Any):
    assert (x.shape, x.dtype, x.device, x.ndim, x.size, x.nbytes) == ((2, 3), np.float32, "one", 2, 6, 24)
    assert repr(x) == "<DeviceArray float32[2, 3] on 'one'>"
    assert len(x) == 2 and [row.shape for row in x] == [(3,), (3,)]
    assert float(x[1, 2]) == 5 and int(x[1, 0]) == 3 and bool(x[0, 1]) and x[0, 2].item() == 2
    assert x.tolist() == X.tolist()
    assert [10, 20, 30][fnet.to_device(np.array(2), "one")] == 30


def test_trees_move_and_numbers_stay(x: Any):
    values = {"a": X, "b": (1.5, None, np.float32(2)), "c": x}
    moved = fnet.to_device(values, "other")
    assert [leaf.device for leaf in tree.leaves(moved) if isinstance(leaf, fnet.DeviceArray)] == ["other"] * 3
    assert moved["b"][0] == 1.5
    back = fnet.to_host(moved)
    np.testing.assert_array_equal(back["a"], X)
    assert type(back["b"][2]) is np.ndarray and back["a"] is not X
    assert fnet.to_device(x, "one") is x and fnet.to_host(X) is X
    assert fnet.devices() == ["cpu", "one", "other"]


def test_a_pickle_goes_through_the_host_and_back_to_the_device(x: Any):
    made = pickle.loads(pickle.dumps({"x": x.T}))["x"]
    assert made.device == "one" and made.memory is not x.memory
    np.testing.assert_array_equal(fnet.to_host(made), X.T)


def test_a_copy_has_memory_of_its_own(x: Any):
    for made in (x.copy(), copy.copy(x), copy.deepcopy({"x": x})["x"]):
        assert made.device == "one" and made.memory is not x.memory
        np.testing.assert_array_equal(fnet.to_host(made), X)


def test_derivatives_are_where_the_arguments_are(x: Any):
    def f(w: Any) -> Any:
        return np.sum(np.tanh(w) ** 2) + ops.sum(w[:1] * 0.5)

    gradient = fnet.grad(f)(x)
    assert gradient.device == "one"
    np.testing.assert_array_equal(fnet.to_host(gradient), fnet.grad(f)(X))
    np.testing.assert_array_equal(fnet.to_host(fnet.grad(lambda w, v: np.sum(v))(x, x)), np.zeros((2, 3)))
    value, pull = fnet.vjp(lambda w: w, x)
    assert value.memory is not x.memory and pull(x)[0].memory is not x.memory  # arrays of their own
    product = fnet.hessian_vector_product(f, x, x)
    np.testing.assert_allclose(fnet.to_host(product), fnet.hessian_vector_product(f, X, X), rtol=1e-6)


ERRORS = {
    "asarray": (
        lambda x: np.asarray(x),
        "^an array on 'one' was to become a NumPy array, and nothing is copied by itself. Copy it: fnet.to_host",
    ),
    "written": (lambda x: x.__setitem__(0, 1), "^an array on 'one' cannot be written in place. Build the new array"),
    "host": (
        lambda x: x + X,
        "^a float32\\[2, 3\\] is on 'one' and a float32\\[2, 3\\] on the host; nothing is copied by itself.\n"
        "Move one of them: fnet.to_device\\(x, 'one'\\) or fnet.to_host",
    ),
    "devices": (
        lambda x: x * fnet.to_device(x, "other"),
        "is on 'one' and a float32.* on 'other'; nothing",
    ),
    "jit host": (
        lambda x: fnet.jit(lambda params, x: params["w"] + x)({"w": x}, X),
        "^'params/w' is on 'one' and 'x' on the host; nothing is copied",
    ),
    "jit closure": (
        lambda x: fnet.jit(lambda y: y + x)(X),
        "^'float32\\[2, 3\\] of the function itself' is on 'one' and 'y' on the host; nothing is copied",
    ),
    "traced": (
        lambda x: fnet.grad(lambda w: np.sum(fnet.to_host(w)))(x),
        "^a traced value is where the arguments are: call fnet.to_device outside of transforms.",
    ),
    "unknown": (lambda x: fnet.to_device(x, "cuda"), "^there is no device 'cuda' here, only cpu, one, other."),
    "trainer": (
        lambda x: (trainer := fnet.Trainer(Dense(1), "mse")).fit(
            fnet.to_device(trainer.init(fnet.random.key(0), (3,)), "one"), X, X[:, :1], verbose=False
        ),
        "^'ts/params/kernel' is on 'one' and 'x' on the host; nothing is copied",
    ),
}


OTHERS: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "function": (np.unique, DeviceError, "^np.unique is not supported on arrays of a device. fnet.ops.sort comes near"),
    "keyword": (lambda x: np.max(x, initial=3), DeviceError, "^np.max on an array of a device does not take these arg"),
    "mask": (
        lambda x: x[x > 2],
        DeviceError,
        "^a boolean mask on 'one' selects a number of elements that only the device knows. Use fnet.ops.where instead",
    ),
    "method": (lambda x: x.partition(1), AttributeError, "^a float32\\[2, 3\\] on 'one' has no 'partition', which"),
    "operator": (lambda x: x & x, DtypeError, "^bitwise_and takes integers or booleans, received float32"),
    "masked": (
        lambda x: fnet.to_device(np.ma.masked_array([1.0], [True]), "one"),
        DtypeError,
        "^a masked array is not",
    ),
    "objects": (lambda x: fnet.to_device(np.array([None]), "one"), DtypeError, "^element type object is not supported"),
    "njit": (
        lambda x: fnet.njit_apply(Dense(3), {"kernel": x, "bias": x[0]}, {}, (2,)),
        DeviceError,
        "^njit_apply needs parameters on the host, these are on 'one'. Use fnet.to_host",
    ),
    "donated": (
        lambda x: read_and_donated(x),
        StructureError,
        "'x' shares memory .* 's'.*\nPass a copy, e.g. x.copy",
    ),
}


def read_and_donated(x: Any) -> None:
    f = fnet.jit(lambda s, x: (s + x, ops.sum(x)), donate="s")
    s, _ = f(x, x)
    s, _ = f(s, x)
    f(s, s)


@pytest.mark.parametrize("case", OTHERS)
def test_other_mistakes_are_named(case: str, x: Any):
    f, error, text = OTHERS[case]
    with pytest.raises(error, match=text):
        f(x)


@pytest.mark.parametrize("case", ERRORS)
def test_errors_say_what_is_where(case: str, x: Any):
    f, text = ERRORS[case]
    with pytest.raises(DeviceError, match=text):
        f(x)
