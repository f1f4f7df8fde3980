"""Learning rates that can be changed between steps: numbers in the state of an optimizer.

A learning rate is a constant of the compiled step, unless the state of the optimizer holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fnet import tree
from fnet.context import in_force, within
from fnet.errors import StructureError
from fnet.transfer import to_host
from fnet.transforms.operand import beside


class Rates:
    """Where the state of an optimizer holds its learning rates, if it does, and the numbers that it was given.

    Several rates, as of `partition`, keep the ratios that they were given: *the* learning rate is the first one.
    init: that of the optimizer. name: what an error calls the optimizer. params: the parameters that it changes.
    Raises `StructureError` for an optimizer without a learning rate that is a number.

    >>> from fnet.optimizers import adam
    >>> params = {"w": np.ones(2)}
    >>> opt = adam(0.1)
    >>> rates = Rates(opt.init, "adam", params)
    >>> state = rates.changed(rates.held(opt.init(params)), 0.05)
    >>> rates.now(state), state["learning_rate"]
    (0.05, array(0.05))
    """

    def __init__(self, init: Callable[[Any], Any], name: str, params: Any) -> None:
        self._with, without = new_state(init, params), set(tree.structure(init(params)).paths())
        given = {path: float(x) for path, x in tree.leaves_with_path(self._with) if path not in without}
        if not given:
            raise StructureError(
                f"the optimizer {name} has no learning rate that is a number, so it cannot be changed during the "
                f"training. Give it a number, learning_rate=0.001, in place of a schedule."
            )
        first = next(iter(given))
        self._given = given[first]
        leaves = dict(tree.leaves_with_path(self._with))
        self._ratios = {
            _way(self._with, leaves[path]) or (): rate / self._given if self._given else 1.0
            for path, rate in given.items()
        }
        self._way = next(iter(self._ratios))

    def held(self, opt_state: Any) -> Any:
        """The state with its learning rates in it: as it is, where they are, else with the given ones."""
        return _filled(self._with, opt_state)

    def now(self, opt_state: Any) -> float:
        """The learning rate in force, of a state with or without it."""
        for key in self._way:
            if isinstance(opt_state, Mapping) and key not in opt_state:
                return self._given
            opt_state = opt_state[key]
        return float(to_host(opt_state))

    def changed(self, opt_state: Any, rate: float) -> Any:
        """The state `held` with another learning rate; what is not a rate is the same array."""
        for way, ratio in self._ratios.items():
            opt_state = _replaced(opt_state, way, np.array(rate * ratio))
        return opt_state


def new_state(init: Callable[[Any], Any], params: Any) -> Any:
    """``init(params)`` with the learning rates in it."""
    with within(in_force().replaced(rates_in_state=True)):
        return init(params)


def _way(part: Any, leaf: Any) -> tuple[Any, ...] | None:
    """The keys and positions that lead to a leaf of a tree."""
    if part is leaf:
        return ()
    parts = part.items() if isinstance(part, Mapping) else enumerate(part) if isinstance(part, tuple | list) else ()
    for key, inner in parts:
        rest = _way(inner, leaf)
        if rest is not None:
            return (key, *rest)
    return None


def _replaced(part: Any, way: tuple[Any, ...], value: np.ndarray) -> Any:
    """The tree with another value at the end of a way; containers beside it are the same."""
    if not way:
        return beside(value, part)
    key, *rest = way
    inner = _replaced(part[key], tuple(rest), value)
    if isinstance(part, dict):
        return part | {key: inner}
    parts = [*part[:key], inner, *part[key + 1 :]]
    return part._make(parts) if hasattr(part, "_make") else type(part)(parts)


def _filled(like: Any, given: Any) -> Any:
    """The tree `given`, with what `like` has more than it: rates, which are put where the count of steps is."""
    if isinstance(like, Mapping):
        return {k: _filled(part, given[k]) if k in given else beside(part, given["step"]) for k, part in like.items()}
    if isinstance(like, tuple | list):
        parts = [_filled(part, own) for part, own in zip(like, given, strict=True)]
        return like._make(parts) if hasattr(like, "_make") else type(like)(parts)
    return given
