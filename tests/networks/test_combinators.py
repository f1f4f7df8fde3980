"""Laws of the combinators on networks drawn at random, names, shared weights, keys, and every error by its text."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnet
from fnet import random, tree
from fnet.errors import DtypeError, ShapeError, StructureError, ValueRangeError
from fnet.layers import Activation, Dense, Dropout, Flatten, Identity, Reshape
from fnet.networks.combinators import fanout, named, parallel, repeat, residual, serial
from fnet.networks.layer import Layer
from tests.custom_layers import counter, scale
from tests.weights import any_weights

KEY = random.key(3)
QUICK = settings(deadline=None, max_examples=12)

KEEPING = st.sampled_from([Identity, scale, counter, lambda: Activation("tanh"), lambda: Dropout(0.5)]).map(
    lambda f: f()
)
LEAVES = KEEPING | st.integers(1, 3).map(lambda n: Dense(n, "tanh"))


def combined(parts: st.SearchStrategy) -> st.SearchStrategy:
    some = st.lists(parts, min_size=1, max_size=3)
    return (
        some.map(lambda p: serial(*p))
        | some.map(lambda p: fanout(*p))
        | some.map(lambda p: fanout(*(serial(q, Dense(2)) for q in p), merge="add"))
        | KEEPING.map(residual)
        | st.builds(repeat, parts, st.integers(0, 2))
        | some.map(lambda p: serial(fanout(*p, merge=None), parallel(*(Identity() for _ in p)), merged()))
    )


def merged() -> Layer:
    """A custom layer that joins a tuple."""
    return Layer(
        lambda key, shape, dtype: ({}, {}),
        lambda params, state, x, key=None, train=False: (np.concatenate(x, axis=-1), state),
        name="join",
    )


NETS = st.recursive(LEAVES, combined, max_leaves=6)


def features(batch: int = 3, n: int = 2, dtype: str = "float64") -> np.ndarray:
    return np.random.default_rng(0).normal(size=(batch, n)).astype(dtype)


def run(net: Layer, leaves: tuple[list, list] | None = None, shape: Any = (2,), x: Any = None) -> Any:
    """Output and new state, for given leaves of params and state in place of the net's own."""
    params, state = net.init(KEY, shape, "float64")
    if leaves is not None:
        params, state = (tree.unflatten(tree.structure(t), own) for t, own in zip((params, state), leaves, strict=True))
    return net.apply(params, state, features() if x is None else x, train=False)


def leaves_of(net: Layer, shape: Any = (2,)) -> tuple[list, list]:
    params, state = net.init(KEY, shape, "float64")
    return tree.leaves(params), tree.leaves(state)


def same(a: Any, b: Any) -> None:
    for x, y in zip(tree.leaves(a), tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-14)


@given(NETS)
@QUICK
def test_predicted_shape_is_the_shape(net: Layer) -> None:
    params, state = net.init(KEY, (2,))
    y, new = net.apply(params, state, features(dtype="float32"), key=KEY, train=True)
    assert net.out_shape((2,)) == y.shape[1:] and y.dtype == np.float32
    assert tree.structure(new) == tree.structure(state)
    assert tree.all_equal(net.init(KEY, (2,)), (params, state))


@given(NETS, NETS, NETS)
@QUICK
def test_serial_is_associative(a: Layer, b: Layer, c: Layer) -> None:
    flat, left, right = serial(a, b, c), serial(serial(a, b), c), serial(a, serial(b, c))
    weights = leaves_of(flat)
    same(run(flat)[0], run(left, weights)[0])
    same(run(flat)[0], run(right, weights)[0])


@given(NETS)
@QUICK
def test_identity_is_the_unit_of_serial(f: Layer) -> None:
    weights = leaves_of(f)
    for net in (
        serial(Identity(), f),
        serial(f, Identity()),
        serial(serial(), f),
        serial(f),
        repeat(f, 1),
        parallel_of_one(f),
    ):
        same(run(f)[0], run(net, weights)[0])
    x = features()
    assert run(serial(), x=x)[0] is x and run(repeat(f, 0), x=x)[0] is x


def parallel_of_one(f: Layer) -> Layer:
    return serial(fanout(Identity(), merge=None), parallel(f), merged())


@given(NETS, NETS)
@QUICK
def test_fanout_is_parallel_after_copies(f: Layer, g: Layer) -> None:
    both = fanout(f, g, merge=None)
    weights = leaves_of(both)
    (y, z), _ = run(both)
    same((y, z), run(serial(fanout(Identity(), Identity(), merge=None), parallel(f, g)), weights)[0])
    same(np.concatenate([y, z], -1), run(fanout(f, g))[0])


