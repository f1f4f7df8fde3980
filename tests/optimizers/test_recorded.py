"""Values recorded from Keras."""

from __future__ import annotations

import numpy as np
import pytest

from fnet import optimizers as optim
from tests.optimizers.running import once, run
from tests.optimizers.table import FTRL


def plain_nesterov() -> optim.Optimizer:
    """Keras recorded its values without momentum, where nesterov changes nothing, which fnet tells."""
    with pytest.warns(UserWarning, match="sgd: nesterov has no effect without momentum"):
        return optim.SGD(nesterov=True)


@pytest.mark.parametrize(
    ("opt", "expected", "tolerance"),
    [
        (plain_nesterov(), [0.9999, 0.9989, 0.9979, 0.9969, 0.9959], 5e-5),
        (optim.RMSprop(centered=True), [0.9967, 0.9933, 0.9908, 0.9885, 0.9864], 1e-4),
        (optim.Adam(amsgrad=True), [0.999, 0.9982, 0.9974, 0.9965, 0.9955], 5e-4),
        (optim.AdamW(1.0, weight_decay=0.5, epsilon=2.0), [0.4998, 0.2486, 0.1223, 0.0586, 0.0263], 5e-5),
        (optim.Adagrad(0.2, 0.3, 1e-6), [0.9963, 0.9604, 0.9251, 0.8903, 0.8560], 5e-5),
        (optim.Adadelta(1.0, 0.8, 1e-6), [0.9978, 0.9947, 0.9915, 0.9882, 0.9849], 5e-5),
        (optim.Adamax(0.2, 0.85, 0.95, 1e-6), [0.8, 0.6827, 0.5333, 0.368, 0.1933], 5e-5),
        (optim.Nadam(0.5, 0.5, 0.67, 1e-5), [0.4281, -0.1738, -0.7115, -1.2335, -1.7492], 5e-5),
        (optim.Ftrl(0.05, **FTRL), [0, -0.0034, -0.0078, -0.0121, -0.0164], 5e-5),
        (optim.Lion(), [0.999, 0.998, 0.997, 0.996, 0.995], 5e-5),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_trajectories(opt, expected, tolerance):
    ramp = np.arange(1, 11) / 10
    path, _ = run(opt, np.ones(10), [np.full(10, 0.01), *[ramp] * 4])
    np.testing.assert_allclose([w[0] for w in path], expected, atol=tolerance)


def test_trajectory_of_the_last_element_of_adamw():
    path, _ = run(
        optim.AdamW(1.0, weight_decay=0.5, epsilon=2.0), np.ones(10), [np.full(10, 0.01), *[np.arange(1, 11) / 10] * 4]
    )
    np.testing.assert_allclose([w[9] for w in path], [0.4998, 0.2382, 0.1003, 0.0258, -0.0159], atol=5e-5)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (optim.SGD, [0.5, -1, -0.5, 3]),
        (optim.RMSprop, [-0.5811, 0.4189, 1.4189, 2.4189]),
        (optim.Adam, [0.5, 1.5, 2.5, 3.5]),
        (optim.Adamax, [0.5, 1.5, 2.5, 3.5]),
        (optim.AdamW, [0.498, 1.496, 2.494, 3.492]),
        (optim.Nadam, [0.4686, 1.4686, 2.4686, 3.4686]),
        (optim.Adagrad, [0.5233, 1.5007, 2.5005, 3.5061]),
        (optim.Adadelta, [0.9993, 1.9993, 2.9993, 3.9993]),
        (optim.Ftrl, [0.2218, 1.3954, 2.3651, 2.8814]),
        (optim.Lion, [0.5, 1.5, 2.5, 3.5]),
        (optim.Lamb, [-0.3693, 0.6306, 1.6306, 2.6306]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_steps(make, expected):
    np.testing.assert_allclose(once(make(learning_rate=0.5), [1, 2, 3, 4], [1, 6, 7, 2]), expected, atol=1e-4)


@pytest.mark.parametrize(("nesterov", "expected"), [(False, 0.439), (True, 0.1951)])
def test_momentum(nesterov, expected):
    path, _ = run(optim.sgd(0.1, momentum=0.9, nesterov=nesterov), np.ones(1), [np.ones(1)] * 3)
    np.testing.assert_allclose(path[-1], expected, rtol=1e-12)


@pytest.mark.parametrize(
    "opt",
    [
        optim.sgd(1.0, weight_decay=0.004),
        optim.adamw(1.0),
        optim.chain(optim.add_decayed_weights(0.004), optim.scale_by_learning_rate(1.0)),
    ],
    ids=lambda opt: opt.name,
)
def test_weight_decay(opt):
    path, _ = run(opt, np.array([2.0]), [np.zeros(1)] * 3)
    np.testing.assert_allclose(path[-1], 1.9760959, rtol=1e-7)


@pytest.mark.parametrize("option", ["clipnorm", "global_clipnorm"])
def test_clipping(option):
    np.testing.assert_allclose(
        once(optim.sgd(1.0, **{option: 1.0}), [0.0, 0.0], [100.0, 100.0]), [-0.70711, -0.70711], atol=1e-5
    )
