"""Attention by CUDA kernels, run by the checker: what the CPU's kernels give, forward and back."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import fnet.device
from fnet.devices.cuda.lower import attention as rules
from fnet.ops import attention
from tests.devices.cuda.unloaded import Unloaded

BOUNDS = {"high": 3e-5, "medium": 1.6e-2}
"""What results may be off by in their norm: somewhat more than a product, since several follow each other."""


def check(received: list[np.ndarray], expected: list[np.ndarray], scale_of_scores: float, level: str) -> None:
    """To a few roundings of the largest, or of scores; at lower levels of precision in the norm."""
    for a, b in zip(received, expected, strict=True):
        finite = np.isfinite(b)
        np.testing.assert_array_equal(np.isfinite(a), finite)
        if level == "highest":
            scale = np.max(np.abs(b[finite]), initial=max(1, scale_of_scores))
            np.testing.assert_allclose(a, b, rtol=0, atol=64 * np.finfo(b.dtype).eps * scale)
        else:
            assert np.linalg.norm(a[finite] - b[finite]) <= BOUNDS[level] * np.linalg.norm(b[finite])


def check_all(
    queries: int, keys: int, depth: int, value_depth: int, *, batch: int = 1, heads: int = 1, causal: bool = False,
    mask: tuple[int, ...] = (), rate: float = 0.0, dtype: str = "float32", scale: float = 0.7, level: str = "highest",
) -> Counter[str]:  # fmt: skip
    """Forward, and all gradients from what it saved; gives the kernels. mask: the shape of one that hides a third."""
    rng = np.random.default_rng(0)

    def numbers(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(dtype)

    q, k = numbers(batch, queries, heads, depth), numbers(batch, keys, heads, depth)
    if level == "highest":  # scores rise from key to key, so that each tile of keys has a new maximum
        q, k = np.abs(q), np.sort(k, axis=1)
    v, g = numbers(batch, keys, heads, value_depth), numbers(batch, queries, heads, value_depth)
    seen = rng.random(mask) < 0.7
    if mask and mask[2] > 1:
        seen[..., -1, :] = False
    operands = [q, k, v, *[seen] * bool(mask), *[np.array([7, 9], np.uint32)] * bool(rate)]
    params = {"scale": scale, "causal": causal, "rate": rate, "masked": bool(mask), "precision": level}
    exact, cuda = {**params, "precision": "highest"}, Unloaded()
    received = cuda.compute(attention._attention, *operands, **params)
    o, logsum = fnet.device.cpu().compute(attention._attention, operands, exact)
    natural = (logsum * np.log(2)).astype(dtype)
    check(received, [o, natural], scale, level)
    expected = fnet.device.cpu().compute(attention._attention_vjp, [*operands, o, logsum, g], exact)
    check(cuda.compute(attention._attention_vjp, *operands, o, natural, g, **params), expected, scale, level)
    return cuda.launched


@pytest.mark.parametrize(("queries", "keys", "causal"), [(9, 5, True), (18, 3, False)])
def test_queries_and_keys(queries, keys, causal):
    check_all(queries, keys, 3, 2, causal=causal)


@pytest.mark.parametrize(("shape", "causal"), [((1, 2, 3, 5), False), ((1, 1, 1, 5), True), ((2, 1, 3, 1), False)])
def test_masks_and_queries_that_see_nothing(shape, causal):
    check_all(3, 5, 2, 3, batch=shape[0], heads=shape[1], mask=shape, causal=causal)


def test_dropout_drops_what_the_cpu_drops():
    check_all(3, 6, 2, 2, heads=2, rate=0.4)


def test_float64_keeps_its_digits():
    check_all(2, 3, 3, 2, dtype="float64", causal=True, rate=0.3)


@pytest.mark.parametrize("queries, keys", [(0, 3), (3, 0)])
def test_no_queries_and_no_keys(queries, keys):
    check_all(queries, keys, 2, 2)


@pytest.mark.slow
def test_scores_without_finite_exponentials():
    """Scores of hundreds: the running maximum keeps weights finite."""
    check_all(2, 80, 3, 2, scale=300.0)


@pytest.mark.slow
@pytest.mark.parametrize("depth, value_depth", [(33, 1), (1, 33), (2, 130), (130, 2)])
def test_depths(depth, value_depth):
    check_all(1, 2, depth, value_depth, scale=0.1)


@pytest.fixture
def whole_tiles(monkeypatch):
    """Blocks have as many rows as they can, as where there are many of them."""
    monkeypatch.setattr(rules, "ENOUGH", 1)


@pytest.fixture
def short_parts(monkeypatch):
    """Rows are cut into parts of a tile, as long ones are into parts of several."""
    monkeypatch.setattr(rules, "PART", 64)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("level", "queries", "keys", "depth", "value_depth", "more"),
    [
        ("highest", 65, 66, 6, 5, {"causal": True}),
        ("highest", 9, 17, 3, 68, {"causal": True, "rate": 0.2}),
        ("high", 16, 17, 65, 17, {"causal": True, "rate": 0.2}),
        ("medium", 17, 66, 16, 17, {"mask": (1, 1, 17, 66), "rate": 0.3}),
    ],
)
def test_tiles(whole_tiles, level, queries, keys, depth, value_depth, more):
    check_all(queries, keys, depth, value_depth, level=level, scale=0.2, **more)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "queries", "keys", "depth", "more"),
    [(256, 1, 70, 20, {}), (16, 3, 9, 65, {"causal": True}), (256, 2, 35, 7, {"mask": (1, 1, 2, 35), "rate": 0.3})],
)
def test_few_queries(monkeypatch, part, queries, keys, depth, more):
    monkeypatch.setattr(rules, "PART", part)
    check_all(queries, keys, depth, depth + 1, scale=0.2, **more)


@pytest.mark.slow
def test_parts(short_parts):
    launched = check_all(128, 129, 2, 3, scale=0.2, causal=True)
    assert launched["merge_parts"] == 1 and launched["sum_parts"] == 3


def test_the_rule_for_tiles():
    """Rows of a block: as many as there are enough blocks for; parts where there still are too few."""
    layout = {"depth": 64, "value_depth": 64, "queries": 4096, "keys": 4096, "dropped": 0}
    way = rules.forward_way(layout, np.dtype("float32"), "highest")
    assert way.each * way.most == 64 and way.kernel.__name__ == "attention_64"
    assert rules.cut(16, 4096, 4096, way) == (1024, 8, 4096, 1)
    assert rules.cut(4, 64, 64, way) == (16, 2, 64, 1)
    assert rules.cut(16, 16, 4096, way) == (16, 2, 768, 6)
    few = rules.forward_way({**layout, "queries": 1}, np.dtype("float32"), "medium")
    assert few.kernel.__name__ == "few_queries_64" and rules.cut(16, 1, 4096, few) == (16, 8, 192, 22)


@pytest.mark.parametrize("level", ["high", "medium"])
def test_tensor_cores(level):
    launched = check_all(16, 17, 16, 16, level=level, causal=True, rate=0.3, scale=0.2)
    assert {f"{level}_64", f"{level}_of_queries_64", f"{level}_of_keys_64"} <= set(launched)