@pytest.mark.parametrize(
    ("merge", "expected"),
    [
        ("add", lambda a, b, c: a + b + c),
        ("multiply", lambda a, b, c: a * b * c),
        ("average", lambda a, b, c: (a + b + c) / 3),
        ("maximum", lambda a, b, c: np.maximum(np.maximum(a, b), c)),
        ("concat", lambda a, b, c: np.concatenate([a, b, c], 1)),
        (lambda a, b, c: a - b * c, lambda a, b, c: a - b * c),
    ],
)
def test_merges(merge: Any, expected: Any) -> None:
    branches = [Dense(4), Dense(4, "tanh"), Dense(4)]
    same(run(fanout(*branches, merge=merge))[0], expected(*run(fanout(*branches, merge=None))[0]))


@given(KEEPING)
@QUICK
def test_residual_is_a_sum_with_the_identity(f: Layer) -> None:
    same(run(residual(f))[0], features() + run(f)[0])
    same(run(residual(f))[0], run(fanout(Identity(), f, merge="add"), leaves_of(f))[0])


def test_residual_of_a_tuple() -> None:
    y = run(residual(parallel(Activation("tanh"), scale())), shape=((2,), (2,)), x=(features(), features()))[0]
    same(y, (features() + np.tanh(features()), features() + 1.5 * np.sin(features())))


@given(NETS, st.integers(0, 3))
@QUICK
def test_repeat_is_serial_of_copies_with_weights_of_their_own(f: Layer, n: int) -> None:
    copies = repeat(f, n)
    twins = serial(*(named(f"{f.name}{i}", f) for i in range(n)))
    assert tree.all_equal(leaves_of(copies), leaves_of(twins))
    same(run(copies)[0], run(twins)[0])


def test_copies_start_differently() -> None:
    params, _ = repeat(Dense(3), 2).init(KEY, (3,))
    assert list(params) == ["dense", "dense_1"]
    assert not np.array_equal(params["dense"]["kernel"], params["dense_1"]["kernel"])


def test_a_layer_gets_the_key_of_its_position() -> None:
    layer, head = Dense(3), Dense(2)
    params, _ = serial(Activation("tanh"), layer, head).init(KEY, (2,))
    assert tree.all_equal(params["dense"], layer.init(random.fold_in(KEY, 1), (2,))[0])
    assert tree.all_equal(params["dense_1"], head.init(random.fold_in(KEY, 2), (3,))[0])
    x = np.ones((4, 5), "float32")
    drop = Dropout(0.5)
    (first, second), _ = fanout(drop, drop, merge=None).apply({}, {}, x, key=KEY, train=True)
    for i, y in enumerate((first, second)):
        np.testing.assert_array_equal(y, drop.apply({}, {}, x, key=random.fold_in(KEY, i), train=True)[0])
    assert not np.array_equal(first, second)


def test_names_are_numbered_in_their_container() -> None:
    net = serial(
        Dense(2), Dense(2), serial(Dense(2), Dense(2)), named("dense_1", Dense(2)), fanout(Dense(1)), residual(Dense(1))
    )
    params, _ = net.init(KEY, (2,))
    assert list(params) == ["dense", "dense_2", "serial", "dense_1", "fanout", "residual"]
    assert list(params["serial"]) == ["dense", "dense_1"]
    assert list(params["dense"]) == ["kernel", "bias"]
    assert list(serial(Flatten(), scale(), Dropout(0.1), counter()).init(KEY, (2,))[0]) == ["scale"]


def test_the_name_of_a_user_is_kept() -> None:
    params, _ = serial(Dense(2, name="first"), named("second", serial(Dense(3)))).init(KEY, (2,))
    paths = [path for path, _ in tree.leaves_with_path(params)]
    assert paths == ["first/kernel", "first/bias", "second/dense/kernel", "second/dense/bias"]


def test_an_object_used_twice_shares_its_weights() -> None:
    twin = Dense(3, "tanh")
    shared, unshared = serial(twin, Dense(3), twin), serial(Dense(3, "tanh"), Dense(3), Dense(3, "tanh"))
    params, _ = shared.init(KEY, (3,), "float64")
    assert list(params) == ["dense", "dense_1"]
    assert tree.all_equal(params["dense"], twin.init(random.fold_in(KEY, 0), (3,), "float64")[0])
    equal = {"dense": params["dense"], "dense_1": params["dense_1"], "dense_2": params["dense"]}
    x = features(n=3)

    def loss(net: Layer) -> Any:
        return lambda p: np.sum(np.sin(net.apply(p, {}, x)[0]))

    same(loss(shared)(params), loss(unshared)(equal))
    together, apart = fnet.grad(loss(shared))(params), fnet.grad(loss(unshared))(equal)
    same(together["dense"], tree.map(np.add, apart["dense"], apart["dense_2"]))
    same(together["dense_1"], apart["dense_1"])


