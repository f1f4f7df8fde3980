"""Right calls of optimizers, schedules, initializers, regularizers and constraints: see `right_calls`."""

from collections.abc import Callable
from typing import Any, assert_type

import numpy as np

import fnet
from fnet import constraints, initializers, optimizers, regularizers, schedules

Array = np.ndarray[tuple[Any, ...], np.dtype[Any]]
key = fnet.random.key(0)
x = np.zeros((2, 4), np.float32)

# Optimizers, schedules.
rules: list[optimizers.Optimizer] = [
    optimizers.adadelta(),
    optimizers.adafactor(1e-3, clip_threshold=2.0),
    optimizers.adagrad(0.1),
    optimizers.adam(1e-3, 0.8, amsgrad=True, weight_decay=0.01, exclude_from_weight_decay=["bias"]),
    optimizers.Adam(schedules.cosine_decay(1e-3, 100), clipnorm=1.0),
    optimizers.adam(lambda step: 0.1 / (1 + step), use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=10),
    optimizers.adamw(weight_decay=0.01, gradient_accumulation_steps=4),
    optimizers.ScheduleFreeAdamW(0.01, warmup_steps=100, use_ema=True),
    optimizers.adamax(),
    optimizers.ftrl(),
    optimizers.lamb(),
    optimizers.lion(1e-4),
    optimizers.muon(0.02, exclude_layers=["head"]),
    optimizers.nadam(),
    optimizers.rmsprop(centered=True, global_clipnorm=1.0),
    optimizers.SGD(0.1, momentum=0.9, nesterov=True, clipvalue=0.5),
    optimizers.chain(optimizers.clip_by_global_norm(1.0), optimizers.scale_by_learning_rate(0.1)),
    optimizers.chain(optimizers.clip_by_norm(1.0), optimizers.clip_by_value(0.5), optimizers.scale(-0.1)),
    optimizers.add_decayed_weights(0.01, mask={"kernel": True, "bias": False}),
    optimizers.ema(optimizers.sgd(), 0.9),
    optimizers.lookahead(optimizers.adam()),
    optimizers.accumulate(optimizers.adam(), 4),
    optimizers.apply_if_finite(optimizers.adam()),
    optimizers.freeze(lambda path, leaf: "bias" in path, optimizers.adam()),
    optimizers.partition({"slow": optimizers.sgd()}, lambda path, leaf: "slow"),
    optimizers.get("adam"),
    optimizers.get(optimizers.adam),
]
params = {"kernel": x}
opt = optimizers.adam()
opt_state = opt.init(params)
updates, opt_state = opt.update(params, opt_state, params)
params = optimizers.apply_updates(params, updates)
rate: Callable[[Any], Any] = schedules.warmup(schedules.exponential_decay(0.1, 10, 0.5, staircase=True), steps=4)
schedules.piecewise_constant([10, 20], [0.1, 0.01, 0.001])(5)
schedules.PolynomialDecay(0.1, 10, power=2.0)
schedules.constant(0.1)
schedules.inverse_time_decay(0.1, 10, 1.0)
schedules.cosine_decay_restarts(0.1, 10)
schedules.one_cycle(0.1, 100)
minimum = fnet.minimize(lambda p: (p * p).sum(), np.ones(3), "lbfgs", max_iterations=5, history=3)
assert_type(minimum, optimizers.Minimum)
fnet.least_squares(lambda p: p - 1.0, np.ones(3), optimizers.levenberg_marquardt())
optimizers.newton(damping=0.1), optimizers.newton_cg(), optimizers.lbfgs(5), optimizers.gauss_newton()

# Initializers, regularizers, constraints.
made: list[Callable[[Any, tuple[int, ...], Any], Any]] = [
    initializers.zeros(),
    initializers.Ones(),
    initializers.Constant(0.1),
    initializers.STFT("imag", [0.5, 1.0, 0.5], None, periodic=True),
    initializers.identity(2.0),
    initializers.RandomNormal(stddev=0.1),
    initializers.random_uniform(-1.0, 1.0),
    initializers.truncated_normal(),
    initializers.VarianceScaling(2.0, "fan_in", "uniform"),
    initializers.GlorotUniform(),
    initializers.HeNormal(),
    initializers.glorot_normal(),
    initializers.HeUniform(),
    initializers.LecunUniform(),
    initializers.lecun_normal(),
    initializers.orthogonal(gain=0.5),
    initializers.get("he_normal"),
    initializers.get(initializers.HeNormal),
]
initializers.he_normal()(key, (4, 3), "float32")
assert_type(initializers.he_normal().name, str)
penalties: list[Callable[[Any], Any]] = [
    regularizers.l1(),
    regularizers.L2(0.1),
    regularizers.l1_l2(l2=0.1),
    regularizers.L1L2(l1=0.1),
    regularizers.orthogonal(mode="columns"),
]
projections: list[Callable[[Any], Any]] = [
    constraints.max_norm(1.0, axis=(0, 1)),
    constraints.NonNeg(),
    constraints.unit_norm(),
    constraints.MinMaxNorm(rate=0.5),
]
