"""Least squares to the last digits: Levenberg and Marquardt's method beside Adam and SciPy.

    python examples/second_order.py

First a regression with a certified answer (NIST's Thurber: 7 parameters, 37 measurements of semiconductors), then a
small network that learns a function without noise. Both ask for more digits than first-order methods give: along some
directions the loss is millions of times flatter than along others. Needs SciPy for the comparison: pip install scipy.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import optimize

import fnet
from fnet import optimizers, random, serial
from fnet.layers import Dense

MOBILITY = """
    80.574 84.248 87.264 87.195 89.076 89.608 89.868 90.101 92.405 95.854 100.696 101.060 401.672 390.724 567.534
    635.316 733.054 759.087 894.206 990.785 1090.109 1080.914 1122.643 1178.351 1260.531 1273.514 1288.339 1327.543
    1353.863 1414.509 1425.208 1421.384 1442.962 1464.350 1468.705 1447.894 1457.628"""
DENSITY = """
    -3.067 -2.981 -2.921 -2.912 -2.840 -2.797 -2.702 -2.699 -2.633 -2.481 -2.363 -2.322 -1.501 -1.460 -1.274 -1.212
    -1.100 -1.046 -0.915 -0.714 -0.566 -0.545 -0.400 -0.309 -0.109 -0.103 0.010 0.119 0.377 0.790 0.963 1.006 1.115
    1.572 1.841 2.047 2.200"""
CERTIFIED = [1288.1396800, 1491.0792535, 583.23836877, 75.416644291, 0.96629502864, 0.39797285797, 0.049727297349]
START = [1000.0, 1000.0, 400.0, 40.0, 0.7, 0.3, 0.03]


def digits(found: Any) -> float:
    """How many digits of every certified parameter were found."""
    return float(-np.log10(np.max(np.abs(np.asarray(found) / CERTIFIED - 1))))


def regression() -> None:
    """Fit ``(b0 + b1 x + b2 x^2 + b3 x^3) / (1 + b4 x + b5 x^2 + b6 x^3)``."""
    x, y = np.array(DENSITY.split(), float), np.array(MOBILITY.split(), float)

    def residuals(b: Any) -> Any:
        above = b[0] + x * (b[1] + x * (b[2] + x * b[3]))
        return above / (1.0 + x * (b[4] + x * (b[5] + x * b[6]))) - y

    fit = fnet.least_squares(residuals, np.array(START))
    scipy = optimize.least_squares(residuals, START, jac=fnet.jacobian(residuals), method="lm")
    print("Thurber's regression, digits that agree with NIST's certified parameters")
    print(f"  fnet   {digits(fit.params):4.1f}  after {fit.evaluations} evaluations: {fit.message}")
    print(f"  SciPy  {digits(scipy.x):4.1f}  after {scipy.nfev} evaluations")
    assert digits(fit.params) > 7


def adam(loss: Callable[[Any], Any], params: Any, steps: int, device: str) -> float:
    """The loss after so many steps on a device, their rate going to 0 along a cosine."""
    opt = optimizers.adam(fnet.schedules.cosine_decay(0.01, steps))

    def update(params: Any, state: Any) -> Any:
        value, gradients = fnet.value_and_grad(loss)(params)
        updates, state = opt.update(gradients, state, params)
        return optimizers.apply_updates(params, updates), state, value

    step = fnet.jit(update, donate=("params", "state"))
    params, state, value = step(*fnet.to_device((params, opt.init(params)), device))
    params, state, value = step.repeat(steps, params, state)
    return float(value)


def network(iterations: int, seed: int, device: str) -> None:
    """Teach 31 parameters a damped oscillation, in float64."""
    x = np.linspace(-1, 1, 101)[:, None]
    y = np.sin(3 * np.pi * x) * np.exp(-x)
    net = serial(Dense(10, activation="tanh"), Dense(1))
    params, state = net.init(random.key(seed), (1,), np.float64)

    def residuals(params: Any) -> Any:
        return net.apply(params, state, x)[0] - y

    def loss(params: Any) -> Any:
        return 0.5 * np.sum(residuals(params) ** 2)

    begin = time.perf_counter()
    fit = fnet.least_squares(residuals, params, max_iterations=iterations)
    seconds = time.perf_counter() - begin
    work = fit.evaluations + fit.products  # a product with the Jacobian costs about as much as an evaluation
    print(f"A network of 31 parameters, half the sum of squares over 101 points, {float(loss(params)):.1f} at first")
    print(f"  Levenberg-Marquardt  {fit.value:.1e}  {work:7d} evaluations and products, {seconds:.1f} s")

    begin = time.perf_counter()
    reached = adam(loss, params, 100 * work, device)
    print(f"  Adam                 {reached:.1e}  {100 * work:7d} evaluations, {time.perf_counter() - begin:.1f} s")

    begin, (vector, unravel) = time.perf_counter(), fnet.tree.ravel(params)

    def flat(v: Any) -> Any:
        return np.reshape(residuals(unravel(v)), (-1,))

    scipy = optimize.least_squares(
        flat, vector, jac=fnet.jit(fnet.jacobian(flat, "forward")), method="lm", max_nfev=iterations
    )
    print(f"  SciPy, fnet's J      {scipy.cost:.1e}  {scipy.nfev:7d} evaluations, {time.perf_counter() - begin:.1f} s")
    assert fit.value < 2e-5 < reached


def main() -> None:
    """Do both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iterations", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="where Adam works: cpu, cuda, cuda:1, ...")
    options = parser.parse_args()
    regression()
    network(options.iterations, options.seed, options.device)


if __name__ == "__main__":
    main()
