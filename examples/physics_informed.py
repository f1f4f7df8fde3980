"""Solve the heat equation with a network that is told the physics and no data.

    python examples/physics_informed.py

A bar of length 1 begins with the temperature sin(pi x), its ends are kept at 0: u_t = a u_xx. The network u(t, x) is
trained until equation, beginning and ends hold. Its derivatives with respect to its *inputs* are exact: `fnet.jvp`
gives u_t and u_x in one pass, and `jvp` of `jvp` gives u_xx; the training differentiates the whole once more.
Result: the largest error against the exact solution exp(-a pi^2 t) sin(pi x) is below 0.01.
Source of the idea: M. Raissi, P. Perdikaris, G. Karniadakis, Physics-informed neural networks, 2019.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import fnet
from fnet import optimizers, random, schedules, serial
from fnet.layers import Dense

DIFFUSIVITY, STEPS, POINTS = 0.2, 4000, 256
NET = serial(Dense(24, activation="tanh"), Dense(24, activation="tanh"), Dense(24, activation="tanh"), Dense(1))


def temperature(params: Any, points: Any) -> Any:
    """u at points (N, 2) of time and place: (N, 1)."""
    return NET.apply(params, {}, points)[0]


def residual_of_equation(params: Any, points: Any) -> Any:
    """u_t - a u_xx, (N, 1), which the solution makes 0."""
    along_t = np.broadcast_to(np.array([1, 0], np.float32), points.shape)
    along_x = np.broadcast_to(np.array([0, 1], np.float32), points.shape)

    def u(points: Any) -> Any:
        return temperature(params, points)

    def u_x(points: Any) -> Any:
        return fnet.jvp(u, (points,), (along_x,))[1]

    _, u_t = fnet.jvp(u, (points,), (along_t,))
    _, u_xx = fnet.jvp(u_x, (points,), (along_x,))
    return u_t - DIFFUSIVITY * u_xx


def exact(points: np.ndarray) -> np.ndarray:
    """The solution at points (N, 2): (N, 1)."""
    t, x = points[:, :1], points[:, 1:]
    return np.exp(-DIFFUSIVITY * np.pi**2 * t) * np.sin(np.pi * x)


def conditions(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points at the beginning and at both ends, (3 count, 2), and the temperature there."""
    along, zeros = np.linspace(0, 1, count), np.zeros(count)
    edges = [np.stack(edge, axis=1) for edge in ((zeros, along), (along, zeros), (along, zeros + 1))]
    points = np.concatenate(edges).astype(np.float32)
    return points, np.concatenate([np.sin(np.pi * along), zeros, zeros])[:, None].astype(np.float32)


def loss_fn(params: Any, points: Any) -> Any:
    """How far equation and conditions are from holding."""
    edge_points, edge_values = conditions(40)
    misfit = temperature(params, edge_points) - edge_values
    return np.mean(residual_of_equation(params, points) ** 2) + 10 * np.mean(misfit**2)


def main() -> None:
    """Train on fresh random points in every step, then compare on a grid."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="where it is trained: cpu, cuda, cuda:1, ...")
    device = parser.parse_args().device

    optimizer = optimizers.adam(schedules.cosine_decay(5e-3, STEPS))

    @fnet.jit(donate=("params", "opt_state", "key"))
    def step(params: Any, opt_state: Any, key: Any) -> tuple[Any, Any, Any, Any]:
        key, points_key = random.split(key)
        loss, gradient = fnet.value_and_grad(loss_fn)(params, random.uniform(points_key, (POINTS, 2)))
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        return optimizers.apply_updates(params, updates), opt_state, key, loss

    params, _ = NET.init(random.key(0), (2,))
    params, opt_state, key = fnet.to_device((params, optimizer.init(params), random.key(1)), device)
    for done in range(1000, STEPS + 1, 1000):
        params, opt_state, key, loss = step.repeat(1000, params, opt_state, key)  # in one call of compiled code
        print(f"after {done} steps: loss {float(loss):.2e}")

    t, x = np.meshgrid(np.linspace(0, 1, 51), np.linspace(0, 1, 51))
    grid = np.stack([t.ravel(), x.ravel()], axis=1).astype(np.float32)
    error = np.abs(temperature(fnet.to_host(params), grid) - exact(grid)).max()
    print(f"largest error on a grid of 51 x 51 points: {error:.5f} (temperatures are from 0 to 1)")
    assert error < 0.01


if __name__ == "__main__":
    main()
