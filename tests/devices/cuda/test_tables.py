"""Every row of the tables on a card: what the CPU gives, to rounding.

Layers and losses with their derivatives, optimizers, metrics, elementwise operations. Without a card one row of
several is tried of the tables whose rows are all alike to a device.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import tree
from fnet.devices.cuda.device import Cuda
from tests.devices.cuda.conftest import is_for_cards
from tests.layers.image_table import IMAGES
from tests.losses.table import LOSSES, LossCase
from tests.metrics.table import METRICS, MetricCase
from tests.ops.table import OPS, Op
from tests.optimizers.table import RULES, Rule
from tests.tables import LAYERS, Row, inputs

pytestmark = pytest.mark.slow

WHOLE = {"row": LAYERS, "loss": LOSSES}
ALIKE = {"rule": RULES, "metric": METRICS, "op": OPS}
EVERY = 6


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    rows = WHOLE | {name: all_ if is_for_cards(metafunc.config) else all_[::EVERY] for name, all_ in ALIKE.items()}
    rows["row"] = [*LAYERS, *IMAGES] if is_for_cards(metafunc.config) else LAYERS
    for name in rows.keys() & set(metafunc.fixturenames):
        metafunc.parametrize(name, rows[name], ids=lambda row: getattr(row, "id", None) or row.name)


def there(values: Any) -> Any:
    return fnet.to_device(values, "cuda")


def single(values: Any) -> Any:
    """The same with float32 in place of float64."""
    return tree.map(lambda leaf: leaf.astype(np.float32) if leaf.dtype == np.float64 else leaf, values)


def close(received: Any, expected: Any, rtol: float, atol: float) -> None:
    for path, got, right in zip(
        tree.structure(expected).paths(), tree.leaves(fnet.to_host(received)), tree.leaves(expected), strict=True
    ):
        np.testing.assert_allclose(got, right, rtol=rtol, atol=atol, err_msg=path)


def test_every_loss_and_its_derivative(loss: LossCase, cuda: Cuda):
    arguments = *loss.make(np.random.default_rng(0), (6,)), np.linspace(0.5, 2, 6)

    def value(y: Any, p: Any, weights: Any) -> Any:
        return loss.loss(y, p, sample_weight=weights)

    np.testing.assert_allclose(float(value(*there(arguments))), float(value(*arguments)), rtol=1e-9)
    gradient = fnet.grad(value, argnums=1)
    jitted = fnet.jit(gradient)
    for _ in range(2):  # launch by launch, and as a graph
        close(jitted(*there(arguments)), gradient(*arguments), rtol=1e-7, atol=1e-9)


def test_every_layer(row: Row, cuda: Cuda):
    layer = row.make()
    params, state = layer.init(fnet.random.key(0), row.shape, np.float32)
    x = single(inputs(row))

    def run(params: Any, state: Any, x: Any, key: Any) -> Any:
        return layer.apply(params, state, x, key=key, train=True)

    arguments = params, state, x, fnet.random.key(3)
    close(run(*there(arguments)), run(*arguments), rtol=1e-4, atol=1e-5)


def test_every_layer_and_its_derivative(row: Row, cuda: Cuda):
    layer = row.make()
    params, state = layer.init(fnet.random.key(0), row.shape, np.float32)
    x = single(inputs(row))
    varied = (params, x) if not row.classes else (params,)
    if not tree.leaves(varied):
        return

    def total(varied: Any, state: Any, x: Any, key: Any) -> Any:
        params, *given = varied
        y, _ = layer.apply(params, state, given[0] if given else x, key=key, train=True)
        floats = [leaf for leaf in tree.leaves(y) if leaf.dtype.kind == "f"]
        return sum(np.sum(leaf * np.cos(np.arange(leaf.size, dtype="f4")).reshape(leaf.shape)) for leaf in floats)

    arguments = varied, state, x, fnet.random.key(3)
    expected = fnet.value_and_grad(total)(*arguments)
    jitted = fnet.jit(fnet.value_and_grad(total))
    for _ in range(2):
        close(jitted(*there(arguments)), expected, rtol=1e-3, atol=1e-4)


def test_every_optimizer(rule: Rule, cuda: Cuda):
    rng = np.random.default_rng(0)
    params = {"kernel": rng.normal(size=(5, 4)).astype("f4"), "bias": rng.normal(size=4).astype("f4")}
    optimizer = rule.make()

    def step(params: Any, state: Any, g: Any) -> Any:
        updates, state = optimizer.update(g, state, params)
        return fnet.optimizers.apply_updates(params, updates), state

    def trained(place: Any) -> Any:
        jitted, carry = fnet.jit(step, donate=("params", "state")), place((params, optimizer.init(params)))
        for k in range(3):
            carry = jitted(*carry, place(tree.map(lambda p, k=k: np.cos(p + k), params)))
        return carry

    close(trained(there), trained(lambda values: tree.map(np.copy, values)), rtol=1e-4, atol=1e-5)


def test_every_metric(metric: MetricCase, cuda: Cuda):
    made = metric.metric()
    y, p = metric.data(np.random.default_rng(0), (7,))

    def over(place: Any, update: Any) -> Any:
        state = update(place(made.init()), *place((y, p)))
        return made.result(update(state, *place((y, p, np.linspace(0.5, 2, 7)))))

    expected = over(lambda values: values, made.update)
    for update in (made.update, fnet.jit(made.update)):
        close(over(there, update), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_elementwise_operation(op: Op, dtype: str, cuda: Cuda):
    operands = op.operands((7, 33), dtype)
    digits = 1e-5 if dtype == "float32" else 1e-12
    close(op.function(*there(operands)), op.function(*operands), rtol=digits, atol=digits)
    if op.smooth:
        gradient = fnet.grad(lambda *xs: np.sum(op.function(*xs)), argnums=tuple(range(op.arity)))
        close(gradient(*there(operands)), gradient(*operands), rtol=10 * digits, atol=10 * digits)
