"""Single operations, jitted."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from bench import device
from bench.problems import Operation
from bench.problems import operations as kinds
from bench.protocol import NO_SUCH_ROW, Run, UnavailableError
from bench.workers.jax import networks

Function = Callable[..., jax.Array]


def workload(do: str, operation: Operation) -> Run:
    """Calls of the operation, or of it and its gradients, each waited for; on a card the last one is."""
    arrays = tuple(map(jnp.asarray, operation.arrays()))
    if isinstance(operation, kinds.AdamUpdate):
        return _adam(arrays)
    function = function_of(operation)
    whole = [a for a in arrays if a.dtype == np.int32]

    def value_and_gradients(cotangent: jax.Array, *arrays: jax.Array) -> Any:
        floating = [a for a in arrays if a.dtype != np.int32]
        value, pull = jax.vjp(lambda *floating: function(*floating, *whole), *floating)
        return value, pull(cotangent)

    jitted = jax.jit(function if do == "forward" else value_and_gradients)
    arguments = arrays if do == "forward" else (jnp.ones_like(function(*arrays)), *arrays)

    waits = device.chosen() == device.CPU

    def run(count: int) -> int:
        for _ in range(count):
            results = jitted(*arguments)
            if waits:
                jax.block_until_ready(results)
        jax.block_until_ready(results)
        return count

    return run


def _adam(arrays: tuple[jax.Array, ...]) -> Run:
    optimizer = optax.adam(1e-3, eps=1e-7)
    parameters, gradients = arrays[: len(arrays) // 2], arrays[len(arrays) // 2 :]

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def update(parameters: Any, state: Any, gradients: Any) -> Any:
        updates, state = optimizer.update(gradients, state, parameters)
        return optax.apply_updates(parameters, updates), state

    state = optimizer.init(parameters)

    def run(count: int) -> int:
        nonlocal parameters, state
        for _ in range(count):
            parameters, state = update(parameters, state, gradients)
        jax.block_until_ready(parameters)
        return count

    return run


@functools.singledispatch
def function_of(operation: Operation) -> Function:
    """The function as a user of JAX would write it."""
    raise UnavailableError(NO_SUCH_ROW)


@function_of.register
def _(operation: kinds.Gemm) -> Function:
    return jnp.matmul


CHAINS: dict[str, Function] = {
    "(x - y) / 3 + y * y": lambda x, y: (x - y) / 3.0 + y * y,
    "gelu(x) * y": lambda x, y: jax.nn.gelu(x, approximate=False) * y,
}


@function_of.register
def _(operation: kinds.Elementwise) -> Function:
    if operation.chain not in CHAINS:
        raise UnavailableError(NO_SUCH_ROW)
    return CHAINS[operation.chain]


@function_of.register
def _(operation: kinds.Convolution) -> Function:
    strides, layouts = (operation.stride,) * 2, ("NHWC", "HWIO", "NHWC")
    return lambda x, kernel: lax.conv_general_dilated(x, kernel, strides, "SAME", dimension_numbers=layouts)


@function_of.register
def _(operation: kinds.LSTM) -> Function:
    names = ("kernel", "recurrent_kernel", "bias")
    return lambda x, *weights: networks.lstm(dict(zip(names, weights, strict=True)), x)[1]


@function_of.register
def _(operation: kinds.Attention) -> Function:
    return lambda query, key, value: jax.nn.dot_product_attention(query, key, value, is_causal=operation.causal)


@function_of.register
def _(operation: kinds.Softmax) -> Function:
    return jax.nn.softmax


@function_of.register
def _(operation: kinds.LayerNorm) -> Function:
    return lambda x, gamma, beta: networks.layer_norm({"gamma": gamma, "beta": beta}, x)


@function_of.register
def _(operation: kinds.BatchNorm) -> Function:
    def normalise(x: jax.Array, gamma: jax.Array, beta: jax.Array) -> jax.Array:
        mean, variance = jnp.mean(x, 0), jnp.var(x, 0)
        return (x - mean) * (lax.rsqrt(variance + 1e-3) * gamma) + beta

    return normalise


@function_of.register
def _(operation: kinds.MaxPool) -> Function:
    return networks.pool


@function_of.register
def _(operation: kinds.Embedding) -> Function:
    return lambda table, words: table[words]


@function_of.register
def _(operation: kinds.SumsByIndex) -> Function:
    return lambda weights, index: jnp.bincount(index, weights, length=operation.length)


@function_of.register
def _(operation: kinds.Sort) -> Function:
    return jnp.sort


@function_of.register
def _(operation: kinds.SolvePositive) -> Function:
    return lambda a, b: jax.scipy.linalg.solve(a, b, assume_a="pos")


@function_of.register
def _(operation: kinds.CTC) -> Function:
    zeros = jnp.zeros((operation.batch, operation.steps)), jnp.zeros((operation.batch, operation.labels))
    return lambda logits, labels: optax.ctc_loss(logits, zeros[0], labels, zeros[1]).mean()
