"""Layers and kernels of your own, checked like those of the library.

    python examples/custom_layer.py

1. `Highway`, a layer written in plain Python with loops and branches: a Layer is any pair (init, apply).
2. `Prototypes`, a layer on an operation that the library lacks, the sums of absolute differences of all pairs of rows.
   With `fnet.primitive` your own Numba functions compute it and its derivatives, without an array of all differences.
`fnet.testing` compares every derivative with finite differences, and the layers with the contract. Both layers are then
trained to tell three sorts of wine by 13 measurements (scikit-learn). Result: at least 93 % right on wines held out.
Source of the idea: R. Srivastava et al., Highway Networks, 2015. Needs scikit-learn: pip install fnet[examples].
"""

from __future__ import annotations

import argparse
from typing import Any

import numba
import numpy as np
from numba import cuda
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

import fnet
from fnet import ArraySpec, Layer, activations, initializers, losses, random, serial
from fnet.layers import Dense
from fnet.testing import check_grads, check_layer


def Highway(depth: int, gated: bool = True) -> Layer:  # noqa: N802 (a layer's name)
    """`depth` times ``x = g tanh(x A + a) + (1 - g) x`` with ``g = sigmoid(x B + b)``, or without gates g = 1."""
    branches = ("update", "gate") if gated else ("update",)
    make = initializers.get("glorot_uniform")

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        size, params = shape[-1], {}
        for i, own_key in enumerate(random.split(key, depth)):
            for j, branch in enumerate(branches):
                kernel = make(random.fold_in(own_key, j), (size, size), dtype)
                # A gate begins nearly shut, so that a deep network begins as the identity.
                bias = np.full(size, -2 if branch == "gate" else 0, dtype)
                params[f"{branch}_{i}"] = {"kernel": kernel, "bias": bias}
        return params, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        for i in range(depth):
            y = {b: x @ params[f"{b}_{i}"]["kernel"] + params[f"{b}_{i}"]["bias"] for b in branches}
            if gated:
                gate = activations.sigmoid(y["gate"])
                x = gate * np.tanh(y["update"]) + (1 - gate) * x
            else:
                x = np.tanh(y["update"])
        return x, state

    return Layer(init, apply, name="highway", config={"depth": depth, "gated": gated})


# Kernels are void functions of inputs, outputs and sizes. Every array is flat, rows one after the other.


@numba.njit(cache=True)
def distances_kernel(x, c, y, rows, prototypes, size):  # type: ignore[no-untyped-def]
    """y[i, j] = sum_k |x[i, k] - c[j, k]|."""
    for i in range(rows):
        for j in range(prototypes):
            total = x[0] * 0
            for k in range(size):
                total += abs(x[i * size + k] - c[j * size + k])
            y[i * prototypes + j] = total


@numba.njit(cache=True)
def pull_kernel(g, x, c, gx, gc, rows, prototypes, size):  # type: ignore[no-untyped-def]
    """gx[i, k] = sum_j g[i, j] sign(x[i, k] - c[j, k]); gc[j, k] is minus the sum over i."""
    for n in range(rows * size):
        gx[n] = 0
    for n in range(prototypes * size):
        gc[n] = 0
    for i in range(rows):
        for j in range(prototypes):
            for k in range(size):
                slope = g[i * prototypes + j] * np.sign(x[i * size + k] - c[j * size + k])
                gx[i * size + k] += slope
                gc[j * size + k] -= slope


@numba.njit(cache=True)
def push_kernel(vx, vc, x, c, y, rows, prototypes, size):  # type: ignore[no-untyped-def]
    """y[i, j] = sum_k sign(x[i, k] - c[j, k]) (vx[i, k] - vc[j, k])."""
    for i in range(rows):
        for j in range(prototypes):
            total = x[0] * 0
            for k in range(size):
                total += np.sign(x[i * size + k] - c[j * size + k]) * (vx[i * size + k] - vc[j * size + k])
            y[i * prototypes + j] = total


# The same for a card: a thread for each number, which it writes alone.
THREADS = 128


@cuda.jit
def distances_on_card(x, c, y, rows, prototypes, size):  # type: ignore[no-untyped-def]
    """y[i, j] = sum_k |x[i, k] - c[j, k]|."""
    n = cuda.grid(1)
    if n < rows * prototypes:
        i, j = n // prototypes, n % prototypes
        total = x[0] * 0
        for k in range(size):
            total += abs(x[i * size + k] - c[j * size + k])
        y[n] = total


