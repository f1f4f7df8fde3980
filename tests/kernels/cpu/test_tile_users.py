"""Which kernels compute an operation where tiles are the fastest way: its own, or those of matrix products."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

import fnet
from fnet import ops
from tests.kernels.cpu.tile_reference import COMPILED, emulate
from tests.test_precision import attention, recurrence

pytestmark = COMPILED


def ones(*shape):
    return np.ones(shape, np.float32)


def differentiated(f):
    def run(*arrays):
        y, pull = fnet.vjp(f, *arrays)
        return y, pull(y)

    return run


GEMM = "gemm_tiles"
RECURRENT = {name: recurrence(name, (64, 3, 70, 96)) for name in ("simple_rnn", "lstm", "gru")}
USERS = {
    "matmul": ((ops.matmul, [ones(64, 70), ones(70, 80)]), {GEMM: 3}),
    "einsum": ((lambda a, b: ops.einsum("bsd,dhe->bshe", a, b), [ones(8, 9, 64), ones(64, 8, 9)]), {GEMM: 3}),
    "a convolution of single pixels": ((ops.conv, [ones(2, 8, 9, 64), ones(1, 1, 64, 70)]), {GEMM: 3}),
    "a convolution": (
        (ops.conv, [ones(2, 20, 20, 64), ones(3, 3, 64, 32)]),
        {"gather_tiles": 2, "weight_gradient_tiles": 1},
    ),
    "a transposed convolution": (
        (ops.conv_transpose, [ones(2, 20, 20, 64), ones(3, 3, 32, 64)]),
        {"gather_tiles": 2, "weight_gradient_tiles": 1},
    ),
    "simple_rnn": (RECURRENT["simple_rnn"], {GEMM: 2}),  # the gradients of the input and of all weights
    "lstm": (RECURRENT["lstm"], {GEMM: 2}),
    "gru": (RECURRENT["gru"], {GEMM: 3}),
    "attention": (attention((70, 65, 32, 32)), {"attention_tiles": 1, "attention_vjp_tiles": 1}),
    "many small products": ((ops.matmul, [ones(30, 64, 64), ones(30, 64, 64)]), {}),
}


@pytest.mark.parametrize("name", USERS)
def test_an_operation_and_its_gradients_take_tiles(name, monkeypatch):
    emulate(monkeypatch)
    (f, arrays), expected = USERS[name]
    with fnet.precision("high"):
        plan = str(fnet.jit(differentiated(f)).plan(*arrays))
    assert Counter(re.findall(r"\b\w+_tiles\b", plan)) == expected


@pytest.mark.parametrize("name", RECURRENT)
def test_steps_of_recurrences_pack_operands_for_tiles(name, monkeypatch):
    emulate(monkeypatch)
    f, arrays = RECURRENT[name]
    for level, kind in (("high", "uint64"), ("medium", "uint16")):
        with fnet.precision(level):
            plan = str(fnet.jit(differentiated(f)).plan(*arrays))
        steps = [line for line in plan.splitlines() if re.search(r"\b(forward|backward)\b", line)]
        assert len(steps) == 2 and all(kind in line for line in steps)
