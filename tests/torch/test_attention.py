"""Attention beside PyTorch's: values and gradients, the whole multi-head layer with its weights moved over."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import ops
from fnet.layers import MultiHeadAttention

torch = pytest.importorskip("torch")
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-12}


def drawn(*shape: int, seed: int = 0, dtype: Any = np.float64) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def heads_first(x: np.ndarray) -> Any:
    return torch.tensor(np.ascontiguousarray(np.swapaxes(x, 1, 2)), requires_grad=True)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("rule", ["plain", "causal", "mask"])
@pytest.mark.parametrize("sizes", [(2, 5, 5, 2, 4, 4), (1, 70, 140, 3, 32, 32), (2, 33, 33, 1, 20, 20)])
def test_values_and_gradients(dtype: Any, rule: str, sizes: tuple[int, ...]) -> None:
    b, t, s, h, d, e = sizes
    shapes = (b, t, h, d), (b, s, h, d), (b, s, h, e), (b, t, h, e)
    q, k, v, g = (drawn(*shape, seed=i, dtype=dtype) for i, shape in enumerate(shapes))
    mask = np.random.default_rng(9).random((b, 1, t, s)) < 0.8 if rule == "mask" else None
    y, pull = fnet.vjp(lambda *x: ops.dot_product_attention(*x, mask, causal=rule == "causal"), q, k, v)
    operands = [heads_first(x) for x in (q, k, v)]
    expected = torch.nn.functional.scaled_dot_product_attention(
        *operands, None if mask is None else torch.tensor(mask), is_causal=rule == "causal"
    )
    gradients = torch.autograd.grad(expected, operands, torch.tensor(np.swapaxes(g, 1, 2).copy()))
    for got, wanted in zip((y, *pull(g)), (expected, *gradients), strict=True):
        wanted = np.swapaxes(wanted.detach().numpy(), 1, 2)
        np.testing.assert_allclose(got, wanted, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


def test_multi_head_attention() -> None:
    layer, theirs = MultiHeadAttention(2, 4, causal=True), torch.nn.MultiheadAttention(8, 2, batch_first=True).double()
    params, state = layer.init(fnet.random.key(0), (5, 8), "float64")
    params = fnet.tree.map(lambda p: p + 0.1, params)
    roles, x = ("query", "key", "value"), drawn(3, 5, 8)
    with torch.no_grad():
        theirs.in_proj_weight[:] = torch.tensor(np.concatenate([params[r]["kernel"].reshape(8, 8).T for r in roles]))
        theirs.in_proj_bias[:] = torch.tensor(np.concatenate([params[r]["bias"].ravel() for r in roles]))
        theirs.out_proj.weight[:] = torch.tensor(params["attention_output"]["kernel"].reshape(8, 8).T)
        theirs.out_proj.bias[:] = torch.tensor(params["attention_output"]["bias"])
    given = torch.tensor(x, requires_grad=True)
    future = torch.tensor(~np.tri(5, dtype=bool))
    expected, _ = theirs(given, given, given, attn_mask=future, need_weights=False)
    expected.square().sum().backward()
    y, pull = fnet.vjp(lambda p, x: layer.apply(p, state, x)[0], params, x)
    dp, dx = pull(2 * y)
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(dx, given.grad.numpy(), rtol=1e-11, atol=1e-12)
    kernels = np.concatenate([dp[r]["kernel"].reshape(8, 8).T for r in roles])
    np.testing.assert_allclose(kernels, theirs.in_proj_weight.grad.numpy(), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(dp["attention_output"]["bias"], theirs.out_proj.bias.grad.numpy(), rtol=1e-11)
