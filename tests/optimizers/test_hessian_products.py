"""Products with the Hessian of everything a Newton step meets: those of differences, or an error that says why not."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import activations, losses, ops, random, serial, tree
from fnet.errors import DerivativeError
from fnet.layers import Conv2D, Dense, Flatten, LayerNormalization
from tests.tables import LAYERS, Row, inputs

KEY = random.key(7)
SMOOTH = ["tanh", "sigmoid", "softplus", "gelu", "silu", "mish", "softsign", "elu", "softmax", "log_softmax"]


def check(f, params, tolerance=1e-6):
    """``H v`` against differences of the gradient, and symmetry: ``u . H v = v . H u``."""
    rng = np.random.default_rng(3)
    u, v = (tree.map(lambda x: rng.normal(size=x.shape), params) for _ in range(2))
    product = fnet.hessian_vector_product(f, params, v)
    ahead, behind = (fnet.grad(f)(tree.map(lambda x, d, s=s: x + s * d, params, v)) for s in (1e-5, -1e-5))
    for got, a, b in zip(*map(tree.leaves, (product, ahead, behind)), strict=True):
        np.testing.assert_allclose(got, (a - b) / 2e-5, atol=tolerance * (1 + np.max(np.abs(got), initial=0)))
    there, back = tree.ravel(product)[0], tree.ravel(fnet.hessian_vector_product(f, params, u))[0]
    one, other = np.vdot(tree.ravel(u)[0], there), np.vdot(tree.ravel(v)[0], back)
    assert one == pytest.approx(other, rel=1e-9, abs=1e-9 * np.linalg.norm(there))


def of_layer(layer, shape, x):
    params, state = layer.init(random.key(1), shape, "float64")

    def f(params):
        y, _ = layer.apply(params, state, x, key=KEY, train=True)
        return sum((ops.sum(ops.sin(leaf)) for leaf in tree.leaves(y)), 0.0)

    return f, params


@pytest.mark.parametrize("name", SMOOTH)
def test_activations(name):
    x = np.random.default_rng(0).normal(size=(3, 4))
    check(lambda x: ops.sum(ops.sin(getattr(activations, name)(x))), x)


def test_a_network_with_its_loss():
    net = serial(Conv2D(3, 2, activation="tanh"), LayerNormalization(), Flatten(), Dense(3))
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(4, 4, 4, 2)), rng.integers(0, 3, 4)
    params, state = net.init(random.key(0), (4, 4, 2), "float64")

    def loss(params):
        logits, _ = net.apply(params, state, x, train=True)
        return losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)

    check(loss, params)


HELD = ("spectral-normalization",)  # the vectors of its power iteration, as in the paper


@pytest.mark.slow
@pytest.mark.parametrize("row", LAYERS, ids=lambda row: row.id)
def test_every_layer(row: Row):
    f, params = of_layer(row.make(), row.shape, inputs(row, "float64"))
    if not tree.leaves(params):
        pytest.skip("no parameters")
    if row.id in HELD:
        pytest.skip("its gradient holds something fixed that depends on the parameters: differences see it move")
    if row.forward:
        check(f, params)
        return
    with pytest.raises(DerivativeError, match=r"primitive '\w+' has no (vjp|jvp) rule"):
        fnet.hessian_vector_product(f, params, tree.map(np.ones_like, params))
