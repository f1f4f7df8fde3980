"""Single operations, channels last where images are involved."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from bench.problems import Operation
from bench.problems import operations as kinds
from bench.protocol import NO_SUCH_ROW, Run, UnavailableError
from bench.workers.torch.place import DEVICE
from bench.workers.torch.weights import load_one

Function = Callable[..., torch.Tensor]


COMPILED = (kinds.Elementwise, kinds.Softmax)
"""The operations for which `torch.compile` writes kernels of its own."""


def workload(do: str, operation: Operation, dtype: torch.dtype, compiled: bool = False) -> Run:
    """Calls of the operation, or of it and its gradients."""
    if compiled and not isinstance(operation, COMPILED):
        raise UnavailableError(NO_SUCH_ROW)
    arrays = _tensors(operation, dtype)
    if isinstance(operation, kinds.AdamUpdate):
        return _adam(arrays)
    function, arguments = prepare(operation, *arrays)
    if compiled:
        torch.compiler.reset()
        function = torch.compile(function)
    leaves = [x.requires_grad_() for x in arguments if x.is_floating_point()]
    with torch.no_grad():
        cotangent = torch.ones_like(function(*arguments))

    def forward(count: int) -> int:
        with torch.no_grad():
            for _ in range(count):
                function(*arguments)
        return count

    def both(count: int) -> int:
        for _ in range(count):
            torch.autograd.grad(function(*arguments), leaves, cotangent)
        return count

    return forward if do == "forward" else both


@torch.no_grad()
def result(operation: Operation, dtype: torch.dtype) -> np.ndarray:
    """The value of the operation in this floating dtype."""
    function, arguments = prepare(operation, *_tensors(operation, dtype))
    return function(*arguments).double().cpu().numpy()


def _tensors(operation: Operation, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    tensors = (torch.from_numpy(x).to(DEVICE) for x in operation.arrays())
    return tuple(x.to(dtype) if x.is_floating_point() else x for x in tensors)


def _adam(arrays: tuple[torch.Tensor, ...]) -> Run:
    parameters, gradients = arrays[: len(arrays) // 2], arrays[len(arrays) // 2 :]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    optimizer = torch.optim.Adam(parameters, 1e-3, eps=1e-7, fused=True)

    def run(count: int) -> int:
        for _ in range(count):
            optimizer.step()
        return count

    return run


@functools.singledispatch
def prepare(operation: Operation, *arrays: torch.Tensor) -> tuple[Function, list[torch.Tensor]]:
    """The function of PyTorch's, and its arguments in PyTorch's layout."""
    raise UnavailableError(NO_SUCH_ROW)


@prepare.register
def _(operation: kinds.Gemm, *arrays: torch.Tensor) -> Any:
    return torch.matmul, arrays


@prepare.register
def _(operation: kinds.Convolution, x: torch.Tensor, kernel: torch.Tensor) -> Any:
    images = x.permute(0, 3, 1, 2)
    weight = kernel.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
    stride, padding = operation.stride, (operation.kernel - 1) // 2
    return lambda x, w: functional.conv2d(x, w, stride=stride, padding=padding), [images, weight]


@prepare.register
def _(operation: kinds.LSTM, x: torch.Tensor, *weights: torch.Tensor) -> Any:
    layer = nn.LSTM(operation.features, operation.units, batch_first=True)
    names = ("kernel", "recurrent_kernel", "bias")
    load_one(layer, {name: weight.float().cpu().numpy() for name, weight in zip(names, weights, strict=True)})
    layer.to(x.device, x.dtype)
    return lambda x, *weights: layer(x)[0], [x, *layer.parameters()]


@prepare.register
def _(operation: kinds.Attention, *arrays: torch.Tensor) -> Any:
    def attention(*qkv: torch.Tensor) -> torch.Tensor:
        heads_first = (part.transpose(1, 2) for part in qkv)
        return functional.scaled_dot_product_attention(*heads_first, is_causal=operation.causal).transpose(1, 2)

    return attention, arrays


@prepare.register
def _(operation: kinds.Softmax, *arrays: torch.Tensor) -> Any:
    return lambda x: torch.softmax(x, -1), arrays


@prepare.register
def _(operation: kinds.LayerNorm, *arrays: torch.Tensor) -> Any:
    return lambda x, gamma, beta: functional.layer_norm(x, gamma.shape, gamma, beta, 1e-5), arrays


@prepare.register
def _(operation: kinds.BatchNorm, *arrays: torch.Tensor) -> Any:
    return lambda x, gamma, beta: functional.batch_norm(x, None, None, gamma, beta, True, 0.01, 1e-3), arrays


@prepare.register
def _(operation: kinds.MaxPool, x: torch.Tensor) -> Any:
    return lambda x: functional.max_pool2d(x, 2), [x.permute(0, 3, 1, 2)]


@prepare.register
def _(operation: kinds.Embedding, table: torch.Tensor, words: torch.Tensor) -> Any:
    return lambda table, words: functional.embedding(words, table), [table, words.long()]


@prepare.register
def _(operation: kinds.SumsByIndex, weights: torch.Tensor, index: torch.Tensor) -> Any:
    zeros = weights.new_zeros(operation.length)
    return lambda weights, index: zeros.index_add(0, index, weights), [weights, index.long()]


@prepare.register
def _(operation: kinds.Sort, x: torch.Tensor) -> Any:
    return lambda x: torch.sort(x).values, [x]


@prepare.register
def _(operation: kinds.SolvePositive, a: torch.Tensor, b: torch.Tensor) -> Any:
    return lambda a, b: torch.cholesky_solve(b[:, None], torch.linalg.cholesky(a))[:, 0], [a, b]


CHAINS: dict[str, Function] = {
    "(x - y) / 3 + y * y": lambda x, y: (x - y) / 3.0 + y * y,
    "gelu(x) * y": lambda x, y: functional.gelu(x) * y,
}


@prepare.register
def _(operation: kinds.Elementwise, *arrays: torch.Tensor) -> Any:
    if operation.chain not in CHAINS:
        raise UnavailableError(NO_SUCH_ROW)
    return CHAINS[operation.chain], arrays


@prepare.register
def _(operation: kinds.CTC, logits: torch.Tensor, labels: torch.Tensor) -> Any:
    lengths = [torch.full((operation.batch,), n) for n in (operation.steps, operation.labels)]

    def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        log_p = functional.log_softmax(logits, -1).transpose(0, 1)
        return functional.ctc_loss(log_p, labels, *lengths, reduction="none").mean()

    return loss, [logits, labels.long()]
