"""JAX with optax: one jitted, donated step; a burst waits for its last result only."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from bench.problems import DIGITS, MLP, SMALL
from bench.protocol import Workload


def start(threads: int) -> str:
    """The processors this process is bound to set the number of threads; returns what this peer is."""
    return f"jax {jax.__version__}, optax {optax.__version__}"


def parameters(problem: MLP) -> list[tuple[jax.Array, jax.Array]]:
    """Kernels and biases."""
    rng = np.random.default_rng(1)
    return [
        (jnp.asarray(rng.standard_normal((a, b), np.float32) / np.float32(a**0.5)), jnp.zeros(b, jnp.float32))
        for a, b in zip(problem.sizes, problem.sizes[1:], strict=False)
    ]


def forward(params: list[tuple[jax.Array, jax.Array]], x: jax.Array) -> jax.Array:
    """The network."""
    for kernel, bias in params[:-1]:
        x = jax.nn.relu(x @ kernel + bias)
    kernel, bias = params[-1]
    return x @ kernel + bias


def training_step(problem: MLP, read: bool = False) -> Callable[[int], int]:
    """Forward, loss, backward and Adam on one batch; `read` looks at the loss of every step."""
    optimizer = optax.adam(1e-3)

    def loss_fn(params: Any, x: jax.Array, t: jax.Array) -> jax.Array:
        y = forward(params, x)
        if problem.classes:
            return optax.softmax_cross_entropy_with_integer_labels(y, t).mean()
        return ((y - t) ** 2).mean()

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(params: Any, opt_state: Any, x: jax.Array, t: jax.Array) -> Any:
        loss, grads = jax.value_and_grad(loss_fn)(params, x, t)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, loss

    params = parameters(problem)
    opt_state = optimizer.init(params)
    x, t = map(jnp.asarray, problem.data())

    def run(count: int) -> int:
        nonlocal params, opt_state
        for _ in range(count):
            params, opt_state, loss = step(params, opt_state, x, t)
            if read:
                float(loss)
        jax.block_until_ready(params)
        return count

    return run


def inference(problem: MLP) -> Callable[[int], int]:
    """One example at a time, each result waited for."""
    params = parameters(problem)
    apply = jax.jit(forward)
    x = jnp.asarray(problem.data()[0][:1])

    def run(count: int) -> int:
        for _ in range(count):
            apply(params, x).block_until_ready()
        return count

    return run


WORKLOADS: dict[str, Workload] = {
    "step_small": lambda: training_step(SMALL),
    "step_small_read": lambda: training_step(SMALL, read=True),
    "step_digits": lambda: training_step(DIGITS),
    "infer_digits": lambda: inference(DIGITS),
}
