"""Every layer of the table against the promises that hold for all, then what is special to each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import random, tree
from fnet.errors import DtypeError, ShapeError, StructureError, TracingError, ValueRangeError
from fnet.layers import Activation, Dense, Dropout, Flatten, Identity, Reshape
from fnet.masking import unmasked
from fnet.networks.combinators import serial
from fnet.networks.layer import Layer
from tests.tables import LAYERS, Row, inputs

KEY = random.key(7)
EACH = pytest.mark.parametrize("row", LAYERS, ids=lambda row: row.id)
FLOATS = pytest.mark.parametrize("dtype", ["float32", "float64"])


def shapes(value: Any) -> Any:
    """The tree of shapes without the batch axis."""
    return tree.map(lambda y: y.shape[1:], unmasked(value))


def made(row: Row, dtype: Any = "float64") -> tuple[Layer, Any, Any, Any]:
    layer = row.make()
    params, state = layer.init(random.key(1), row.shape, dtype)
    return layer, params, state, inputs(row, dtype)


def close(a: Any, b: Any, rtol: float = 1e-12, atol: float = 1e-12) -> None:
    for x, y in zip(tree.leaves(a), tree.flatten_like(tree.structure(a), b), strict=True):
        np.testing.assert_allclose(x, y, rtol=rtol, atol=atol)


@EACH
@FLOATS
def test_output_has_the_predicted_shape_and_the_dtype_of_the_parameters(row: Row, dtype: str) -> None:
    layer, params, state, x = made(row, dtype)
    predicted = layer.out_shape(row.shape, dtype)
    for train in (False, True):
        y, new = layer.apply(params, state, x, key=KEY, train=train)
        assert shapes(y) == predicted
        assert {leaf.dtype for leaf in tree.leaves(unmasked(y))} == {np.dtype(dtype)}
        assert tree.structure(new) == tree.structure(state)
        assert [(s.shape, s.dtype) for s in tree.leaves(new)] == [(s.shape, s.dtype) for s in tree.leaves(state)]
    assert {leaf.dtype for leaf in tree.leaves(params)} <= {np.dtype(dtype)}
    assert bool(tree.leaves(state)) == row.stateful


@EACH
def test_init_is_a_function_of_the_key(row: Row) -> None:
    layer = row.make()
    first, again = layer.init(KEY, row.shape), layer.init(KEY.copy(), row.shape)
    assert tree.all_equal(first, again)
    assert tree.all_equal(row.make().init(KEY, row.shape), first)
    assert all(not np.shares_memory(a, b) for a, b in zip(tree.leaves(first), tree.leaves(again), strict=True))


@EACH
def test_apply_is_a_function_that_changes_none_of_its_arguments(row: Row) -> None:
    layer, params, state, x = made(row)
    before = tree.map(np.copy, (params, state, x, KEY))
    first = layer.apply(params, state, x, key=KEY, train=True)
    assert tree.all_equal(before, (params, state, x, KEY))
    assert tree.all_equal(first, layer.apply(params, state, x, key=KEY, train=True))
    for leaf in tree.leaves((params, state, x)):
        leaf.flags.writeable = False
    assert tree.all_equal(first, layer.apply(params, state, x, key=KEY, train=True))


@EACH
def test_a_sample_does_not_depend_on_its_batch(row: Row) -> None:
    layer, params, state, x = made(row)
    y, _ = layer.apply(params, state, x)
    alone, _ = layer.apply(params, state, tree.map(lambda a: a[1:2], x))
    close(tree.map(lambda a: a[1:2], y), alone)
    empty, _ = layer.apply(params, state, tree.map(lambda a: a[:0], x))
    assert all(leaf.shape[0] == 0 for leaf in tree.leaves(empty))
    assert shapes(empty) == shapes(y)


@EACH
def test_training_differs_from_inference_where_it_should(row: Row) -> None:
    layer, params, state, x = made(row)
    outputs = [layer.apply(params, state, x, key=k, train=t)[0] for k, t in ((KEY, True), (KEY, False), (None, False))]
    assert tree.all_equal(outputs[0], outputs[1]) != row.train_differs
    assert tree.all_equal(outputs[1], outputs[2])
    if row.random:
        assert not tree.all_equal(outputs[0], layer.apply(params, state, x, key=random.key(8), train=True)[0])
        with pytest.raises(StructureError, match=r"random in training and needs a key: .*key=fnet\.random\.key\(0\)"):
            layer.apply(params, state, x, train=True)


@EACH
def test_gradients_agree_with_differences_and_projections(row: Row) -> None:
    layer, params, state, x = made(row)
    rng = np.random.default_rng(5)

    def output(params: Any, x: Any) -> Any:
        return unmasked(layer.apply(params, state, x, key=KEY, train=True)[0])

    def like(value: Any) -> Any:
        return tree.map(lambda a: rng.normal(size=a.shape) if a.dtype.kind == "f" else None, value)

    def moved(value: Any, direction: Any, step: float) -> Any:
        return tree.map(lambda a, d: a if d is None else a + step * d, value, direction, is_leaf=lambda v: v is None)

    y, pull = fnet.vjp(output, params, x)
    weights, directions, step = like(y), (like(params), like(x)), 1e-5
    pulled = pull(weights)
    pairs = [(g, d) for g, d in zip(tree.leaves(pulled), tree.leaves(directions), strict=True) if d is not None]
    assert all(g.shape == d.shape and g.dtype == np.float64 for g, d in pairs)
    ahead, behind = (output(*moved((params, x), directions, s)) for s in (step, -step))
    numeric = sum(
        np.sum(w * (a - b)) / (2 * step) for w, a, b in zip(*map(tree.leaves, (weights, ahead, behind)), strict=True)
    )
    analytic = sum(np.sum(g * d) for g, d in pairs)
    assert analytic == pytest.approx(numeric, rel=1e-7, abs=1e-8)
    assert row.slope == any(np.any(g != 0) for g in tree.leaves(pulled[1]) if g is not None)
    if row.forward and not row.classes:
        forward = fnet.jvp(output, (params, x), directions)[1]
        close(
            sum(np.sum(w * t) for w, t in zip(tree.leaves(weights), tree.leaves(forward), strict=True)), analytic, 1e-10
        )


@EACH
@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])  # loops of their own
def test_jit_equals_eager(row: Row, dtype: str) -> None:
    layer, params, state, x = made(row, dtype)
    compiled = fnet.jit(layer.apply, static=("train",))
    for train in (False, True):
        tolerance = 2e-6 if dtype == "float32" else 1e-13
        eager = layer.apply(params, state, x, KEY, train)
        close(eager, compiled(params, state, x, KEY, train), tolerance, tolerance)


@EACH
def test_init_inside_jit_equals_eager(row: Row) -> None:
    layer = row.make()
    traced = fnet.jit(lambda key: layer.init(key, row.shape))(KEY)
    close(layer.init(KEY, row.shape), traced, 1e-6, 1e-7)


@EACH
def test_parameters_survive_being_taken_apart(row: Row) -> None:
    layer, params, state, x = made(row)
    leaves, structure = tree.flatten((params, state))
    again = tree.unflatten(structure, leaves)
    assert tree.all_equal(layer.apply(*again, x), layer.apply(params, state, x))
    if tree.leaves(params):
        vector, unravel = tree.ravel(params)
        assert tree.all_equal(unravel(vector), params)


@EACH
def test_a_layer_is_the_pair_and_is_read_only(row: Row) -> None:
    layer, params, state, x = made(row)
    init, apply = layer
    assert (init, apply) == (layer.init, layer.apply)
    assert isinstance(layer, tuple) and len(layer) == 2
    with pytest.raises(TypeError, match=r"apply\(\) got an unexpected keyword argument 'training'"):
        layer.apply(params, state, x, training=True)
    with pytest.raises(AttributeError, match="read-only, 'name' cannot be set"):
        layer.name = "other"
    with pytest.raises(TypeError):
        layer.config["units"] = 5
    with pytest.raises(DtypeError, match=r"a key is a uint32 array of shape \(2,\), received int 3. Make one with"):
        layer.init(3, row.shape)
    with pytest.raises(DtypeError, match="a key is a uint32 array"):
        layer.apply(params, state, x, key=0)


def test_dense_is_the_affine_map() -> None:
    layer = Dense(3, "relu", bias_initializer="random_normal")
    params, _ = layer.init(KEY, (2, 4), "float64")
    x = np.random.default_rng(0).normal(size=(5, 2, 4))
    y, _ = layer.apply(params, {}, x)
    np.testing.assert_allclose(y, np.maximum(x @ params["kernel"] + params["bias"], 0), rtol=1e-12)
    assert list(params) == ["kernel", "bias"]
    assert params["kernel"].shape == (4, 3) and params["bias"].shape == (3,)


def test_dense_computes_in_the_dtype_of_its_parameters() -> None:
    params, state = Dense(2).init(KEY, (3,), "float32")
    for x in (np.ones((4, 3)), np.ones((4, 3), "int64"), np.ones((4, 3), bool), [[1.0, 1.0, 1.0]] * 4):
        y, _ = Dense(2).apply(params, state, x)
        assert y.dtype == np.float32
        np.testing.assert_array_equal(y, Dense(2).apply(params, state, np.ones((4, 3), "float32"))[0])


def test_dense_takes_initializers_of_every_kind() -> None:
    kernel = np.arange(6.0).reshape(2, 3)
    layer = Dense(3, kernel_initializer=kernel, bias_initializer=lambda key, shape, dtype: np.full(shape, 2, dtype))
    params, _ = layer.init(KEY, (2,))
    np.testing.assert_array_equal(params["kernel"], kernel)
    np.testing.assert_array_equal(params["bias"], [2, 2, 2])
    drawn, _ = Dense(3, kernel_initializer="normal", bias_initializer="normal").init(KEY, (1,))
    assert not np.any(drawn["kernel"][0] == drawn["bias"])
    assert not np.shares_memory(params["kernel"], kernel)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dropout_drops_the_rate_and_scales_the_rest(dtype: str) -> None:
    x = np.ones((200, 100), dtype)
    y, _ = Dropout(0.3).apply({}, {}, x, key=KEY, train=True)
    kept = y[y != 0]
    np.testing.assert_allclose(kept, 1 / 0.7, rtol=1e-6)
    assert abs(1 - kept.size / y.size - 0.3) < 4 * np.sqrt(0.3 * 0.7 / y.size)
    assert not np.any(Dropout(1).apply({}, {}, x, key=KEY, train=True)[0])


def test_dropout_uses_one_mask_forward_and_backward() -> None:
    x = np.random.default_rng(0).normal(size=(4, 5))
    y, pull = fnet.vjp(lambda x: Dropout(0.5).apply({}, {}, x, key=KEY, train=True)[0], x)
    np.testing.assert_array_equal(pull(np.ones_like(x))[0] != 0, y != 0)


def test_flatten_and_reshape_are_row_major() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(Flatten().apply({}, {}, x)[0], x.reshape(2, 12))
    np.testing.assert_array_equal(Flatten().apply({}, {}, np.arange(3.0))[0], [[0], [1], [2]])
    np.testing.assert_array_equal(Reshape((-1, 6)).apply({}, {}, x)[0], x.reshape(2, 2, 6))
    np.testing.assert_array_equal(Reshape(()).apply({}, {}, x[:, :1, :1])[0], x[:, 0, 0])


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (Dense(3), (None, 4), (None, 3)),
        (Flatten(), (None, 4), (None,)),
        (Reshape((2, -1)), (None, 4), (2, None)),
        (Activation("relu"), (None, None), (None, None)),
        (serial(Dense(3), Reshape((-1,))), (None, 2), (None,)),
    ],
)
def test_variable_axes_stay_variable(layer: Layer, shape: Any, expected: Any) -> None:
    assert layer.out_shape(shape) == expected


def test_out_shape_of_an_init_that_looks_at_its_key() -> None:
    def init(key: Any, shape: Any, dtype: Any) -> Any:
        return {"w": np.random.default_rng(int(key[0])).normal(size=shape).astype(dtype)}, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        return x * params["w"], state

    assert Layer(init, apply).out_shape((3,)) == (3,)


def test_name_config_and_repr() -> None:
    layer = Dense(2, activation="tanh", name="head")
    assert (layer.name, layer.kind, layer.named) == ("head", "Dense", True)
    assert layer.config["units"] == 2 and layer.config["activation"] == "tanh"
    assert repr(serial(Dropout(0.5), Identity(name="same"))) == "serial(Dropout(rate=0.5), Identity(name='same'))"
    assert [c.name for c in serial(Dense(1), Flatten()).children] == ["dense", "flatten"]
    given = [Flatten(name="n"), Reshape((1,), name="n"), Dropout(0, name="n"), Activation("relu", name="n")]
    assert [layer.name for layer in given] == ["n"] * 4


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, "float32")


def dense_on(x: Any) -> Any:
    params, state = Dense(2).init(KEY, (3,))
    return Dense(2).apply(params, state, x)


def returning(init: Any, apply: Any) -> Layer:
    return Layer(lambda key, shape, dtype: init, lambda params, state, x, key=None, train=False: apply)


ERRORS: list[tuple[Any, type, str]] = [
    (lambda: Dense("3"), DtypeError, r"Dense: units is a positive integer, received str '3'"),
    (lambda: Dense(True), DtypeError, r"Dense: units is a positive integer, received bool True"),
    (lambda: Dense(0), ValueRangeError, r"Dense: units is a positive integer, received 0"),
    (lambda: Dense(2, "reluu"), ValueRangeError, r"unknown activation 'reluu'. Did you mean 'relu'\?"),
    (lambda: Dense(2, 3), DtypeError, r"an activation is a name or a function, received int 3"),
    (lambda: Dense(2, kernel_initializer="he"), ValueRangeError, r"unknown initializer 'he'"),
    (lambda: Dense(2, name="a/b"), StructureError, r"non-empty string without '/', received 'a/b'"),
    (lambda: Dense(2, name=""), StructureError, r"non-empty string without '/', received ''"),
    (lambda: Dense(2).init(KEY, ()), ShapeError, r"Dense expects a feature axis: .*, received \(\)"),
    (lambda: Dense(2).init(KEY, (None,)), ShapeError, r"Dense makes parameters for axis -1, .*received \(None,\)"),
    (
        lambda: Dense(2).init(KEY, ((3,), (4,))),
        ShapeError,
        r"Dense takes one input, received shapes \(\(3,\), \(4,\)\)",
    ),
    (lambda: Dense(2).init(KEY, 3), ShapeError, r"a shape is a tuple .* e\.g\. \(3,\), received 3"),
    (lambda: Dense(2).init(KEY, "ab"), ShapeError, r"a shape is a tuple of sizes without the batch axis"),
    (lambda: Dense(2).init(KEY, (0,)), ShapeError, r"sizes are positive integers, .*received \(0,\)"),
    (lambda: Dense(2).init(KEY, (2.5,)), ShapeError, r"sizes are positive integers, .*received \(2\.5,\)"),
    (lambda: Dense(2).init(KEY, (3,), "int32"), DtypeError, r"parameters are float32 or float64, received dtype int32"),
    (
        lambda: dense_on(ones(4, 5)),
        ShapeError,
        r"Dense: expected an input \(batch, \.\.\., 3\), received \(4, 5\)\. Put Fl",
    ),
    (
        lambda: dense_on(ones(3)),
        ShapeError,
        r"expected an input \(batch, \.\.\., 3\), received \(3,\)\. Add a batch axis",
    ),
    (lambda: Dense(2).apply({}, {}, ones(1, 3)), StructureError, r"Dense: .*missing 'bias', 'kernel', unexpected none"),
    (lambda: Dense(2).apply({"w": 1}, {}, ones(1, 3)), StructureError, r"missing 'bias', 'kernel', unexpected 'w'"),
    (lambda: Dropout(1.5), ValueRangeError, r"Dropout: rate is a fraction, expected 0 <= rate <= 1, received 1\.5"),
    (lambda: Dropout(float("nan")), ValueRangeError, r"Dropout: rate is a fraction"),
    (lambda: Dropout("half"), DtypeError, r"Dropout: rate is a number, received str 'half'"),
    (lambda: Reshape((-1, -1)), ShapeError, r"Reshape: target_shape is a tuple of positive .*received \(-1, -1\)"),
    (lambda: Reshape(4), ShapeError, r"Reshape: target_shape is a tuple of positive integers.*received 4"),
    (lambda: Reshape((0,)), ShapeError, r"Reshape: target_shape is a tuple of positive integers"),
    (lambda: Reshape((5,)).init(KEY, (2, 2)), ShapeError, r"samples of shape \(2, 2\) have 4 elements, .*\(5,\)"),
    (lambda: Reshape((3, -1)).apply({}, {}, ones(2, 4)), ShapeError, r"samples of shape \(4,\) have 4 elements"),
    (
        lambda: Reshape((1,)).apply({}, {}, 1.0),
        ShapeError,
        r"Reshape: expected an input \(batch, \.\.\.\), received a scal",
    ),
    (lambda: Flatten().init(KEY, ((2,), (3,))), ShapeError, r"Flatten takes one input"),
    (lambda: Activation("sofmax"), ValueRangeError, r"unknown activation 'sofmax'. Did you mean 'softmax'\?"),
    (lambda: Layer(1, 2), StructureError, r"Layer: init must be a function, received int"),
    (
        lambda: returning({}, 1).init(KEY, (1,)),
        StructureError,
        r"init must return the pair \(params, state\), .*a dict",
    ),
    (lambda: returning(({}, {}), [1, 2]).apply({}, {}, 1), StructureError, r"apply must return .* a list of length 2"),
    (
        lambda: fnet.jit(lambda t: Dense(2).apply({}, {}, ones(1, 3), train=t))(True),
        TracingError,
        r"train .*mark it as",
    ),
    (lambda: Dense(2).apply({}, {}, ones(1, 3), train="no"), DtypeError, r"train is True or False, received str 'no'"),
    (lambda: returning(({}, {}), (ones(2, 2), {})).out_shape((1,)), ShapeError, r"keep the batch .*received \(2, 2\)"),
]


@pytest.mark.parametrize(("wrong", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors_say_what_was_expected(wrong: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        wrong()
    assert len(str(caught.value).splitlines()) <= 3


def test_an_unknown_layer_is_met_with_the_nearest_name():
    with pytest.raises(AttributeError, match=r"fnet\.layers has no layer 'Dens'\. Did you mean 'Dense'\?"):
        fnet.layers.Dens  # noqa: B018