def test_a_shared_state_is_threaded() -> None:
    count = counter()
    for net, path in ((serial(count, residual(count), count), ()), (serial(residual(count), count), ("residual",))):
        params, state = net.init(KEY, (2,), "float64")
        _, new = net.apply(params, state, features(), train=True)
        for name in path:
            assert list(state) == list(new) == [name]
            state, new = state[name], new[name]
        assert list(state) == list(new) == ["counter"]
        assert (int(state["counter"]["steps"]), int(new["counter"]["steps"])) == (0, len(net.children))


@given(st.lists(st.sampled_from(["a", "b", "dense", "dense_1"]), max_size=5))
@QUICK
def test_entry_names_never_clash(names: list[str]) -> None:
    layers = [Layer(*scale(), name=name) for name in names]
    params, _ = serial(*layers).init(KEY, (2,))
    assert len(params) == len(names)
    assert [entry == name or entry.startswith(f"{name}_") for entry, name in zip(params, names, strict=True)] == [
        True
    ] * len(names)


def test_variable_axes_pass_through_containers() -> None:
    net = serial(fanout(Dense(2), Dense(3)), residual(Dense(5)), repeat(Dense(5), 2))
    assert net.out_shape((None, 4)) == (None, 5)
    assert fanout(Identity(), Identity(), axis=1).out_shape((None, 4)) == (None, 4)
    assert parallel(Dense(2), Flatten()).out_shape(((None, 4), (2, 3))) == ((None, 2), (6,))


def test_children_and_config() -> None:
    a, b = Dense(2), Dense(3)
    assert serial(a, b).children == (a, b) and parallel(a, b).children == (a, b)
    assert fanout(a, b, merge="add").children == (a, b)
    assert dict(fanout(a, b, merge="add", axis=1).config) == {"merge": "add", "axis": 1}
    assert residual(a).children == (a,)
    assert dict(repeat(a, 3).config) == {"n": 3} and len(repeat(a, 3).children) == 3
    assert [serial().name, parallel(a).name, fanout(a).name, residual(a).name, repeat(a, 1).name] == [
        "serial",
        "parallel",
        "fanout",
        "residual",
        "repeat",
    ]
    assert (named("x", serial(a)).name, named("x", serial(a)).kind) == ("x", "serial")


def test_layers_within_each_other() -> None:
    net: Layer = Dense(2)
    for _ in range(99):
        net = serial(net)
    params, state = net.init(KEY, (2,))

    def loss(params: Any, x: Any) -> Any:
        return np.sum(net.apply(params, state, x)[0])

    g = fnet.jit(fnet.grad(loss))(params, np.ones((3, 2), "float32"))
    assert tree.leaves_with_path(g)[1][0] == "serial/" * 98 + "dense/bias"
    np.testing.assert_array_equal(tree.leaves(g)[1], 3)
    for wrap in (serial, residual):
        with pytest.raises(StructureError, match="layers are nested 101 deep, 100 levels fit .* serial"):
            wrap(net)


def test_layers_may_be_deep() -> None:
    net = reduce(lambda inner, _: serial(inner, Activation("tanh")), range(12), Dense(2))
    assert net.out_shape((3,)) == (2,)
    params, _ = net.init(KEY, (3,))
    assert next(iter(tree.leaves_with_path(params)))[0].count("serial") == 11


NET = serial(Dense(4, "relu"), fanout(Dense(2), serial(Dropout(0.5), Dense(3))), Dense(1))
PARAMS, STATE = any_weights(NET, (3,))
X = np.ones((2, 3), "float32")


def forgetful() -> Layer:
    return Layer(
        lambda key, shape, dtype: ({}, {}),
        lambda params, state, x, key=None, train=False: (x, {"steps": np.zeros(())}),
        name="forgetful",
    )


