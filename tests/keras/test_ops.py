"""Operations in Keras' words: values, arguments and defaults are Keras', also on symbolic values and compiled."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import fnet
from fnet.keras import Input, Model, layers, ops
from tests.keras.operation_calls import CALLS

rng = np.random.default_rng(0)
x, y = (rng.normal(size=(3, 4)).astype("f4") for _ in range(2))
NAMES: dict[str, Any] = {
    "np": np, "x": x, "y": y, "p": np.abs(x) + np.float32(0.1), "t3": rng.normal(size=(2, 3, 4)).astype("f4"),
    "img": rng.normal(size=(2, 6, 6, 4)).astype("f4"), "ker": rng.normal(size=(3, 3, 4, 5)).astype("f4"),
    "grouped": rng.normal(size=(3, 3, 2, 6)).astype("f4"), "dk": rng.normal(size=(3, 3, 4, 2)).astype("f4"),
    "lab": np.array([1, 0, 3]), "prob": np.exp(x) / np.exp(x).sum(1, keepdims=True), "B": x > 0,
    "q": rng.normal(size=(2, 5, 2, 8)).astype("f4"), "I": np.array([3, 1, 2]),
    "rgb": rng.random(size=(2, 5, 6, 3)).astype("f4"),
    "corners": np.array([[0, 0], [5, 0], [0, 5], [5, 5]], "f4"),
    "sq": x[:, :3] @ x[:, :3].T + np.eye(3, dtype="f4"),
}  # fmt: skip
ROWS = [row for line in CALLS.strip().splitlines() for row in line.split(" | ")]
NOT_COMPUTED = {"histogram": "counts are int64, not float32"}


def leaves(value: Any) -> list[Any]:
    """The arrays, words and None that a call gave, in order."""
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in leaves(part)]
    return [value if isinstance(value, str) or value is None else np.asarray(value)]


def same(row: str, expected: Any, received: Any) -> None:
    theirs, ours = leaves(expected), leaves(received)
    assert len(theirs) == len(ours), row
    for a, b in zip(theirs, ours, strict=True):
        if isinstance(a, str) or a is None:
            assert a == b, row
            continue
        assert a.shape == b.shape, row
        np.testing.assert_allclose(b, a, 2e-5, 2e-6, err_msg=row)
        if row.partition("(")[0] not in NOT_COMPUTED:
            assert b.dtype != "float64" and a.dtype.kind == b.dtype.kind, f"{row}: {a.dtype}, {b.dtype}"


@pytest.mark.slow
def test_values_are_those_of_keras():
    keras = pytest.importorskip("keras")
    for row in ROWS:
        expected = eval(f"ops.{row}", {**NAMES, "ops": keras.ops})
        same(row, expected, eval(f"ops.{row}", {**NAMES, "ops": ops}))


@pytest.mark.slow
def test_arguments_have_the_names_and_places_of_keras():
    """Of the functions that are written here; others take NumPy's names, or Keras' for the first two."""
    inspect = pytest.importorskip("inspect")
    keras = pytest.importorskip("keras")
    for name in dir(keras.ops):
        own = None if name[0] == "_" else getattr(ops, name, None)
        if not callable(own) or not getattr(own, "__module__", "").startswith("fnet.keras.ops"):
            continue
        theirs = [p for p in inspect.signature(getattr(keras.ops, name)).parameters.values() if p.kind < 3]
        ours = [p for p in inspect.signature(own).parameters.values() if p.kind < 3]
        if ours and ours[0].name in ("args", "operands"):
            continue
        assert [p.name for p in ours] == [p.name for p in theirs][: len(ours)], name


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("take(x, I)", x.ravel()[[3, 1, 2]]), ("cumsum(x)", np.cumsum(x)), ("flip(x)", x[::-1, ::-1]),
        ("arange(3)", np.arange(3, dtype="int32")), ("zeros((2,))", np.zeros(2, "float32")),
        ("argmax(x, 1)", np.argmax(x, 1).astype("int32")), ("logsumexp(x)", np.log(np.exp(x).sum())),
        ("categorical_crossentropy(np.eye(4)[lab], prob)", -np.log(NAMES["prob"][[0, 1, 2], [1, 0, 3]])),
        ("take_along_axis(x, I)", x.ravel()[[3, 1, 2]]), ("unstack(x, 3)[1]", x[1]),
        ("norm(x, 1, axis=1)", np.abs(x).sum(1)),
    ],
)  # fmt: skip
def test_defaults_are_keras_and_not_those_of_fnet(call, expected):
    received = eval(f"ops.{call}", {**NAMES, "ops": ops})
    np.testing.assert_allclose(received, expected, 1e-5)
    if not call.startswith("categorical"):
        assert received.dtype == expected.dtype


def test_operations_on_symbolic_values_and_compiled_ones_are_those_on_arrays():
    inputs = Input((4,))
    mean, variance = ops.moments(inputs, [1], keepdims=True)
    outputs = ops.concatenate([
        ops.normalize(inputs), ops.gelu(inputs), ops.softmax(inputs, axis=(1,)), ops.roll(inputs, 1, axis=1),
        ops.sort(inputs, 1), (inputs - mean) * ops.rsqrt(variance + 1e-3), ops.cumsum(inputs, axis=1),
        layers.Dense(2, kernel_initializer="ones")(ops.pad(inputs, ((0, 0), (1, 0)), mode="edge")),
    ], axis=-1)  # fmt: skip
    model = Model(inputs, outputs)

    def f(x):
        mean, variance = ops.moments(x, [1], keepdims=True)
        dense = ops.sum(ops.pad(x, ((0, 0), (1, 0)), mode="edge"), 1, keepdims=True)
        return ops.concatenate([
            ops.normalize(x), ops.gelu(x), ops.softmax(x, axis=(1,)), ops.roll(x, 1, axis=1), ops.sort(x, 1),
            (x - mean) * ops.rsqrt(variance + 1e-3), ops.cumsum(x, axis=1), dense, dense,
        ], axis=-1)  # fmt: skip

    for received in (model.predict(x, verbose=0), fnet.jit(f)(x)):
        np.testing.assert_allclose(received, f(x), 1e-5, 1e-6)


def test_sums_by_segment_and_by_index_keep_what_is_not_finite_where_it_is():
    data, ids = np.array([[1.0, np.nan], [2.0, 3.0], [4.0, np.inf]], "f4"), np.array([0, 1, 2])
    received = fnet.jit(lambda data, ids: ops.segment_sum(data, ids, 4))(data, ids)
    np.testing.assert_array_equal(received, [*data, [0, 0]])
    np.testing.assert_array_equal(ops.segment_sum(data, np.array([1, -1, 9]), 2), [[0, 0], data[0]])
    np.testing.assert_array_equal(ops.segment_sum(np.arange(3), np.array([1, 1, 0])), [2, 1])
    places = np.array([[0, 1], [-1, 0], [0, 1], [0, 9]])
    values = np.array([1.0, np.inf, 2.0, 5.0], "f4")
    np.testing.assert_array_equal(ops.scatter(places, values, (2, 2)), [[0, 3], [np.inf, 0]])
    np.testing.assert_array_equal(ops.scatter(ids[:, None], data, (3, 2)), data)
    gradient = fnet.grad(lambda v: np.sum(ops.scatter(places, v, (2, 2)) ** 2))(values[[0, 2, 0, 3]])
    np.testing.assert_array_equal(gradient, [4, 4, 4, 0])


def test_order_by_one_place_and_parts():
    np.testing.assert_array_equal(ops.take_along_axis(x, ops.argpartition(x, 2), 1)[:, 2], np.sort(x, 1)[:, 2])
    np.testing.assert_array_equal(np.stack(fnet.ops.unstack(x, 1), 1), x)
    np.testing.assert_array_equal(ops.divide_no_nan(x, np.zeros_like(x)), np.zeros_like(x))


def test_loops_and_branches():
    total, all_of_them = ops.scan(lambda c, a: (c + a, c * a), np.float32(0), x[0])
    np.testing.assert_allclose(total, x[0].sum(), 1e-6)
    assert all_of_them.shape == (4,)
    traced = fnet.jit(lambda flag, i, x: (ops.cond(flag, lambda: x, lambda: -x), ops.switch(i, [np.sin, np.cos], x)))
    for flag, i in ((True, 0), (False, 5)):
        one, other = traced(np.array(flag), np.array(i), x)
        np.testing.assert_array_equal(one, x if flag else -x)
        np.testing.assert_allclose(other, np.cos(x) if i else np.sin(x), 1e-6)
    running = fnet.grad(lambda x: ops.sum(ops.associative_scan(lambda a, b: a * b, x, axis=1)))(x)
    np.testing.assert_allclose(running, fnet.grad(lambda x: np.sum(np.cumprod(x, axis=1)))(x), 1e-5, 1e-6)
    doubled = fnet.grad(lambda x: ops.fori_loop(0, 3, lambda i, a: a * x, 1.0))(2.0)
    assert float(doubled) == 12.0


def test_images_and_patterns_on_symbolic_values_and_compiled_ones():
    images = NAMES["img"]
    points = ops.image.resize(Input((6, 6, 4)), (3, 3))
    inputs = Input((6, 6, 4))
    model = Model(inputs, ops.rearrange(ops.image.crop_images(inputs, 1, 2, 1, 1), "b h w c -> b c h w"))
    expected = np.moveaxis(images[:, 1:-1, 2:-1], -1, 1)
    np.testing.assert_array_equal(model.predict(images, verbose=0), expected)
    np.testing.assert_array_equal(
        fnet.jit(lambda x: ops.unfold(ops.fold(x, 5, 2, stride=2), 2, stride=2))(
            images.reshape(2, 72, 2)[:, :, :1].repeat(4, 2)
        ),
        images.reshape(2, 72, 2)[:, :, :1].repeat(4, 2),
    )
    assert points.shape == (None, 3, 3, 4)


def test_elastic_transforms_move_pixels_by_the_same_noise_for_a_seed():
    one, other, third = (ops.image.elastic_transform(NAMES["rgb"], 3.0, 1.0, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, other)
    assert (one != third).any() and one.shape == NAMES["rgb"].shape
    np.testing.assert_array_equal(ops.image.elastic_transform(NAMES["rgb"], 0.0, seed=1), NAMES["rgb"])
    across = np.broadcast_to(np.arange(8, dtype="f4"), (8, 8))
    ramps = [ops.image.elastic_transform(ramp[..., None], 0.5, 1.0, seed=1) for ramp in (across, across.T)]
    moved = [(ramp[..., 0] - was)[2:-2, 2:-2] for ramp, was in zip(ramps, (across, across.T), strict=True)]
    assert (abs(moved[0] - moved[1]) > 1e-3).any()


def test_complex_numbers_are_pairs():
    real, imag = ops.polar(NAMES["p"], y)
    np.testing.assert_allclose(real + 1j * imag, NAMES["p"] * np.exp(1j * y), 1e-6)
    back = ops.ifft(ops.fft((real, imag)))
    np.testing.assert_allclose(back, (real, imag), atol=1e-6)
    _, tangent, more = ops.jvp(lambda a: (a * a, a), [x], [y], has_aux=True)
    np.testing.assert_allclose(tangent, 2 * x * y, 1e-6)
    np.testing.assert_array_equal(more, x)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: fnet.jit(lambda n: ops.while_loop(lambda i: i < n, lambda i: i + 1, 0))(3),
            "the condition depends on",
        ),
        (lambda: fnet.jit(lambda n: ops.fori_loop(0, n, lambda i, a: a, 0))(3), "expected a number that is known"),
        (
            lambda: ops.scatter_update(x, [[0, 0]], [1.0], "mean"),
            "expected reduction None, 'add', 'max', 'min' or 'mul'",
        ),
        (lambda: ops.norm(x, "nuc"), "matrices have the orders None, 'fro', 1, -1, inf and -inf here, received 'nuc'"),
        (lambda: ops.segmentsum(x), "has no attribute 'segmentsum'"),
        (lambda: ops.custom_gradient, "has no custom_gradient: fnet.primitive makes a function with a derivative rule"),
        (lambda: ops.view_as_real, "has no view_as_real: there are no complex numbers; fft and polar have the real"),
        (lambda: ops.eig, "has no eig: its values may be complex, and there are no complex numbers"),
        (lambda: ops.rearrange(x, "a b -> a"), "expected the same names on both sides of '->', each once"),
        (lambda: ops.rearrange(x, "(a b) c -> a b c"), "does not become a x b with {}"),
        (lambda: ops.rearrange(x, "a -> a"), "has 1 axes on its left, but the array (3, 4)"),
        (lambda: ops.fold(NAMES["t3"], 3, 2), "expected (N, C 4, 4) for windows of (2, 2) pixels of images (3, 3)"),
        (lambda: ops.unfold(x, 2), "unfold: expected images (N, C, H, W), received (3, 4)"),
        (lambda: ops.image.resize(x, (2, 2)), "expected 3 axes for one or 4 for several, received (3, 4)"),
        (lambda: ops.image.pad_images(NAMES["img"], 1, 1, 1, 1, 9), "two of three numbers for the height, padding"),
        (lambda: ops.image.crop_images(NAMES["img"], 4, 1, 4, 1), "the height is -2 with a cropping of 4 before"),
        (lambda: ops.image.map_coordinates(x, y[:1], 1), "expected coordinates (2, ...) for an array (3, 4)"),
        (lambda: ops.image.map_coordinates(x, y[:2], 2), "map_coordinates: expected order 0 or 1, received 2"),
        (lambda: ops.image.affine_transform(NAMES["img"], x), "expected transforms (8,) or (N, 8), received (3, 4)"),
        (lambda: ops.image.perspective_transform(NAMES["img"], x, x), "points (4, 2) or (N, 4, 2), received (3, 4)"),
        (lambda: ops.map(lambda a: a, (x, x[:2])), "expected arrays of one size along their first axis"),
    ],
)
def test_errors(call, text):
    with pytest.raises((AttributeError, ValueError, TypeError)) as raised:
        call()
    assert re.search(re.escape(text), str(raised.value))
