"""`python -m bench.calls`: how many Python functions one eager call enters, which is what small arrays wait for.

The counts are exact: other load on the machine does not change them. Only versions of Python do, which count
comprehensions or do not.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np

import fnet
from fnet import layers, losses, ops, random, serial

Calls = Counter[str]


def main() -> None:
    """Parse the options, count, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.calls", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="list the functions that these rows enter")
    chosen = parser.parse_args().rows
    for name, call in examples().items():
        calls = count(call)
        print(f"{name:24} {calls.total():5}")
        if name in chosen:
            print("\n".join(f"    {times:5} {function}" for function, times in calls.most_common()))


def examples() -> dict[str, Callable[[], Any]]:
    """Eager calls on arrays so small that the kernels take no time."""
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((3, 8)).astype(np.float32) for _ in range(2))
    sequence = rng.standard_normal((3, 5, 8)).astype(np.float32)
    dense, lstm = layers.Dense(8, "relu"), layers.LSTM(8)
    mlp = serial(layers.Dense(16, "relu"), layers.Dense(16, "relu"), layers.Dense(8))
    of_dense, of_lstm, of_mlp = (
        net.init(random.key(0), shape) for net, shape in ((dense, (8,)), (lstm, (5, 8)), (mlp, (8,)))
    )
    step = fnet.value_and_grad(lambda params: losses.mse(y, mlp.apply(params, of_mlp[1], x)[0]))
    return {
        "add": lambda: ops.add(x, y),
        "sum": lambda: ops.sum(x, axis=1),
        "matmul": lambda: ops.matmul(x, y.T),
        "Dense": lambda: dense.apply(*of_dense, x),
        "mse": lambda: losses.mse(y, x),
        "LSTM": lambda: lstm.apply(*of_lstm, sequence),
        "value_and_grad of an MLP": lambda: step(of_mlp[0]),
    }


def count(call: Callable[[], Any]) -> Calls:
    """The Python functions that one call enters, once what is made by the first calls is there."""
    call(), call(), call()
    calls: Calls = Counter()

    def enter(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            calls[f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}"] += 1

    sys.setprofile(enter)
    try:
        call()
    finally:
        sys.setprofile(None)
    return calls


if __name__ == "__main__":
    main()
