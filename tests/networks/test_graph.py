"""Graphs: layers called on symbolic inputs give the networks that combinators give, and mistakes are explained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import Input, Layer, fanout, graph, losses, random, residual, serial, tree
from fnet.errors import DtypeError, ShapeError, StructureError, TracingError
from fnet.layers import (
    LSTM,
    Add,
    BatchNormalization,
    Concatenate,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    add,
    concatenate,
)

KEY = random.key(0)


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape).astype("float32")


def gradients(net: Layer, params: Any, state: Any, x: Any) -> Any:
    def loss(params: Any) -> Any:
        y, _ = net.apply(params, state, x, key=KEY, train=True)
        return sum(losses.mean_squared_error(np.zeros(part.shape, "float32"), part) for part in tree.leaves(y))

    return fnet.grad(loss)(params)


def assert_same(one: Layer, params: Any, other: Layer, renamed: Any, x: Any) -> None:
    """Equal numbers and gradients, the trees having the same leaves in the same order."""
    state, other_state = one.init(KEY, shapes(x))[1], other.init(KEY, shapes(x))[1]
    for a, b in (
        (one.apply(params, state, x)[0], other.apply(renamed, other_state, x)[0]),
        (gradients(one, params, state, x), gradients(other, renamed, other_state, x)),
    ):
        for left, right in zip(tree.leaves(a), tree.leaves(b), strict=True):
            np.testing.assert_array_equal(left, right)


def shapes(x: Any) -> Any:
    return tree.map(lambda part: part.shape[1:], x)


def test_a_chain_is_serial() -> None:
    layers = [Dense(5, "relu"), BatchNormalization(), Dropout(0.3), Dense(2)]
    node = x = Input((4,))
    for layer in layers:
        node = layer(node)
    net, chain = graph(x, node), serial(*layers)
    params, state = net.init(KEY, (4,))
    assert tree.all_equal((params, state), chain.init(KEY, (4,)))
    assert_same(net, params, chain, params, normal(3, 4))


def test_branches_are_fanout() -> None:
    branches = [Dense(16, "relu"), Dense(8), Dense(16, "tanh")]
    x = Input((16,))
    net = graph(x, Dense(1)(concatenate([branch(x) for branch in branches])))
    chain = serial(fanout(*branches), Dense(1))
    params, _ = net.init(KEY, (16,))
    *entries, last = params.values()
    renamed = {"fanout": dict(zip(("dense", "dense_1", "dense_2"), entries, strict=True)), "dense": last}
    assert_same(net, params, chain, renamed, normal(3, 16))


@pytest.mark.parametrize("shape", [(6,), (3, 6), (2, 3, 6)])
def test_a_skip_on_any_rank_is_residual(shape: tuple[int, ...]) -> None:
    body = Dense(6, "tanh")
    x = Input(shape)
    net = graph(x, add([x, body(x)]))
    params, _ = net.init(KEY, shape)
    assert_same(net, params, residual(body), params, normal(2, *shape))
    joined = graph(x, Concatenate()([x, Dense(2)(x)]))
    assert joined.out_shape(shape) == (*shape[:-1], 8)


def test_a_shared_layer_has_one_entry_and_summed_gradients() -> None:
    shared = Dense(3)
    a, b = Input((4,), name="a"), Input((4,), name="b")
    net = graph([a, b], Add()([shared(a), shared(b)]))
    params, state = net.init(KEY, ((4,), (4,)))
    assert list(params) == ["dense"]
    x = (normal(2, 4), 2 * normal(2, 4))
    whole = gradients(net, params, state, x)["dense"]["kernel"]
    y = net.apply(params, state, x)[0]
    g = 2 * y / y.size
    np.testing.assert_allclose(whole, x[0].T @ g + x[1].T @ g, rtol=1e-5)


def test_a_shared_model_and_a_nested_graph() -> None:
    inner_x = Input((4,))
    inner = fnet.named("encoder", graph(inner_x, Dense(3, "tanh")(Dense(5)(inner_x))))
    a, b = Input((4,)), Input((4,))
    net = graph((a, b), concatenate([inner(a), inner(b)]))
    params, state = net.init(KEY, ((4,), (4,)))
    assert {k: list(v) for k, v in params.items()} == {"encoder": ["dense", "dense_1"]}
    x = (normal(2, 4), -normal(2, 4))
    y = net.apply(params, state, x)[0]
    parts = [inner.apply(params["encoder"], {}, part)[0] for part in x]
    np.testing.assert_array_equal(y, np.concatenate(parts, -1))


def ticket() -> Layer:
    title = Input((None,), dtype="int32", name="title")
    body = Input((None,), dtype="int32", name="body")
    tags = Input((12,), name="tags")
    parts = [LSTM(8)(Embedding(50, 6)(title)), LSTM(4)(Embedding(50, 6)(body)), tags]
    x = concatenate(parts)
    return graph(
        [title, body, tags],
        {"priority": Dense(1, "sigmoid", name="priority")(x), "department": Dense(4, name="the department")(x)},
    )


def test_several_inputs_and_outputs_by_place_and_by_name() -> None:
    net = ticket()
    params, state = net.init(KEY, ((None,), (None,), (12,)))
    assert list(params) == ["embedding", "lstm", "embedding_1", "lstm_1", "priority", "the department"]
    rng = np.random.default_rng(0)
    x = {"title": rng.integers(0, 50, (3, 7)), "body": rng.integers(0, 50, (3, 9)), "tags": normal(3, 12)}
    by_name, _ = net.apply(params, state, {name: x[name] for name in ("tags", "body", "title")})
    by_place, _ = net.apply(params, state, list(x.values()))
    assert {name: y.shape for name, y in by_name.items()} == {"priority": (3, 1), "department": (3, 4)}
    assert tree.all_equal(by_name, by_place)
    longer, _ = net.apply(params, state, {**x, "title": rng.integers(0, 50, (3, 2))})
    assert longer["priority"].shape == (3, 1)


def test_jit_gives_the_same() -> None:
    net = ticket()
    params, state = net.init(KEY, ((None,), (None,), (12,)))
    x = (np.ones((2, 3), int), np.ones((2, 4), int), normal(2, 12))
    compiled = fnet.jit(lambda params, x: net.apply(params, state, x)[0])
    for a, b in zip(tree.leaves(compiled(params, x)), tree.leaves(net.apply(params, state, x)[0]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_outputs_keep_their_form_and_an_input_can_be_one() -> None:
    x = Input((3,))
    y = Dense(2)(x)
    params, _ = graph(x, y).init(KEY, (3,))
    for outputs, expected in (([x, y], tuple), ((x, y), tuple), ({"x": x, "y": y}, dict)):
        result = graph(x, outputs).apply(params, {}, normal(2, 3))[0]
        assert type(result) is expected and len(result) == 2


def test_a_part_of_a_graph_is_a_network() -> None:
    x = Input((4,))
    hidden = Dense(3, "tanh", name="body")(x)
    y = Dense(2, name="head")(hidden)
    params, _ = graph(x, y).init(KEY, (4,))
    body, head = graph(x, hidden), graph(hidden, y)
    z, _ = body.apply({"body": params["body"]}, {}, normal(5, 4))
    whole, _ = graph(x, y).apply(params, {}, normal(5, 4))
    np.testing.assert_array_equal(head.apply({"head": params["head"]}, {}, z)[0], whole)


def test_layers_with_several_outputs() -> None:
    x = Input((5, 3))
    sequence, h, c = LSTM(4, return_sequences=True, return_state=True)(x)
    net = graph(x, LSTM(4)((sequence, h, c)))
    params, state = net.init(KEY, (5, 3))
    assert net.apply(params, state, normal(2, 5, 3))[0].shape == (2, 4)


@given(
    st.lists(st.tuples(st.sampled_from("+-*/"), st.booleans(), st.integers(1, 4)), min_size=1, max_size=5),
)
def test_arithmetic_on_nodes_is_that_on_arrays(steps: list[tuple[str, bool, int]]) -> None:
    def compute(x: Any) -> Any:
        y = x
        for sign, swap, number in steps:
            a, b = (y, float(number)) if number > 1 else (y, x)
            a, b = (b, a) if swap else (a, b)
            y = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b}[
                sign
            ](a, b)
        return -y[:, 1:]

    node, x = Input((3,)), 1 + np.abs(normal(2, 3).astype("float64"))
    with np.errstate(all="ignore"):
        expected = compute(x)
    np.testing.assert_allclose(graph(node, compute(node)).apply({}, {}, x)[0], expected, rtol=1e-13)


def test_powers_of_nodes() -> None:
    node, x = Input((3,)), 1 + np.abs(normal(2, 3))
    np.testing.assert_allclose(graph(node, node**2 + node**node).apply({}, {}, x)[0], x**2 + x**x, rtol=1e-5)


def test_numbers_per_sample_fit_inputs_of_size_one() -> None:
    x, scalar = Input((1,)), Input(())
    params, _ = graph(x, Dense(2)(x)).init(KEY, (1,))
    assert graph(x, Dense(2)(x)).apply(params, {}, normal(4))[0].shape == (4, 2)
    assert graph(scalar, scalar * 2.0).apply({}, {}, normal(4, 1))[0].shape == (4,)


def test_a_call_needs_no_computation_and_shows_shapes() -> None:
    x = Input((None, 3), name="text")
    y = LSTM(100_000)(x)
    assert (x.shape, y.shape, y.dtype, y.ndim) == ((None, None, 3), (None, 100_000), np.float32, 2)
    assert (
        repr(x) == "<Input 'text': float32 (None, None, 3)>" and repr(y) == "<output of lstm: float32 (None, 100000)>"
    )
    assert repr(graph(x, y)) == "graph(LSTM(units=100000))"


def cyclic() -> Layer:
    x = Input((3,))
    first = Dense(3)(x)
    second = Dense(3, name="again")(first)
    first.call.inputs = second  # as a damaged file might say
    return graph(x, second)


def of_two() -> Layer:
    a, b = Input((3,), name="left"), Input((3,), name="right")
    return graph([a, b], add([a, b]))


ERRORS: list[tuple[Any, type, str]] = [
    (
        lambda: graph(Input((3,)), Dense(2)(Input((3,)))),
        StructureError,
        r"outputs depend on <Input: float32 \(None, 3\)>, .*Add it",
    ),
    (
        lambda: graph([x := Input((3,)), Input((2,), name="tags")], Dense(2)(x)),
        StructureError,
        "no output depends on the input 'tags'",
    ),
    (lambda: graph([x := Input((3,)), x], x), StructureError, "an input is given twice"),
    (
        lambda: graph([a := Input((3,), name="t"), b := Input((3,), name="t")], a + b),
        StructureError,
        "two inputs are named 't'",
    ),
    (lambda: graph([], Input((3,))), StructureError, "graph inputs: expected nodes of a graph, received none"),
    (
        lambda: graph(Input((3,)), np.ones(3)),
        StructureError,
        r"graph outputs: expected nodes of a graph, received ndarray. For arrays",
    ),
    (cyclic, StructureError, "a cycle cannot be computed: again -> dense -> again"),
    (
        lambda: Dense(2)(np.ones((1, 3))),
        TracingError,
        r"Dense: a layer is called on symbolic inputs .*For arrays: net.apply",
    ),
    (
        lambda: LSTM(2)(Input((3, 4)), initial_state=[Input((2,))]),
        TypeError,
        r"LSTM: a layer is called on its inputs alone, received initial_state=: .*layer\(\(x, h\)\)",
    ),
    (lambda: Dense(2)(Input((3,)), training=True), TypeError, r"Dense: .*received training=: net.apply\(.*train=True"),
    (lambda: Dense(2)(Input((3,)), units=2), TypeError, r"received units=: its configuration goes to its constructor"),
    (lambda: Input((3,), "float3"), DtypeError, "unknown element type 'float3'"),
    (lambda: Add()([Input((3,)), 2.0]), StructureError, "Add: expected nodes of a graph, received float"),
    (lambda: np.tanh(Input((3,))), TypeError, "has no values yet, so np.tanh cannot compute"),
    (lambda: np.sum(Input((3,))), (TracingError, TypeError), "."),
    (lambda: np.asarray(Input((3,))), TracingError, r"<Input: float32 \(None, 3\)> has no values yet"),
    (lambda: bool(Input((3,))), TracingError, "cannot decide an if"),
    (lambda: list(Input((3,))), TracingError, "cannot be taken apart"),
    (lambda: setattr(Input((3,)), "name", "x"), AttributeError, "read-only"),
    (lambda: Input(((3,), (4,))), ShapeError, "Input has one shape"),
    (lambda: Input(3), ShapeError, r"a shape is a tuple of sizes .*\(3,\)"),
    (lambda: Input((3,), name="a/b"), StructureError, "non-empty string without '/'"),
    (
        lambda: LSTM(4)(Input((3,))),
        ShapeError,
        r"in 'lstm': LSTM expects .*received \(3,\)(.|\n)*The layer is LSTM\(units=4\)",
    ),
    (lambda: concatenate([Input((3, 2)), Input((4, 5))]), ShapeError, r"in 'concatenate'"),
    (
        lambda: of_two().init(KEY, (3,)),
        StructureError,
        "expected 2 shapes for the inputs 'left', 'right', received one",
    ),
    (
        lambda: of_two().init(KEY, ((3,), (4,))),
        ShapeError,
        r"expected the shape \(3,\) for the input 'right', received \(4,\)",
    ),
    (lambda: of_two().apply({}, {}, np.ones((1, 3))), StructureError, "expected 2 arrays .*received one. Give a tuple"),
    (lambda: of_two().apply({}, {}, (np.ones((1, 3)),)), StructureError, "expected 2 arrays .*received 1"),
    (
        lambda: of_two().apply({}, {}, (np.ones((1, 3)), np.ones((1, 4)))),
        ShapeError,
        r"expected \(None, 3\) for the input 'right', None for any size, received \(1, 4\)",
    ),
    (
        lambda: of_two().apply({}, {}, (np.ones((1, 1, 3)), np.ones((1, 3)))),
        ShapeError,
        r"expected \(None, 3\) for the input 'left', None for any size, received \(1, 1, 3\)",
    ),
    (
        lambda: of_two().apply({}, {}, {"left": 1, "rigth": 2}),
        StructureError,
        "missing 'right', unexpected 'rigth'. Did you mean 'right'",
    ),
]


@pytest.mark.parametrize(("wrong", "error", "text"), ERRORS, ids=[str(i) for i in range(len(ERRORS))])
def test_errors_say_what_was_expected(wrong: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        wrong()
    assert len(str(caught.value).splitlines()) <= 3


def test_a_shape_error_within_a_network_names_path_and_layer() -> None:
    net = serial(Flatten(), fnet.named("the body", serial(Dense(3), LSTM(2))))
    with pytest.raises(ShapeError, match=r"in 'the body/lstm': .*received \(3,\)(.|\n)*The layer is LSTM\(units=2\)"):
        net.init(KEY, (2, 2))


def test_a_trainer_takes_the_shape_from_the_graph() -> None:
    x = Input((3,))
    trainer = fnet.Trainer(graph([x], [Dense(2)(x)]), "mse")
    assert trainer.init(KEY).params["dense"]["kernel"].shape == (3, 2)
    with pytest.raises(ShapeError, match="give the shape of one sample"):
        fnet.Trainer(Dense(2), "mse").init(KEY)
