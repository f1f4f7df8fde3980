"""Learn how a damped pendulum moves, then integrate the network inside of one compiled loop.

    python examples/njit_embed.py
    python examples/njit_embed.py --steps 2000 --seed 1

A network gives the velocity of the state (angle, angular velocity): a neural ordinary differential equation. It is
trained through four Runge-Kutta steps of a solver written with fnet's operations. `fnet.njit_apply` then makes it a
function that Numba code can call, so that the solver runs without Python between the steps.
Source of the idea: R. Chen et al., Neural Ordinary Differential Equations, NeurIPS 2018.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

import fnet
from fnet import random, serial
from fnet.layers import Dense

DT = 0.05
ROLLOUT = 4  # steps of the solver that the loss sees
NET = serial(Dense(32, activation="tanh"), Dense(32, activation="tanh"), Dense(2))


def rk4_step(velocity: Callable[[Any], Any], y: Any, dt: float = DT) -> Any:
    """One step of the classical Runge-Kutta method, for NumPy arrays and for traced values alike."""
    k1 = velocity(y)
    k2 = velocity(y + k1 * (dt / 2))
    k3 = velocity(y + k2 * (dt / 2))
    k4 = velocity(y + k3 * dt)
    return y + (k1 + k2 * 2 + k3 * 2 + k4) * (dt / 6)


def pendulum(y: np.ndarray) -> np.ndarray:
    """The true velocity of states y: (..., 2)."""
    angle, speed = y[..., 0], y[..., 1]
    return np.stack([speed, -4 * np.sin(angle) - 0.3 * speed], axis=-1)


def true_path(y: np.ndarray, steps: int) -> np.ndarray:
    """The true states after 0, 1, ..., `steps` steps, (steps + 1, ..., 2), from the states y."""
    states = [y]
    for _ in range(steps):
        states.append(rk4_step(pendulum, states[-1]))
    return np.stack(states)


def loss_fn(params: Any, states: Any) -> Any:
    """Mean squared error of the solver's states after each of its steps; states: (ROLLOUT + 1, B, 2)."""
    y, error = states[0], 0.0
    for target in states[1:]:
        y = rk4_step(lambda y: NET.apply(params, {}, y)[0], y)
        error = error + np.mean((y - target) ** 2)
    return error / ROLLOUT


def train(seed: int, steps: int, device: str) -> tuple[Any, float]:
    """The parameters after training on 256 short paths from random states, on a device, and the last loss."""
    optimizer = fnet.optimizers.adam(fnet.schedules.exponential_decay(1e-2, steps // 6, 0.5))

    def update(params: Any, memory: Any, states: Any) -> tuple[Any, Any, Any]:
        loss, gradient = fnet.value_and_grad(loss_fn)(params, states)
        updates, memory = optimizer.update(gradient, memory, params)
        return fnet.optimizers.apply_updates(params, updates), memory, loss

    step = fnet.jit(update, donate=("params", "memory"))

    starts = np.random.default_rng(seed).uniform([-2.5, -5], [2.5, 5], (256, 2))
    states = true_path(starts, ROLLOUT).astype(np.float32)
    params, _ = NET.init(random.key(seed), (2,))
    params, _, loss = step.repeat(steps, *fnet.to_device((params, optimizer.init(params), states), device))
    return fnet.to_host(params), float(loss)


def compiled_solver(velocity: Any) -> Any:
    """The whole integration as one compiled function of leaves, first state and number of steps."""

    def solve(leaves: np.ndarray, y: np.ndarray, steps: int) -> np.ndarray:
        dt, path = DT, np.empty((steps + 1, 2))
        path[0] = y
        for i in range(steps):
            k1 = velocity(leaves, y)
            k2 = velocity(leaves, y + dt / 2 * k1)
            k3 = velocity(leaves, y + dt / 2 * k2)
            k4 = velocity(leaves, y + dt * k3)
            y = y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            path[i + 1] = y
        return path

    return numba.njit(solve)


def microseconds_a_step(solve: Callable[[int], Any], steps: int) -> float:
    """The shortest of three runs, after one that compiles."""
    solve(steps)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        solve(steps)
        times.append(time.perf_counter() - start)
    return min(times) / steps * 1e6


def solve_from_python(velocity: Callable[[Any], Any], y: Any, steps: int) -> None:
    """The same integration, calling the network from Python."""
    for _ in range(steps):
        y = rk4_step(velocity, y)


def torch_velocity(params: Any) -> Any:
    """The network in PyTorch and a first state for it, or None where PyTorch is not installed."""
    try:
        import torch
    except ImportError:
        return None
    layers: list[Any] = []
    for leaves in params.values():
        kernel, bias = (torch.tensor(np.array(leaves[name])) for name in ("kernel", "bias"))
        layers += [lambda y, kernel=kernel, bias=bias: torch.addmm(bias, y, kernel)]

    def velocity(y: Any) -> Any:
        with torch.inference_mode():
            return layers[2](torch.tanh(layers[1](torch.tanh(layers[0](y)))))

    torch.set_num_threads(1)
    return velocity, torch.tensor([[2.0, 0.0]])


def main() -> None:
    """Do it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=3000, help="of training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help="where it is trained: cpu, cuda, cuda:1, ...")
    options = parser.parse_args()

    params, loss = train(options.seed, options.steps, options.device)
    print(f"trained for {options.steps} steps, loss {loss:.2e}")

    start, horizon = np.array([2.0, 0.0]), 200
    velocity, leaves = fnet.njit_apply(NET, params, {}, (2,))
    solve = compiled_solver(velocity)
    error = np.abs(solve(leaves, start, horizon) - true_path(start, horizon)).max()
    print(f"largest error in {horizon * DT:.0f} seconds of motion: {error:.4f}")

    inside = microseconds_a_step(lambda n: solve(leaves, start, n), 20000)
    print(f"a Runge-Kutta step (four calls of the network) in compiled code: {inside:.2f} us")
    jitted = fnet.jit(lambda y: NET.apply(params, {}, y)[0])
    outside = microseconds_a_step(lambda n: solve_from_python(jitted, start[None].astype(np.float32), n), 500)
    print(f"calling fnet from Python: {outside:.1f} us, {outside / inside:.0f} times as long")
    if (other := torch_velocity(params)) is not None:
        network, first = other
        eager = microseconds_a_step(lambda n: solve_from_python(network, first, n), 500)
        print(f"calling PyTorch from Python: {eager:.1f} us, {eager / inside:.0f} times as long")


if __name__ == "__main__":
    main()
