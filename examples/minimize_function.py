"""Minimise plain functions: optimizers need no network, only a tree of arrays and a gradient.

    python examples/minimize_function.py

The first part walks down Rosenbrock's valley with several rules: all come within 0.01 of (1, 1). The second fits a
damped oscillation to noisy samples: its parameters are a dict, the rate is a schedule, and the offset, which is known,
is frozen; the others come within 0.03 of the truth.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

import fnet
from fnet import optimizers, schedules

RULES = {
    "sgd with Nesterov momentum": optimizers.sgd(1e-3, momentum=0.95, nesterov=True),
    "rmsprop": optimizers.rmsprop(schedules.exponential_decay(1e-2, 1000, 0.5)),
    "adam": optimizers.adam(1e-2),
    "nadam": optimizers.nadam(1e-2),
    "lion": optimizers.lion(schedules.exponential_decay(1e-2, 500, 0.5)),
    "adam, clipped, looking ahead": optimizers.lookahead(optimizers.adam(3e-2, global_clipnorm=1.0)),
}


def minimise(
    loss: Callable[[Any], Any], params: Any, optimizer: optimizers.Optimizer, steps: int, device: str
) -> tuple[Any, float]:
    """The parameters after so many steps on a device, and the loss before the last one."""

    def step(params: Any, state: Any) -> tuple[Any, Any, Any]:
        value, gradients = fnet.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradients, state, params)
        return optimizers.apply_updates(params, updates), state, value

    compiled = fnet.jit(step, donate=("params", "state"))
    params, _, value = compiled.repeat(steps, *fnet.to_device((params, optimizer.init(params)), device))
    return fnet.to_host(params), float(value)


def rosenbrock(point: Any) -> Any:
    """A narrow curved valley; the lowest point is (1, 1), where the value is 0."""
    x, y = point["x"], point["y"]
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2


def oscillation(params: Any, t: np.ndarray) -> Any:
    """The samples of a damped oscillation at the times t."""
    swing = np.exp(-params["decay"] * t) * np.cos(params["frequency"] * t + params["phase"])
    return params["offset"] + params["amplitude"] * swing


def main() -> None:
    """Do both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="where it is trained: cpu, cuda, cuda:1, ...")
    device = parser.parse_args().device

    print("Rosenbrock from (-1.2, 1), 5000 steps:")
    for name, optimizer in RULES.items():
        point, value = minimise(rosenbrock, {"x": np.array(-1.2), "y": np.array(1.0)}, optimizer, 5000, device)
        print(f"  {name:30} ({float(point['x']):.4f}, {float(point['y']):.4f}), value {value:.1e}")

    truth = {"amplitude": 2.0, "decay": 0.3, "frequency": 3.0, "phase": 0.5, "offset": 1.0}
    t = np.linspace(0, 8, 400)
    samples = oscillation(truth, t) + np.random.default_rng(0).normal(scale=0.1, size=t.shape)
    start = {"amplitude": 1.0, "decay": 0.1, "frequency": 2.7, "phase": 0.0, "offset": 1.0}
    rate = schedules.warmup(schedules.cosine_decay(0.05, 3000), 100)
    optimizer = optimizers.freeze(lambda path, leaf: path == "offset", optimizers.adam(rate))

    def misfit(params: Any) -> Any:
        return np.mean((oscillation(params, t) - samples) ** 2)

    fitted, value = minimise(misfit, {name: np.array(x) for name, x in start.items()}, optimizer, 3100, device)
    print(f"damped oscillation, noise 0.1: root mean square misfit {value**0.5:.4f}")
    for name, expected in truth.items():
        print(f"  {name:10} {float(fitted[name]):8.4f}   true {expected}")


if __name__ == "__main__":
    main()
