"""Single operations, jitted; a layer where that is what users call."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import fnet
from bench.problems import Operation
from bench.problems import operations as kinds
from bench.protocol import NO_SUCH_ROW, Run, UnavailableError
from bench.workers.fnet import ceilings
from bench.workers.fnet.dtypes import floats_to
from bench.workers.fnet.place import ON_CARD, there
from fnet import layers, ops

Function = Callable[..., Any]


def workload(do: str, operation: Operation) -> Run:
    """Calls of the operation, or of it and its gradients."""
    arrays = there(operation.arrays())
    if isinstance(operation, kinds.MultiplyAdds):
        return ceilings.multiply_adds(operation.count)
    if isinstance(operation, kinds.Copy):
        return ceilings.copies_on_card(*arrays) if ON_CARD else ceilings.copies(*arrays)
    if isinstance(operation, kinds.AdamUpdate):
        return _adam(arrays)
    function = function_of(operation)
    whole = [a for a in arrays if a.dtype == np.int32]

    def value_and_gradients(cotangent: Any, *arrays: Any) -> Any:
        floating = [a for a in arrays if a.dtype != np.int32]
        value, pull = fnet.vjp(lambda *floating: function(*floating, *whole), *floating)
        return value, *pull(cotangent)

    jitted = fnet.jit(function if do == "forward" else value_and_gradients)
    arguments = arrays if do == "forward" else (np.ones_like(function(*arrays)), *arrays)

    def run(count: int) -> int:
        for _ in range(count):
            jitted(*arguments)
        return count

    return run


def result(operation: Operation, dtype: str) -> np.ndarray:
    """The value of the operation in this floating dtype."""
    return np.asarray(fnet.jit(function_of(operation))(*floats_to(dtype, operation.arrays())))


def _adam(arrays: tuple[np.ndarray, ...]) -> Run:
    optimizer = fnet.optimizers.adam(1e-3)
    parameters, gradients = arrays[: len(arrays) // 2], arrays[len(arrays) // 2 :]

    @fnet.jit(donate=("parameters", "state"))
    def update(parameters: Any, state: Any, gradients: Any) -> Any:
        updates, state = optimizer.update(gradients, state, parameters)
        return fnet.optimizers.apply_updates(parameters, updates), state

    state = there(optimizer.init(parameters))

    def run(count: int) -> int:
        nonlocal parameters, state
        parameters, state = update.repeat(count, parameters, state, gradients)
        return count

    return run


CHAINS: dict[str, Function] = {
    "(x - y) / 3 + y * y": lambda x, y: (x - y) / 3.0 + y * y,
    "x / (1 + abs(y))": lambda x, y: x / (1.0 + ops.absolute(y)),
    "(x - 0.1) / sqrt(y^2 + 1e-5) * y": lambda x, y: (x - 0.1) / ops.sqrt(y * y + 1e-5) * y,
    "gelu(x) * y": lambda x, y: ops.gelu(x) * y,
    "tanh(x) * sigmoid(y)": lambda x, y: ops.tanh(x) * ops.sigmoid(y),
}


@functools.singledispatch
def function_of(operation: Operation) -> Function:
    """The function as a user of fnet would write it."""
    raise UnavailableError(NO_SUCH_ROW)


@function_of.register
def _(operation: kinds.Gemm) -> Function:
    return ops.matmul


@function_of.register
def _(operation: kinds.Convolution) -> Function:
    layer = layers.Conv2D(operation.filters, operation.kernel, strides=operation.stride, padding="same", use_bias=False)
    return lambda x, kernel: layer.apply({"kernel": kernel}, {}, x)[0]


@function_of.register
def _(operation: kinds.LSTM) -> Function:
    layer, names = layers.LSTM(operation.units, return_sequences=True), ("kernel", "recurrent_kernel", "bias")
    return lambda x, *weights: layer.apply(dict(zip(names, weights, strict=True)), {}, x)[0]


@function_of.register
def _(operation: kinds.Attention) -> Function:
    return lambda query, key, value: ops.dot_product_attention(query, key, value, causal=operation.causal)


@function_of.register
def _(operation: kinds.Softmax) -> Function:
    return ops.softmax


@function_of.register
def _(operation: kinds.LayerNorm) -> Function:
    return lambda x, gamma, beta: ops.layer_normalization(x, gamma, beta, 1e-5)


@function_of.register
def _(operation: kinds.BatchNorm) -> Function:
    return lambda x, gamma, beta: ops.batch_normalization(x, gamma, beta, 1e-3)[0]


@function_of.register
def _(operation: kinds.MaxPool) -> Function:
    return lambda x: ops.max_pool(x, 2)


@function_of.register
def _(operation: kinds.Embedding) -> Function:
    return ops.take


@function_of.register
def _(operation: kinds.SumsByIndex) -> Function:
    return lambda weights, index: ops.bincount(index, weights, operation.length)


@function_of.register
def _(operation: kinds.Sort) -> Function:
    return ops.sort


@function_of.register
def _(operation: kinds.SolvePositive) -> Function:
    return ops.solve_positive


@function_of.register
def _(operation: kinds.Elementwise) -> Function:
    return CHAINS[operation.chain]


@function_of.register
def _(operation: kinds.CTC) -> Function:
    return lambda logits, labels: fnet.losses.ctc(labels, logits)
