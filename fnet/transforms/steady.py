"""The shortest way into compiled code: a Python function written for one steady call.

In a training loop the donated trees that come in are those returned last, and the other arguments are arrays of the
same kind. Then only identities, dtypes and shapes are compared before the native function is called. At a few
microseconds a step every loop and every attribute counts, so the comparisons are written out for the arguments at hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Steady:
    """What a call must look like to be steady, and what it returns.

    returned: the result of the last call; pairs: (position of a donated argument, its place in the result);
    loose: (position of another argument, number of the input, dtype, shape);
    fresh: (place of a result that is a new array, number of the output, dtype, shape).
    """

    arity: int
    returned: tuple[Any, ...]
    pairs: list[tuple[int, int]]
    loose: list[tuple[int, int, np.dtype, tuple[int, ...]]]
    fresh: list[tuple[int, int, np.dtype, tuple[int, ...]]]

    def matches(self, args: tuple[Any, ...]) -> bool:
        """Whether a call with these arguments is steady."""
        if len(args) != self.arity or any(args[position] is not self.returned[place] for position, place in self.pairs):
            return False
        return all(_is_alike(args[position], dtype, shape) for position, _, dtype, shape in self.loose)

    def result(self, outputs: list[Any]) -> tuple[Any, ...]:
        """The result of a steady call: the donated trees as before, with new arrays in the other places."""
        parts = list(self.returned)
        for place, k, _, _ in self.fresh:
            parts[place] = outputs[k]
        return tuple(parts)


def _is_alike(array: Any, dtype: np.dtype, shape: tuple[int, ...]) -> bool:
    return type(array) is np.ndarray and array.dtype is dtype and array.shape == shape and array.flags.carray


def steady_call(steady: Steady, native: Any, owner: Any) -> Callable[[tuple[Any, ...]], Any]:
    """The function of a tuple of arguments that makes a steady call, or returns None where the call is not steady.

    It also returns None while another thread is in a call.

    native: a `fnet.compile.native.Native`; owner: has the attribute `steady`, which is another object as soon as
    the memory behind `steady` is no longer in use, and the `lock` under which that changes.
    """
    names = [f"a{position}" for position in range(steady.arity)]
    values: dict[str, Any] = {"owner": owner, "steady": steady, "function": native.function, "table": native.table}
    values |= {"acquire": owner.lock.acquire, "release": owner.lock.release, "ndarray": np.ndarray, "empty": np.empty}
    conditions = ["owner.steady is steady"]
    for position, place in steady.pairs:
        values[f"r{place}"] = steady.returned[place]
        conditions.append(f"a{position} is r{place}")
    for position, _, dtype, shape in steady.loose:
        a = names[position]
        values |= {f"d{position}": dtype, f"s{position}": shape}
        conditions.append(f"type({a}) is ndarray and {a}.dtype is d{position} and {a}.shape == s{position}")
        conditions.append(f"{a}.flags.carray")
    for _, k, dtype, shape in steady.fresh:
        values |= {f"od{k}": dtype, f"os{k}": shape}
    inputs = {i: names[position] for position, i, _, _ in steady.loose}
    arrays = [inputs[i] for i in native.inputs] + [f"o{k}" for k in native.outputs]
    parts = {place: f"o{k}" for place, k, _, _ in steady.fresh} | {place: f"r{place}" for _, place in steady.pairs}
    lines = [
        "def call(args):",
        f"    if len(args) == {steady.arity}:",
        f"        {', '.join(names)}, = args" if names else "        pass",
        "        if acquire(False):",
        "            try:",
        f"                if {' and '.join(conditions)}:",
        *(f"                    o{k} = empty(os{k}, od{k})" for _, k, _, _ in steady.fresh),
        f"                    function(1, table, {', '.join(arrays)})",
        f"                    return ({', '.join(parts[place] for place in range(len(steady.returned)))},)",
        "            finally:",
        "                release()",
        "    return None",
    ]
    exec("\n".join(lines), values)  # the text holds only numbers and the names above
    return values["call"]
