"""Attention by CUDA kernels, run by the checker: what the CPU's kernels give, forward and back."""

from __future__ import annotations

import numpy as np
import pytest

import fnet.device
from fnet.ops import attention
from tests.devices.cuda.unloaded import Unloaded


def check(received: list[np.ndarray], expected: list[np.ndarray], scale_of_scores: float = 1) -> None:
    """To a few roundings of the largest, or of scores."""
    for a, b in zip(received, expected, strict=True):
        scale = np.max(np.abs(b[np.isfinite(b)]), initial=max(1, scale_of_scores))
        np.testing.assert_allclose(a, b, rtol=0, atol=64 * np.finfo(b.dtype).eps * scale)


def check_all(
    queries: int, keys: int, depth: int, value_depth: int, *, batch: int = 1, heads: int = 1, causal: bool = False,
    mask: tuple[int, ...] = (), rate: float = 0.0, dtype: str = "float32", scale: float = 0.7,
) -> None:  # fmt: skip
    """Forward, and all gradients from what it saved; mask: the shape of one that hides about a third."""
    rng = np.random.default_rng(0)

    def numbers(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(dtype)

    # Scores rise from key to key, so that each tile of keys has a new maximum.
    q, k = np.abs(numbers(batch, queries, heads, depth)), np.sort(numbers(batch, keys, heads, depth), axis=1)
    v, g = numbers(batch, keys, heads, value_depth), numbers(batch, queries, heads, value_depth)
    seen = rng.random(mask) < 0.7
    if mask and mask[2] > 1:
        seen[..., -1, :] = False
    operands = [q, k, v, *[seen] * bool(mask), *[np.array([7, 9], np.uint32)] * bool(rate)]
    params = {"scale": scale, "causal": causal, "rate": rate, "masked": bool(mask), "precision": "highest"}
    received = Unloaded().compute(attention._attention, *operands, **params)
    o, logsum = fnet.device.cpu().compute(attention._attention, operands, params)
    natural = (logsum * np.log(2)).astype(dtype)
    check(received, [o, natural], scale)
    expected = fnet.device.cpu().compute(attention._attention_vjp, [*operands, o, logsum, g], params)
    check(Unloaded().compute(attention._attention_vjp, *operands, o, natural, g, **params), expected, scale)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("queries, keys", [(1, 1), (3, 33), (9, 5), (1, 40)])
def test_queries_and_keys(queries, keys, causal):
    check_all(queries, keys, 3, 2, causal=causal)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shape", [(2, 2, 3, 5), (1, 2, 1, 5), (2, 1, 3, 1)])
def test_masks_and_queries_that_see_nothing(shape, causal):
    check_all(3, 5, 2, 3, batch=2, heads=2, mask=shape, causal=causal)


@pytest.mark.parametrize("keys", [4, 6])
def test_dropout_drops_what_the_cpu_drops(keys):
    check_all(3, keys, 2, 2, heads=2, rate=0.4)


@pytest.mark.parametrize("depth, value_depth", [(33, 1), (1, 33), (2, 130), (130, 2)])
def test_depths(depth, value_depth):
    check_all(1, 2, depth, value_depth, scale=0.1)


def test_float64_keeps_its_digits():
    check_all(2, 3, 3, 2, dtype="float64", causal=True, rate=0.3)


@pytest.mark.parametrize("queries, keys", [(0, 3), (3, 0)])
def test_no_queries_and_no_keys(queries, keys):
    check_all(queries, keys, 2, 2)


def test_scores_without_finite_exponentials():
    """Scores of hundreds: the running maximum keeps weights finite."""
    check_all(2, 40, 3, 2, scale=300.0)


@pytest.mark.slow
@pytest.mark.parametrize("causal", [False, True])
def test_several_panels(causal):
    check_all(35, 66, 5, 4, heads=2, causal=causal, mask=(1, 2, 35, 66), rate=0.2)
