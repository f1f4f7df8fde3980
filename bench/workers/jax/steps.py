"""What is timed: training steps and calls for inference."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from bench.problems import VGG, Network
from bench.protocol import Run
from bench.workers.jax.networks import forward


class Training:
    """A training loop on one batch: forward, loss, backward and Adam; `read` looks at every loss."""

    def __init__(self, problem: Network, read: bool = False) -> None:
        optimizer, loss = optax.adam(1e-3, eps=1e-7), LOSSES[problem.loss]

        def loss_fn(params: Any, state: Any, x: Any, t: Any) -> Any:
            y, state = forward(problem, params, state, x)
            return loss(y, t), state

        @functools.partial(jax.jit, donate_argnums=(0, 1, 2))
        def step(params: Any, state: Any, opt_state: Any, x: Any, t: Any) -> Any:
            (value, state), grads = jax.value_and_grad(loss_fn, has_aux=True)(params, state, x, t)
            updates, opt_state = optimizer.update(grads, opt_state, params)
            return optax.apply_updates(params, updates), state, opt_state, value

        params = jax.tree.map(jnp.asarray, problem.weights())
        self.step = step
        self.read = read
        self.x, self.t = jax.tree.map(jnp.asarray, problem.data())
        state = moving_statistics(params) if isinstance(problem, VGG) else {}
        self.carried = (params, state, optimizer.init(params))

    def run(self, count: int) -> int:
        """Do `count` steps."""
        step, read, x, t = self.step, self.read, self.x, self.t
        params, state, opt_state = self.carried
        for _ in range(count):
            params, state, opt_state, value = step(params, state, opt_state, x, t)
            if read:
                float(value)
        jax.block_until_ready(params)
        self.carried, self.value = (params, state, opt_state), value
        return count

    def losses(self, count: int) -> list[float]:
        """Do `count` steps and look at their losses."""
        found = []
        for _ in range(count):
            self.run(1)
            found.append(float(self.value))
        return found


def inference(problem: Network) -> Run:
    """One example at a time, each result waited for."""
    params = jax.tree.map(jnp.asarray, problem.weights())
    apply = jax.jit(lambda params, x: forward(problem, params, {}, x)[0])
    x = jax.tree.map(lambda a: jnp.asarray(a[:1]), problem.data()[0])

    def run(count: int) -> int:
        for _ in range(count):
            apply(params, x).block_until_ready()
        return count

    return run


def moving_statistics(params: Any) -> Any:
    """The state of the batch normalisations."""
    gammas = {name: leaves["gamma"] for name, leaves in params.items() if "gamma" in leaves}
    return {name: {"mean": jnp.zeros_like(g), "variance": jnp.ones_like(g)} for name, g in gammas.items()}


def _mse(y: jax.Array, t: jax.Array) -> jax.Array:
    return jnp.mean((y - t) ** 2)


def _classes(y: jax.Array, t: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(y, t).mean()


def _ticket(y: tuple[jax.Array, jax.Array], t: tuple[jax.Array, jax.Array]) -> jax.Array:
    (is_urgent, is_for), (priority, department) = y, t
    return optax.sigmoid_binary_cross_entropy(is_urgent, priority).mean() + 0.2 * _classes(is_for, department)


def _ctc(y: jax.Array, t: jax.Array) -> jax.Array:
    padding = jnp.zeros(y.shape[:2], y.dtype), jnp.zeros(t.shape, y.dtype)
    return optax.ctc_loss(y, padding[0], t, padding[1]).mean()


LOSSES: dict[str, Callable[..., jax.Array]] = {"mse": _mse, "classes": _classes, "ticket": _ticket, "ctc": _ctc}
