"""Embedding: a table lookup like a product with one-hot vectors, gradients that add up, and mistakes found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import Input, graph, tree
from fnet.errors import DtypeError, ShapeError, StructureError, ValueRangeError
from fnet.layers import Embedding, ReversibleEmbedding

KEY = fnet.random.key(3)
IDS = np.array([[0, 6, 6, 2], [5, 6, 0, 0]])


def made(dtype: str = "float64") -> tuple[Any, Any]:
    layer = Embedding(7, 3)
    return layer, layer.init(KEY, (4,), dtype)[0]


def test_parameters() -> None:
    params, state = Embedding(1000, 20).init(KEY, (None,))
    assert list(params) == ["embeddings"] and not state
    table = params["embeddings"]
    assert table.shape == (1000, 20) and table.dtype == np.float32
    assert -0.05 <= table.min() < -0.049 and 0.049 < table.max() < 0.05
    assert Embedding(4, 2, "ones").init(KEY, ())[0]["embeddings"].tolist() == [[1, 1]] * 4
    assert Embedding(4, 2).name == "embedding"


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint64", "int64", "float32"])
def test_it_is_a_product_with_one_hot_vectors(dtype: str) -> None:
    layer, params = made()
    expected = np.eye(7)[IDS] @ params["embeddings"]
    for apply in (layer.apply, fnet.jit(layer.apply)):
        np.testing.assert_array_equal(apply(params, {}, IDS.astype(dtype))[0], expected)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (None, 5)])
def test_shapes(shape: Any) -> None:
    assert Embedding(7, 3).out_shape(shape) == (*shape, 3)


def test_the_gradient_of_a_row_is_the_sum_over_its_uses() -> None:
    layer, params = made()
    y, pull = fnet.vjp(lambda p: layer.apply(p, {}, IDS)[0], params)
    g = np.random.default_rng(0).normal(size=y.shape)
    expected = np.zeros((7, 3))
    np.add.at(expected, IDS.ravel(), g.reshape(-1, 3))
    np.testing.assert_array_equal(pull(g)[0]["embeddings"], expected)


def test_under_jit_rows_of_unknown_integers_are_nan() -> None:
    layer, params = made()
    for wrong in (np.array([[1, 7, -1]]), np.array([[1, 200, 255]], np.uint8), np.array([[1, -7, 9]], np.int8)):
        y = fnet.jit(layer.apply)(params, {}, wrong)[0]
        assert np.isnan(y).all(-1).tolist() == [[False, True, True]]


def test_a_table_can_be_given() -> None:
    table = np.arange(21.0).reshape(7, 3)
    for layer in (Embedding(7, 3, weights=table), Embedding(7, 3, weights=[table]), Embedding(7, 3, table)):
        params, _ = layer.init(KEY, (4,))
        np.testing.assert_array_equal(params["embeddings"], table)
        assert params["embeddings"].dtype == np.float32 and not np.shares_memory(params["embeddings"], table)


ERRORS = [
    (lambda: Embedding(7, 3, weights=3), StructureError, r"weights is an array \(input_dim, .*, received int"),
    (lambda: Embedding(7, 3, weights=np.ones(3)), StructureError, r"weights is an array .*, received shape \(3,\)"),
    (
        lambda: Embedding(7, 3, weights=np.ones((6, 3))).init(KEY, ()), ShapeError,
        r"the array given as initializer must have shape \(7, 3\), received \(6, 3\)",
    ),
    (lambda: Embedding(0, 3), ValueRangeError, "Embedding: input_dim is a positive integer, received 0"),
    (lambda: Embedding(7, 2.0), DtypeError, "Embedding: output_dim is a positive integer, received float 2.0"),
    (
        lambda: made()[0].apply(made()[1], {}, np.array([[1, 2], [7, 0]])), ValueRangeError,
        r"Embedding: 7 at position \(1, 0\) is outside of the table of 7 rows: expected 0 to 6\. Check the",
    ),
    (lambda: made()[0].apply(made()[1], {}, [[-1.0]]), ValueRangeError, r"-1 at position \(0, 0\) is outside"),
    (lambda: made()[0].apply({}, {}, IDS), StructureError, "Embedding: .*missing 'embeddings'"),
    (lambda: Embedding(7, 3).init(KEY, ((2,), (3,))), ShapeError, "Embedding takes one input"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "error", "text"), ERRORS, ids=[text for *_, text in ERRORS])
def test_errors(wrong: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=text):
        wrong()


@pytest.mark.parametrize("tied", [True, False])
def test_a_table_is_read_both_ways(tied: bool) -> None:
    layer = ReversibleEmbedding(7, 3, tied, logit_soft_cap=2.0)
    params, state = layer.init(KEY, (5,))
    table = params["embeddings"].T if tied else params["reverse_embeddings"]
    h, _ = layer.apply(params, state, IDS)
    np.testing.assert_array_equal(h, params["embeddings"][IDS])
    y, _ = layer.apply(params, state, {"reverse": h})
    np.testing.assert_allclose(y, 2 * np.tanh(h @ table / 2), atol=1e-6)
    assert layer.out_shape((5,)) == (5, 3) and layer.out_shape({"reverse": (5, 3)}) == (5, 7)
    assert tree.all_equal(layer.init(KEY, {"reverse": (5, 3)}), (params, state))


@pytest.mark.slow
def test_scores_are_computed_in_the_dtype_that_is_asked_for() -> None:
    layer = ReversibleEmbedding(7, 3, reverse_dtype="float64", mask_zero=True)
    params, state = layer.init(KEY, (5,))
    h, _ = layer.apply(params, state, IDS)
    y, _ = layer.apply(params, state, {"reverse": h})
    assert h.mask.tolist() == (IDS != 0).tolist() and y.dtype == np.float64 and y.shape == (*IDS.shape, 7)


def test_one_entry_learns_from_both_uses() -> None:
    layer, ids = ReversibleEmbedding(7, 3), Input((2,), dtype="int64")
    net = graph(ids, layer({"reverse": layer(ids)}))
    params, state = net.init(KEY)
    assert list(params) == ["reversible_embedding"]
    g = fnet.grad(lambda p: np.sum(net.apply(p, state, np.array([[1, 2]]))[0]))(params)["reversible_embedding"]
    table = params["reversible_embedding"]["embeddings"]
    used = table[1] + table[2]  # the sum of E[x] E' has the gradient sum(E) in the rows x, and sum(E[x]) in all
    expected = np.tile(used, (7, 1)) + np.where(np.isin(np.arange(7), (1, 2))[:, None], table.sum(0), 0)
    np.testing.assert_allclose(g["embeddings"], expected, atol=1e-6)


def test_mistakes_in_the_other_way_are_told() -> None:
    layer = ReversibleEmbedding(7, 3)
    params, state = layer.init(KEY, (5,))
    with pytest.raises(ShapeError, match=r"expected vectors \(batch, \.\.\., 3\) for 'reverse', received \(2, 4\)"):
        layer.apply(params, state, {"reverse": np.ones((2, 4))})
    with pytest.raises(
        ValueRangeError, match=r"ReversibleEmbedding: 9 at position \(0,\) is outside of the table of 7"
    ):
        layer.apply(params, state, np.array([9]))
    with pytest.raises(ValueRangeError, match="logit_soft_cap"):
        ReversibleEmbedding(7, 3, logit_soft_cap=0.0)
