"""fnet: the donated jitted step of the contract, `Trainer.fit`, and jitted inference."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import fnet
from bench.problems import DIGITS, FIT_BATCHES, MLP, SMALL
from bench.protocol import Workload
from fnet.layers import Dense


def start(threads: int) -> str:
    """NUMBA_NUM_THREADS, which the parent set, is the number of threads; returns what this peer is."""
    return f"fnet {fnet.__version__}"


def network(problem: MLP) -> Any:
    """The network of a problem."""
    *hidden, last = problem.sizes[1:]
    return fnet.serial(*(Dense(n, activation="relu") for n in hidden), Dense(last))


def loss_of(problem: MLP) -> Callable[..., Any]:
    """The loss of a problem."""
    if problem.classes:
        return partial(fnet.losses.sparse_categorical_crossentropy, from_logits=True)
    return fnet.losses.mean_squared_error


def training_step(problem: MLP, read: bool = False) -> Callable[[int], int]:
    """Forward, loss, backward and Adam on one batch, in place; `read` looks at the loss of every step."""
    net, loss, optimizer = network(problem), loss_of(problem), fnet.optimizers.adam(1e-3)

    def loss_fn(params: Any, state: Any, x: Any, t: Any) -> Any:
        y, state = net.apply(params, state, x, train=True)
        return loss(t, y), state

    @fnet.jit(donate=("params", "state", "opt_state"))
    def step(params: Any, state: Any, opt_state: Any, x: Any, t: Any) -> Any:
        (value, state), grads = fnet.value_and_grad(loss_fn, has_aux=True)(params, state, x, t)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return fnet.optimizers.apply_updates(params, updates), state, opt_state, value

    params, state = net.init(fnet.random.key(0), problem.sizes[:1])
    opt_state = optimizer.init(params)
    x, t = problem.data()

    def run(count: int) -> int:
        nonlocal params, state, opt_state
        for _ in range(count):
            params, state, opt_state, value = step(params, state, opt_state, x, t)
            if read:
                float(value)
        return count

    return run


def fit(problem: MLP) -> Callable[[int], int]:
    """Epochs of FIT_BATCHES batches."""
    trainer = fnet.Trainer(network(problem), loss=loss_of(problem), optimizer=fnet.optimizers.adam(1e-3))
    train_state = trainer.init(fnet.random.key(0), problem.sizes[:1])
    x, t = problem.data(FIT_BATCHES)

    def run(count: int) -> int:
        nonlocal train_state
        epochs = -(-count // FIT_BATCHES)
        train_state, _ = trainer.fit(train_state, x, t, batch_size=problem.batch, epochs=epochs, verbose=False)
        return epochs * FIT_BATCHES

    return run


def inference(problem: MLP) -> Callable[[int], int]:
    """One example at a time, the parameters held by the function."""
    net = network(problem)
    params, state = net.init(fnet.random.key(0), problem.sizes[:1])
    apply = fnet.jit(lambda x: net.apply(params, state, x)[0])
    x = np.ascontiguousarray(problem.data()[0][:1])

    def run(count: int) -> int:
        for _ in range(count):
            apply(x)
        return count

    return run


WORKLOADS: dict[str, Workload] = {
    "step_small": lambda: training_step(SMALL),
    "step_small_read": lambda: training_step(SMALL, read=True),
    "fit_small": lambda: fit(SMALL),
    "step_digits": lambda: training_step(DIGITS),
    "infer_digits": lambda: inference(DIGITS),
}
