"""One table of all rules, each with plain NumPy formulas and its counterparts in PyTorch and Keras."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fnet import optimizers as optim

# References: generators for one leaf that take (w, g) and give the change of w, in float64.

Change = Iterator[Any]


def sgd(lr: float = 0.01, momentum: float = 0.0, nesterov: bool = False) -> Change:
    m, change = 0.0, None
    while True:
        _, g = yield change
        m = momentum * m - lr * g
        change = momentum * m - lr * g if nesterov else m


def adam(
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-7,
    amsgrad: bool = False,
    decay: float = 0.0,
) -> Change:
    m = v = largest = 0.0
    t, change = 0, None
    while True:
        w, g = yield change
        t += 1
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        largest = np.maximum(largest, v) if amsgrad else v
        change = -lr * np.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(largest) + eps) - lr * decay * w


def schedule_free_adamw(
    lr: float = 0.0025, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, warmup: int = 0
) -> Change:
    x: Any = None
    z, v, t, change = 0.0, 0.0, 0, None
    while True:
        w, g = yield change
        t += 1
        x, z = (w, w) if x is None else (x, z)
        v = b2 * v + (1 - b2) * g * g
        z = z - lr * min(1.0, t / max(1, warmup)) * g / (np.sqrt(v / (1 - b2**t)) + eps)
        x = x + (z - x) / t
        change = (1 - b1) * z + b1 * x - w


def adamax(lr: float = 0.001, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-7) -> Change:
    m = u = 0.0
    t, change = 0, None
    while True:
        _, g = yield change
        t += 1
        m, u = b1 * m + (1 - b1) * g, np.maximum(b2 * u, np.abs(g))
        change = -lr * m / ((1 - b1**t) * (u + eps))


def nadam(lr: float = 0.001, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-7) -> Change:
    m = v = 0.0
    t, product, change = 0, 1.0, None
    while True:
        _, g = yield change
        t += 1
        now, later = b1 * (1 - 0.5 * 0.96**t), b1 * (1 - 0.5 * 0.96 ** (t + 1))
        product *= now
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        ahead = later * m / (1 - product * later) + (1 - now) * g / (1 - product)
        change = -lr * ahead / (np.sqrt(v / (1 - b2**t)) + eps)


def rmsprop(
    lr: float = 0.001, rho: float = 0.9, momentum: float = 0.0, eps: float = 1e-7, centered: bool = False
) -> Change:
    v = a = p = 0.0
    change = None
    while True:
        _, g = yield change
        v, a = rho * v + (1 - rho) * g * g, rho * a + (1 - rho) * g
        p = momentum * p + lr * g / np.sqrt(v - a * a * centered + eps)
        change = -p


def adagrad(lr: float = 0.001, initial: float = 0.1, eps: float = 1e-7) -> Change:
    a, change = initial, None
    while True:
        _, g = yield change
        a = a + g * g
        change = -lr * g / np.sqrt(a + eps)


def adadelta(lr: float = 0.001, rho: float = 0.95, eps: float = 1e-7) -> Change:
    a = s = 0.0
    change = None
    while True:
        _, g = yield change
        a = rho * a + (1 - rho) * g * g
        d = -np.sqrt(s + eps) / np.sqrt(a + eps) * g
        s = rho * s + (1 - rho) * d * d
        change = lr * d


def ftrl(
    lr: float = 0.001,
    power: float = -0.5,
    initial: float = 0.1,
    l1: float = 0.0,
    l2: float = 0.0,
    shrinkage: float = 0.0,
    beta: float = 0.0,
) -> Change:
    n, z, change = initial, 0.0, None
    while True:
        w, g = yield change
        more = n + g * g
        z = z + g + 2 * shrinkage * w - (more**-power - n**-power) / lr * w
        n = more
        change = (np.clip(z, -l1, l1) - z) / (n**-power / lr + 2 * (l2 + beta / (2 * lr))) - w


def lion(lr: float = 0.001, b1: float = 0.9, b2: float = 0.99, decay: float = 0.0) -> Change:
    m, change = 0.0, None
    while True:
        w, g = yield change
        change = -lr * np.sign(b1 * m + (1 - b1) * g) - lr * decay * w
        m = b2 * m + (1 - b2) * g


def lamb(lr: float = 0.001, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-7) -> Change:
    m = v = 0.0
    t, change = 0, None
    while True:
        w, g = yield change
        t += 1
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        r = m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps)
        long, wide = np.sqrt(np.sum(w * w)), np.sqrt(np.sum(r * r))
        change = -lr * r * (long / wide if long > 0 and wide > 0 else 1.0)


def adafactor(
    lr: float = 0.001, decay: float = -0.8, eps1: float = 1e-30, eps2: float = 1e-3, threshold: float = 1.0
) -> Change:
    def rms(x: Any) -> Any:
        return np.sqrt(np.mean(x * x))

    r = c = v = 0.0
    t, change = 0, None
    while True:
        w, g = yield change
        t += 1
        b, square = 1 - t**decay, g * g + eps1
        if g.ndim >= 2:
            r, c = b * r + (1 - b) * square.mean(-1), b * c + (1 - b) * square.mean(-2)
            v = (r / r.mean(-1, keepdims=True))[..., None] * c[..., None, :]
        else:
            v = b * v + (1 - b) * square
        u = g / np.sqrt(v)
        change = -max(eps2, rms(w)) * min(lr, 1 / np.sqrt(t)) * u / max(1.0, rms(u) / threshold)


def muon(lr: float = 0.001, decay: float = 0.004, momentum: float = 0.95, nesterov: bool = True) -> Change:
    of_adam, m, change = adam(lr, decay=0.004), 0.0, None
    next(of_adam)
    while True:
        w, g = yield change
        if g.ndim != 2:
            change = of_adam.send((w, g))
            continue
        m = momentum * m + g
        x = momentum * m + g if nesterov else m
        x = x.T if x.shape[0] > x.shape[1] else x
        x = x / (np.linalg.norm(x) + 1e-7)
        for _ in range(5):
            gram = x @ x.T
            x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
        x = x.T if g.shape[0] > g.shape[1] else x
        change = -lr * 0.2 * np.sqrt(max(g.shape)) * x - lr * decay * w


@dataclass(frozen=True)
class Rule:
    """`slots` are the trees in its state that begin with one value; `torch` and `keras` name a class of the same rule.

    state: other entries of the state; still: whether it stays where the gradient is 0; scale_free: whether a positive
    factor of all gradients changes nothing, for a tiny epsilon.
    """

    id: str
    make: Callable[..., optim.Optimizer]
    reference: Callable[[], Change]
    slots: dict[str, float] = field(default_factory=dict)
    torch: tuple[str, dict[str, Any]] | None = None
    keras: tuple[str, dict[str, Any]] | None = None
    state: tuple[str, ...] = ()
    still: bool = True
    scale_free: Callable[[], optim.Optimizer] | None = None


MOMENTS = {"momentum": 0.0, "velocity": 0.0}
FTRL = {
    "learning_rate_power": -0.2,
    "initial_accumulator_value": 0.4,
    "l1_regularization_strength": 0.05,
    "l2_regularization_strength": 0.15,
    "l2_shrinkage_regularization_strength": 0.01,
    "beta": 0.3,
}
TINY = 1e-30

RULES = [
    Rule("sgd", lambda: optim.sgd(0.1), lambda: sgd(0.1), torch=("SGD", {"lr": 0.1}), keras=("SGD", {"lr": 0.1})),
    Rule(
        "sgd_momentum",
        lambda: optim.sgd(0.1, momentum=0.9),
        lambda: sgd(0.1, 0.9),
        {"momentum": 0.0},
        ("SGD", {"lr": 0.1, "momentum": 0.9}),
        ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ),
    Rule(
        "sgd_nesterov",
        lambda: optim.sgd(0.1, momentum=0.9, nesterov=True),
        lambda: sgd(0.1, 0.9, True),
        {"momentum": 0.0},
        ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
        ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ),
    Rule(
        "adam",
        optim.adam,
        adam,
        MOMENTS,
        ("Adam", {"lr": 1e-3, "eps": 1e-9}),
        ("Adam", {}),
        scale_free=lambda: optim.adam(0.01, epsilon=TINY),
    ),
    Rule(
        "adam_options",
        lambda: optim.adam(0.05, beta_1=0.5, beta_2=0.8, epsilon=1e-3),
        lambda: adam(0.05, 0.5, 0.8, 1e-3),
        MOMENTS,
        keras=("Adam", {"lr": 0.05, "beta_1": 0.5, "beta_2": 0.8, "epsilon": 1e-3}),
    ),
    Rule(
        "amsgrad",
        lambda: optim.adam(0.05, amsgrad=True),
        lambda: adam(0.05, amsgrad=True),
        {**MOMENTS, "velocity_hat": 0.0},
        keras=("Adam", {"lr": 0.05, "amsgrad": True}),
    ),
    Rule(
        "adamw",
        lambda: optim.adamw(0.01, weight_decay=0.1),
        lambda: adam(0.01, decay=0.1),
        MOMENTS,
        ("AdamW", {"lr": 0.01, "weight_decay": 0.1, "eps": 1e-9}),
        ("AdamW", {"lr": 0.01, "weight_decay": 0.1}),
        still=False,
    ),
    Rule(
        "schedule_free_adamw",
        lambda: optim.schedule_free_adamw(0.05),
        lambda: schedule_free_adamw(0.05),
        {"velocity": 0.0},
        keras=("ScheduleFreeAdamW", {"lr": 0.05}),
        state=("momentum",),
        still=False,
        scale_free=lambda: optim.schedule_free_adamw(0.01, epsilon=TINY),
    ),
    Rule(
        "schedule_free_adamw_warmup",
        lambda: optim.schedule_free_adamw(0.05, 0.6, 0.9, 1e-4, 4),
        lambda: schedule_free_adamw(0.05, 0.6, 0.9, 1e-4, 4),
        {"velocity": 0.0},
        keras=("ScheduleFreeAdamW", {"lr": 0.05, "beta_1": 0.6, "beta_2": 0.9, "epsilon": 1e-4, "warmup_steps": 4}),
        state=("momentum",),
        still=False,
    ),
    Rule(
        "adamax",
        lambda: optim.adamax(0.01),
        lambda: adamax(0.01),
        {"momentum": 0.0, "norm": 0.0},
        ("Adamax", {"lr": 0.01, "eps": 1e-9}),
        ("Adamax", {"lr": 0.01}),
        scale_free=lambda: optim.adamax(0.01, epsilon=TINY),
    ),
    Rule(
        "nadam",
        lambda: optim.nadam(0.01),
        lambda: nadam(0.01),
        MOMENTS,
        ("NAdam", {"lr": 0.01, "eps": 1e-7, "momentum_decay": 1.0}),
        ("Nadam", {"lr": 0.01}),
        ("momentum_product",),
        scale_free=lambda: optim.nadam(0.01, epsilon=TINY),
    ),
    Rule(
        "rmsprop",
        optim.rmsprop,
        rmsprop,
        {"velocity": 0.0},
        ("RMSprop", {"lr": 1e-3, "alpha": 0.9, "eps": 1e-9}),
        ("RMSprop", {}),
        scale_free=lambda: optim.rmsprop(0.01, epsilon=TINY),
    ),
    Rule(
        "rmsprop_all",
        lambda: optim.rmsprop(0.01, rho=0.8, momentum=0.5, epsilon=1e-4, centered=True),
        lambda: rmsprop(0.01, 0.8, 0.5, 1e-4, True),
        {"velocity": 0.0, "momentum": 0.0, "average_gradient": 0.0},
        keras=("RMSprop", {"lr": 0.01, "rho": 0.8, "momentum": 0.5, "epsilon": 1e-4, "centered": True}),
    ),
    Rule(
        "adagrad",
        lambda: optim.adagrad(0.1),
        lambda: adagrad(0.1),
        {"accumulator": 0.1},
        ("Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.1, "eps": 1e-9}),
        ("Adagrad", {"lr": 0.1}),
    ),
    Rule(
        "adadelta",
        lambda: optim.adadelta(1.0, 0.9, 1e-6),
        lambda: adadelta(1.0, 0.9, 1e-6),
        {"accumulated_gradient": 0.0, "accumulated_change": 0.0},
        ("Adadelta", {"lr": 1.0, "rho": 0.9, "eps": 1e-6}),
        ("Adadelta", {"lr": 1.0, "rho": 0.9, "epsilon": 1e-6}),
    ),
    Rule(
        "ftrl",
        lambda: optim.ftrl(0.05, **FTRL),
        lambda: ftrl(0.05, -0.2, 0.4, 0.05, 0.15, 0.01, 0.3),
        {"accumulator": 0.4, "linear": 0.0},
        keras=("Ftrl", {"lr": 0.05, **FTRL}),
        still=False,
    ),
    Rule(
        "lion",
        lambda: optim.lion(0.01),
        lambda: lion(0.01),
        {"momentum": 0.0},
        keras=("Lion", {"lr": 0.01}),
        scale_free=lambda: optim.lion(0.01),
    ),
    Rule(
        "lamb",
        lambda: optim.lamb(0.01),
        lambda: lamb(0.01),
        MOMENTS,
        keras=("Lamb", {"lr": 0.01}),
        scale_free=lambda: optim.lamb(0.01, epsilon=TINY),
    ),
    Rule(
        "adafactor",
        lambda: optim.adafactor(0.01),
        lambda: adafactor(0.01),
        keras=("Adafactor", {"lr": 0.01}),
        state=("row_mean", "column_mean", "velocity"),
    ),
    Rule(
        "muon",
        lambda: optim.muon(0.01),
        lambda: muon(0.01),
        keras=("Muon", {"lr": 0.01}),
        state=("muon", "adam"),
        still=False,
    ),
]
