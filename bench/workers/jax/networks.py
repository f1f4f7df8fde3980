"""The networks of the problems as functions of their weights, which lie in a dict of dicts."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from bench.problems import CNN, MLP, VGG, DenseLSTM, FanOut, Network, Recurrent, Speech, Ticket, Transformer

relu, tanh, sigmoid = jax.nn.relu, jnp.tanh, jax.nn.sigmoid


@functools.singledispatch
def forward(problem: Network, params: Any, state: Any, x: Any) -> tuple[Any, Any]:
    """The output of a problem's network and its state, both for training."""
    raise NotImplementedError


def dense(params: Any, x: jax.Array) -> jax.Array:
    """``x K + b``."""
    return x @ params["kernel"] + params["bias"]


@forward.register
def _(problem: MLP, params: Any, state: Any, x: Any) -> tuple[Any, Any]:
    *hidden, last = (params[name] for name in problem.shapes)  # a dict comes out of jit in the order of its keys
    for layer in hidden:
        x = relu(dense(layer, x))
    return dense(last, x), state


@forward.register
def _(problem: FanOut, params: Any, state: Any, x: Any) -> tuple[Any, Any]:
    branches = [act(dense(params[f"branch_{i}"], x)) for i, act in enumerate((relu, relu, tanh))]
    hidden = relu(dense(params["hidden"], jnp.concatenate(branches, -1)))
    return dense(params["output"], hidden), state


def convolution(kernel: jax.Array, x: jax.Array, padding: str) -> jax.Array:
    """On images (N, H, W, C)."""
    return lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def pool(x: jax.Array) -> jax.Array:
    """The maximum of 2x2 windows."""
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


@forward.register
def _(problem: CNN, params: Any, state: Any, x: Any) -> tuple[Any, Any]:
    for i in range(2):
        layer = params[f"conv_{i}"]
        x = pool(relu(convolution(layer["kernel"], x, "VALID") + layer["bias"]))
    hidden = relu(dense(params["hidden"], x.reshape(len(x), -1)))
    return dense(params["output"], hidden), state


@forward.register
def _(problem: VGG, params: Any, state: Any, x: Any) -> tuple[Any, Any]:
    state = dict(state)
    for i in range(4):
        name = f"norm_{i}"
        x = convolution(params[f"conv_{i}"]["kernel"], x, "SAME")
        x, state[name] = batch_norm(params[name], state[name], x)
        x = pool(relu(x)) if i % 2 else relu(x)
    return dense(params["output"], x.reshape(len(x), -1)), state


def batch_norm(params: Any, state: Any, x: jax.Array) -> tuple[jax.Array, Any]:
    """With the statistics of the batch, which the moving ones follow by a hundredth."""
    mean, variance = jnp.mean(x, (0, 1, 2)), jnp.var(x, (0, 1, 2))
    moving = {"mean": mean, "variance": variance}
    state = jax.tree.map(lambda old, new: 0.99 * old + 0.01 * lax.stop_gradient(new), state, moving)
    return (x - mean) * (lax.rsqrt(variance + 1e-3) * params["gamma"]) + params["beta"], state


def rnn(params: Any, x: jax.Array) -> jax.Array:
    """The last output of a tanh cell on (N, T, D)."""
    inputs = jnp.swapaxes(dense(params, x), 0, 1)

    def step(h: jax.Array, gates: jax.Array) -> tuple[jax.Array, None]:
        return tanh(gates + h @ params["recurrent_kernel"]), None

    start = jnp.zeros((len(x), params["recurrent_kernel"].shape[0]), x.dtype)
    return lax.scan(step, start, inputs)[0]


def lstm(params: Any, x: jax.Array, reverse: bool = False) -> tuple[jax.Array, jax.Array]:
    """The last output and all outputs (T, N, U) of an LSTM on (N, T, D).

    On a CPU it is faster to multiply the inputs step by step than all at once before.
    """

    def step(carry: tuple[jax.Array, jax.Array], x: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        h, c = carry
        gates = dense(params, x) + h @ params["recurrent_kernel"]
        i, f, candidate, o = jnp.split(gates, 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * tanh(candidate)
        h = sigmoid(o) * tanh(c)
        return (h, c), h

    start = jnp.zeros((len(x), params["recurrent_kernel"].shape[0]), x.dtype)
    (h, _), outputs = lax.scan(step, (start, start), jnp.swapaxes(x, 0, 1), reverse=reverse)
    return h, outputs


@forward.register
def _(problem: Recurrent, params: Any, state: Any, x: Any) -> tuple[Any, Any]:
    last = lstm(params["cell"], x)[0] if problem.cell == "lstm" else rnn(params["cell"], x)
    return dense(params["output"], last), state


@forward.register
def _(problem: DenseLSTM, params: Any, state: Any, x: Any) -> tuple[Any, Any]:
    hidden = relu(dense(params["hidden_1"], relu(dense(params["hidden_0"], x[0]))))
    last, _ = lstm(params["lstm"], x[1])
    joined = dense(params["joined"], jnp.concatenate((hidden, last), -1))
    return dense(params["output"], joined), state


@forward.register
def _(problem: Ticket, params: Any, state: Any, x: Any) -> tuple[Any, Any]:
    *texts, tags = x
    parts = zip(("title", "body"), texts, strict=True)
    last = [lstm(params[name], params[f"{name}_words"]["embeddings"][text])[0] for name, text in parts]
    features = jnp.concatenate((*last, tags), -1)
    return (dense(params["priority"], features), dense(params["department"], features)), state


@forward.register
def _(problem: Speech, params: Any, state: Any, x: Any) -> tuple[Any, Any]:
    _, forwards = lstm(params["forward"], x)
    _, backwards = lstm(params["backward"], x, reverse=True)
    outputs = jnp.concatenate((forwards, backwards), -1)
    return dense(params["output"], jnp.swapaxes(outputs, 0, 1)), state


@forward.register
def _(problem: Transformer, params: Any, state: Any, x: Any) -> tuple[Any, Any]:
    x = params["words"]["embeddings"][x] + params["positions"]["embeddings"]
    for b in range(problem.blocks):
        y = layer_norm(params[f"norm_{b}a"], x)
        parts = (dense(params[f"{part}_{b}"], y) for part in ("query", "key", "value"))
        query, key, value = (part.reshape(*part.shape[:2], problem.heads, -1) for part in parts)
        y = jax.nn.dot_product_attention(query, key, value, is_causal=True)
        x = x + dense(params[f"attended_{b}"], y.reshape(x.shape))
        wide = jax.nn.gelu(dense(params[f"wide_{b}"], layer_norm(params[f"norm_{b}b"], x)), approximate=False)
        x = x + dense(params[f"narrow_{b}"], wide)
    return dense(params["output"], layer_norm(params["norm"], x)), state


def layer_norm(params: Any, x: jax.Array) -> jax.Array:
    """Over the last axis."""
    mean, variance = jnp.mean(x, -1, keepdims=True), jnp.var(x, -1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-5) * params["gamma"] + params["beta"]