ERRORS: list[tuple[Any, type, str]] = [
    (
        lambda: NET.apply(PARAMS, STATE, X, train=True),
        StructureError,
        r"^in 'fanout/serial/dropout': Dropout is random in .*key=fnet",
    ),
    (
        lambda: NET.apply(PARAMS, STATE, X[:, :2]),
        ShapeError,
        r"^in 'dense': Dense: expected an input \(batch, \.\.\., 3\), .*\(2, 2\)",
    ),
    (
        lambda: NET.apply({}, STATE, X),
        StructureError,
        r"^in 'dense': Dense: parameters do not fit: missing 'bias', 'kernel'",
    ),
    (
        lambda: NET.apply({**PARAMS, "fanout": {"conv": {}, "dense": PARAMS["fanout"]["dense"]}}, STATE, X),
        StructureError,
        r"^in 'fanout': params of another network: unexpected 'conv'; the layers without an entry are 'serial'\. Pass",
    ),
    (
        lambda: NET.apply({"a": 1, "b": 2}, STATE, X),
        StructureError,
        r"^params of another network: unexpected 'a', 'b'; .*'dense_1'",
    ),
    (lambda: NET.apply(PARAMS, {"a": 1}, X), StructureError, r"^state of another network: unexpected 'a'"),
    (lambda: NET.apply([1], STATE, X), StructureError, r"params of serial is a dict keyed by layer, received list"),
    (
        lambda: NET.apply(PARAMS, None, X),
        StructureError,
        r"state of serial is a dict keyed by layer, received NoneType",
    ),
    (
        lambda: serial(forgetful()).apply({}, {}, X),
        StructureError,
        r"^in 'forgetful': apply returned a state, but there was none",
    ),
    (
        lambda: serial(Dense(2), Reshape((3,))).init(KEY, (4,)),
        ShapeError,
        r"^in 'reshape': .* have 2 elements, .*\(3,\)",
    ),
    (lambda: serial(serial(Reshape((3,)))).init(KEY, (4,)), ShapeError, r"^in 'serial/reshape': "),
    (
        lambda: residual(Dense(2)).init(KEY, (4,)),
        ShapeError,
        r"the layer must keep the shape: expected \(batch, 4\), received \(batch, 2\)",
    ),
    (
        lambda: fanout(Dense(2), Reshape((2, 2))).init(KEY, (4,)),
        ShapeError,
        r"equally many axes, received shapes \(batch, 2\), \(batch, 2, 2\)",
    ),
    (
        lambda: fanout(Dense(2), Dense(3), merge="add").init(KEY, (4,)),
        ShapeError,
        r"add cannot combine shapes \(batch, 2\) and",
    ),
    (
        lambda: fanout(Dense(2), merge="concatenate"),
        ValueRangeError,
        r"unknown merge 'concatenate'\. Did you mean 'concat'\?",
    ),
    (lambda: fanout(Dense(2), merge=3), DtypeError, r"fanout: merge is a name, a function or None, received int 3"),
    (
        lambda: fanout(Dense(2), axis=0),
        ValueRangeError,
        r"fanout: axis 0 is the batch; expected another integer, received 0",
    ),
    (
        lambda: fanout(Dense(2), axis="x"),
        ValueRangeError,
        r"fanout: axis 0 is the batch; expected another integer, received 'x'",
    ),
    (lambda: fanout(), ValueRangeError, r"fanout needs at least one branch"),
    (
        lambda: parallel(Dense(2), Dense(2)).init(KEY, (4,)),
        ShapeError,
        r"parallel of 2 layers expects a tuple of 2 shapes, received \(4,\)",
    ),
    (
        lambda: parallel(Dense(2)).apply({}, {}, X),
        StructureError,
        r"parallel expects a tuple of 1 inputs, received one ndarray",
    ),
    (
        lambda: parallel(Identity()).apply({}, {}, (X, X)),
        StructureError,
        r"parallel expects a tuple of 1 inputs, received 2",
    ),
    (
        lambda: repeat(Dense(2), -1),
        ValueRangeError,
        r"repeat: n is a number of copies, expected an integer >= 0, received -1",
    ),
    (lambda: repeat(Dense(2), 1.5), ValueRangeError, r"repeat: n is a number of copies"),
    (
        lambda: serial(Dense(2, name="a"), named("a", Dense(2))),
        StructureError,
        r"two layers are named 'a'\. Give them different",
    ),
    (
        lambda: serial(Dense),
        StructureError,
        r"serial: argument 0 is a function, expected a Layer\. Call it \(Dense\(\.\.\.\)\)",
    ),
    (
        lambda: serial(Dense(2), np.tanh),
        StructureError,
        r"serial: argument 1 is a ufunc, .*wrap it: Activation\(tanh\)",
    ),
    (
        lambda: serial([Dense(2)], Dense(3)),
        StructureError,
        r"serial: argument 0 is a list, expected a Layer\. Unpack it: serial\(\*layers\)",
    ),
    (lambda: serial((len, len)), StructureError, r"serial: argument 0 is a tuple, .*Wrap it: Layer\(init, apply\)"),
    (lambda: residual(3), StructureError, r"residual: argument 0 is a int, expected a Layer\. Layers are made by"),
    (lambda: repeat(Dense, 2), StructureError, r"repeat: argument 0 is a function"),
    (lambda: named("a", 3), StructureError, r"named: argument 0 is a int"),
    (lambda: named("a/b", Dense(2)), StructureError, r"non-empty string without '/', received 'a/b'"),
]


@pytest.mark.parametrize(("wrong", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors_say_where_and_what_was_expected(wrong: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        wrong()
    assert len(str(caught.value).splitlines()) <= 3
