"""Networks on a card: trained as on the CPU, and to the same bits each time and in every way to run a step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import tree
from fnet.devices.cuda.device import Cuda
from tests.devices.cuda.conftest import is_real
from tests.devices.cuda.networks import NETWORKS, begun, loss_of, step_of

STEPS = 3
each_network = pytest.mark.parametrize("name", NETWORKS)


def there(values: Any) -> Any:
    return fnet.to_device(values, "cuda")


@pytest.mark.slow
@each_network
def test_it_is_trained_there_as_on_the_cpu(name: str, cuda: Cuda):
    case = NETWORKS[name](is_real(cuda))
    x, y = case.data()

    def trained(place: Any) -> Any:
        trainer = fnet.Trainer(case.net, loss_of, optimizer=case.optimizer(), metrics=["accuracy"])
        ts = place(trainer.init(fnet.random.key(0), case.shape))
        data = place((x, y))
        ts, history = trainer.fit(ts, *data, batch_size=case.batch, validation_split=0.25, epochs=2, verbose=False)
        return fnet.to_host((ts, trainer.predict(ts, data[0]))), dict(history), dict(trainer.evaluate(ts, *data))

    (received, logs, judged), expected = trained(there), trained(lambda values: values)
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=5e-3, atol=5e-4), received, expected[0])
    for name in logs:  # a sample between two classes may fall to either
        np.testing.assert_allclose(logs[name], expected[1][name], rtol=5e-3, atol=0.02 if "accuracy" in name else 0)
    np.testing.assert_allclose(judged["loss"], expected[2]["loss"], rtol=5e-3)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "mlp" else pytest.mark.slow) for name in NETWORKS]
)
def test_every_way_to_run_a_step_gives_the_same_bits(name: str, cuda: Cuda):
    """Launch by launch, as a graph, repeated by the device, and once more from the beginning."""
    case = NETWORKS[name](is_real(cuda))
    step, names = step_of(case), ("params", "state", "opt_state", "key")

    def after(jitted: Any, *, is_repeated: bool = False) -> Any:
        *carry, x, y = there(begun(case))
        if is_repeated:
            return fnet.to_host(jitted.repeat(STEPS, *carry, x, y))
        for _ in range(STEPS):
            *carry, loss = jitted(*carry, x, y)
        return fnet.to_host((*carry, loss))

    graph = fnet.jit(step, donate=names)
    expected = after(graph)
    for way in (fnet.jit(step, donate=names, executor="walk"), graph, fnet.jit(step, donate=names)):
        assert tree.all_equal(after(way), expected)
    assert tree.all_equal(after(graph, is_repeated=True), expected)


@pytest.mark.slow
@each_network
def test_without_jit_a_loss_and_its_gradient_are_the_same_bits(name: str, cuda: Cuda):
    case = NETWORKS[name](is_real(cuda))

    def loss(params: Any, state: Any, key: Any, x: Any, y: Any) -> Any:
        return loss_of(y, case.net.apply(params, state, x, key=key, train=True)[0])

    params, state, _, key, x, y = there(begun(case))
    function, arguments = fnet.value_and_grad(loss), (params, state, key, x, y)
    jitted = fnet.jit(function)
    for _ in range(2):
        assert tree.all_equal(fnet.to_host(jitted(*arguments)), fnet.to_host(function(*arguments)))