@cuda.jit
def pull_on_card(g, x, c, gx, gc, rows, prototypes, size):  # type: ignore[no-untyped-def]
    """gx[i, k] = sum_j g[i, j] sign(x[i, k] - c[j, k]); gc[j, k] is minus the sum over i."""
    n = cuda.grid(1)
    k = n % size
    if n < rows * size:
        first, total = n // size * prototypes, x[0] * 0
        for j in range(prototypes):
            if x[n] > c[j * size + k]:
                total += g[first + j]
            elif x[n] < c[j * size + k]:
                total -= g[first + j]
        gx[n] = total
    if n < prototypes * size:
        total = x[0] * 0
        for i in range(rows):
            if x[i * size + k] > c[n]:
                total -= g[i * prototypes + n // size]
            elif x[i * size + k] < c[n]:
                total += g[i * prototypes + n // size]
        gc[n] = total


def sizes(*specs: ArraySpec) -> tuple[int, int, int]:
    """The integers for the kernels; x and c are the last two inputs."""
    x, c = specs[-2:]
    return x.shape[0], c.shape[0], x.shape[1]


def pairs(*specs: ArraySpec) -> ArraySpec:
    """The shape of an array of a number for every pair of rows of x and c."""
    return ArraySpec((specs[-2].shape[0], specs[-1].shape[0]), specs[-2].dtype)


def vjp_of_pull(h: Any, y: Any, g: Any, x: Any, c: Any) -> tuple[Any, Any, Any]:
    """The two derivatives are each other's transposes; where a sign changes counts for nothing."""
    hx, hc = (np.zeros(a.shape, a.dtype) if part is None else part for part, a in zip(h, (x, c), strict=True))
    return push(hx, hc, x, c), None, None


# The cotangent g of an operation with several results is a tuple, with None for a result that nothing depends on.
pull = fnet.primitive(
    "pull",
    shape=lambda g, x, c: (x, c),
    kernel=pull_kernel,
    sizes=sizes,
    vjp=vjp_of_pull,
    multiple=True,
    cuda=pull_on_card,
    launch=lambda g, x, c: (-(-max(x.size, c.size) // THREADS), THREADS),
)
push = fnet.primitive(
    "push", shape=pairs, kernel=push_kernel, sizes=sizes, vjp=lambda g, y, vx, vc, x, c: (*pull(g, x, c), None, None)
)
distances = fnet.primitive(
    "distances",
    shape=pairs,
    kernel=distances_kernel,
    sizes=sizes,
    vjp=lambda g, y, x, c: pull(g, x, c),
    cuda=distances_on_card,
)


def Prototypes(units: int) -> Layer:  # noqa: N802 (a layer's name)
    """``y[n, j] = -sum_k |x[n, k] - c[j, k]| / K``: how near x is to each of the learnt rows c."""

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        return {"prototypes": random.normal(key, (units, shape[-1]), dtype)}, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        return -distances(x, params["prototypes"]) / x.shape[-1], state

    return Layer(init, apply, name="prototypes", config={"units": units})


def main() -> None:
    """Check, then train both layers together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="where it is trained: cpu, cuda, cuda:1, ...")
    device = parser.parse_args().device

    rng = np.random.default_rng(0)
    x, c = rng.normal(size=(5, 4)), rng.normal(size=(3, 4))
    np.testing.assert_allclose(distances(x, c), np.abs(x[:, None] - c).sum(axis=-1), rtol=1e-12)
    check_grads(distances, x, c, order=2)
    check_layer(Prototypes(3), (4,), order=2)
    check_layer(Highway(3), (4,), order=2)
    check_layer(Highway(2, gated=False), (4,))
    print("kernels, derivatives of first and second order and both layers are right")

    samples, sorts = load_wine(return_X_y=True)
    x, x_test, y, y_test = train_test_split(samples, sorts, test_size=0.3, stratify=sorts, random_state=0)
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    net = serial(Highway(4), Prototypes(12), Dense(3))
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    trainer = fnet.Trainer(net, loss, fnet.optimizers.adam(1e-2), metrics=["accuracy"])
    ts = fnet.to_device(trainer.init(random.key(0), shape=(13,)), device)
    known = fnet.to_device(((x - mean) / deviation, y), device)
    ts, _ = trainer.fit(ts, *known, batch_size=31, epochs=40, verbose=False)
    accuracy = trainer.evaluate(ts, *fnet.to_device(((x_test - mean) / deviation, y_test), device))["accuracy"]
    print(f"test accuracy {accuracy:.4f} on {len(y_test)} wines")
    assert accuracy >= 0.93


if __name__ == "__main__":
    main()
