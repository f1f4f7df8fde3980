"""`fnet.ops.dot_product_attention`: its rules under every transform, its arguments, its errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import ops
from fnet.errors import DtypeError, ShapeError, StructureError, ValueRangeError
from fnet.ops.attention import _materialized
from fnet.testing import check_grads
from fnet.testing.strategies import sliced, transposed

COVERED = {"dot_product_attention"}

KEY = fnet.random.key(5)
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "causal": {"causal": True},
    "scale": {"scale": -0.7},
    "mask": {"mask": True},
    "dropout": {"rate": 0.3, "key": KEY},
    "everything": {"causal": True, "scale": 0.5, "mask": True, "rate": 0.4, "key": KEY},
}
EACH = pytest.mark.parametrize("case", CASES)


def drawn(batch: int = 2, queries: int = 5, keys: int = 7, heads: int = 2, dtype: Any = "float64") -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = (batch, queries, heads, 4), (batch, keys, heads, 4), (batch, keys, heads, 3)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def options(case: str, batch: int = 2, queries: int = 5, keys: int = 7) -> dict[str, Any]:
    chosen = dict(CASES[case])
    if chosen.get("mask"):
        mask = np.random.default_rng(1).random((batch, 1, queries, keys)) < 0.6
        mask[0, 0, 1] = False
        chosen["mask"] = mask
    return chosen


def attend(case: str) -> Any:
    return lambda q, k, v: ops.dot_product_attention(q, k, v, **options(case))


@EACH
def test_equals_plain_operations(case: str) -> None:
    q, k, v = drawn()
    chosen = options(case)
    more = [chosen[name] for name in ("mask", "key") if name in chosen]
    params = {"scale": chosen.get("scale", 0.5), "causal": chosen.get("causal", False), "masked": "mask" in chosen}
    expected, pull = fnet.vjp(lambda *x: _materialized(*x, *more, rate=chosen.get("rate", 0.0), **params), q, k, v)
    y, pull_y = fnet.vjp(attend(case), q, k, v)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-14)
    g = np.random.default_rng(2).normal(size=y.shape)
    for got, wanted in zip(pull_y(g), pull(g), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-13)


@EACH
def test_derivatives_of_first_and_second_order(case: str) -> None:
    check_grads(attend(case), *drawn(batch=2, queries=5, keys=7), order=2)


@EACH
def test_jit_gives_the_bits_of_eager_execution(case: str) -> None:
    arrays = drawn(dtype="float32")

    def both(q: Any, k: Any, v: Any) -> Any:
        y, pull = fnet.vjp(attend(case), q, k, v)
        return y, pull(y)

    for got, expected in zip(fnet.tree.leaves(fnet.jit(both)(*arrays)), fnet.tree.leaves(both(*arrays)), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_traced_masks_and_keys() -> None:
    q, k, v = drawn(dtype="float32")
    mask = np.random.default_rng(1).random((7,)) < 0.5

    def drop(q: Any, mask: Any, key: Any) -> Any:
        return ops.dot_product_attention(q, k, v, mask, rate=0.2, key=key)

    np.testing.assert_array_equal(fnet.jit(drop)(q, mask, KEY), drop(q, mask, KEY))


def test_shapes_are_told_without_computing() -> None:
    spec = fnet.eval_shape(ops.dot_product_attention, *drawn(dtype="float32"))
    assert str(spec) == "float32[2, 5, 2, 3]"


@pytest.mark.parametrize("layout", [transposed, sliced])
def test_memory_layout_changes_no_bit(layout: Any) -> None:
    q, k, v = drawn()
    expected = attend("plain")(q, k, v)
    np.testing.assert_array_equal(attend("plain")(*map(layout, (q, k, v))), expected)
    views = fnet.jit(lambda q, k, v: attend("plain")(*(np.swapaxes(x, 1, 3) for x in (q, k, v))))
    np.testing.assert_array_equal(views(*(np.swapaxes(x, 1, 3).copy() for x in (q, k, v))), expected)


@pytest.mark.parametrize("shape", [(7,), (5, 1), (2, 1, 7), (2, 2, 5, 7), (2, 1, 1, 7), (1, 2, 5, 1)])
def test_masks_broadcast(shape: tuple[int, ...]) -> None:
    q, k, v = drawn()
    mask = np.random.default_rng(3).random(shape) < 0.5
    full = np.broadcast_to(mask, (2, 2, 5, 7)).copy()
    np.testing.assert_array_equal(ops.dot_product_attention(q, k, v, mask), ops.dot_product_attention(q, k, v, full))


def test_dropout_is_that_of_the_matrix_of_weights() -> None:
    q, k, v = drawn(keys=8)
    v = np.broadcast_to(np.eye(8)[:, None], (2, 8, 2, 8)).copy()
    weights = np.moveaxis(ops.dot_product_attention(q, k, v), 2, 1)
    dropped = np.moveaxis(ops.dot_product_attention(q, k, v, rate=0.4, key=KEY), 2, 1)
    np.testing.assert_allclose(dropped, ops.dropout(weights.copy(), KEY, 0.4), rtol=1e-14)
    assert 0.2 < np.mean(dropped == 0) < 0.6
    np.testing.assert_array_equal(ops.dot_product_attention(q, k, v, rate=1.0, key=KEY), 0)


def test_empty_axes() -> None:
    for sizes in ({"batch": 0}, {"queries": 0}, {"keys": 0}, {"heads": 0}):
        q, k, v = drawn(**sizes)
        y, pull = fnet.vjp(ops.dot_product_attention, q, k, v)
        assert y.shape == (*q.shape[:3], 3)
        assert not y.any()
        for gradient, x in zip(pull(np.ones_like(y)), (q, k, v), strict=True):
            assert gradient.shape == x.shape
            assert not gradient.any()


def test_integers_become_floats_and_dtypes_are_promoted() -> None:
    q, k, v = drawn(dtype="float32")
    assert ops.dot_product_attention(q, k, v.astype("float64")).dtype == np.float64
    assert ops.dot_product_attention(*(np.ones((1, 2, 1, 4), "int32") for _ in range(3))).dtype.kind == "f"


def test_errors() -> None:
    q, k, v = drawn()
    with pytest.raises(ShapeError, match=r"expected q \(B, T, H, D\), k \(B, S, H, D\), v \(B, S, H, E\), received "):
        ops.dot_product_attention(q, k[..., :3], v)
    with pytest.raises(ShapeError, match=r"received \(2, 5, 2, 4\), \(2, 7, 2, 4\), \(2, 6, 2, 3\)"):
        ops.dot_product_attention(q, k, v[:, :6])
    with pytest.raises(ShapeError, match=r"received \(2, 5, 2\), "):
        ops.dot_product_attention(q[..., 0], k, v)
    with pytest.raises(DtypeError, match=r"the mask is boolean, true where a query sees a key, received float64\[7\]"):
        ops.dot_product_attention(q, k, v, np.ones(7))
    with pytest.raises(ShapeError, match=r"broadcast to \(B, H, T, S\) = \(2, 2, 5, 7\), received \(6,\)"):
        ops.dot_product_attention(q, k, v, np.ones(6, bool))
    with pytest.raises(ValueRangeError, match=r"expected 0 <= rate <= 1, received 1\.5"):
        ops.dot_product_attention(q, k, v, rate=1.5, key=KEY)
    with pytest.raises(StructureError, match=r"dropout needs a key"):
        ops.dot_product_attention(q, k, v, rate=0.5)
