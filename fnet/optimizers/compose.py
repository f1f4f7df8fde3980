"""Building blocks of optimizers: `chain`, clipping of gradients, weight decay, scaling."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet import tree
from fnet.arguments import number
from fnet.errors import StructureError
from fnet.ops.arithmetic import add, clip, divide, maximum, multiply, negative, where
from fnet.ops.maths import isfinite, sqrt, square
from fnet.ops.promotion import astype
from fnet.ops.summation import sum
from fnet.optimizers.masks import mask_of
from fnet.optimizers.optimizer import (
    Init,
    LearningRate,
    Optimizer,
    Update,
    check_learning_rate,
    combinator,
    first_step,
    in_dtype,
    kept_rate,
    learning_rate_at,
    map_leaves,
    needed,
    next_step,
    optimizer_constructor,
    rate_in_state,
)


@combinator
def chain(*transforms: Optimizer) -> Optimizer:
    """Transforms one after another, each fed with the updates of the one before; its state is the tuple of theirs.

    >>> import numpy as np
    >>> opt = chain(clip_by_value(1.0), scale_by_learning_rate(0.1))
    >>> grads = {"w": np.array([5.0, 0.5])}
    >>> opt.update(grads, opt.init(grads), grads)[0]
    {'w': array([-0.1 , -0.05])}

    Put what changes gradients before the optimizer: ``chain(clip_by_global_norm(1.0), adam())``; weight decay there
    acts as an L2 penalty. Raises `StructureError` for an argument that is no (init, update) pair. Source: optax.
    """
    for position, transform in enumerate(transforms):
        if not (isinstance(transform, tuple) and len(transform) == 2 and all(callable(part) for part in transform)):
            raise StructureError(
                f"chain: argument {position} is {transform!r}, expected an (init, update) pair such as adam()."
            )

    def init(params: Any) -> tuple[Any, ...]:
        return tuple(init(params) for init, _ in transforms)

    def update(grads: Any, state: tuple[Any, ...], params: Any = None) -> tuple[Any, tuple[Any, ...]]:
        states = []
        for (_, update), own in zip(transforms, state, strict=True):
            grads, own = update(grads, own, params)
            states.append(own)
        return grads, tuple(states)

    return Optimizer(init, update, "chain", {"transforms": transforms})


@optimizer_constructor
def clip_by_value(limit: float) -> tuple[Init, Update]:
    """Every element clipped to [-limit, limit]; NaN stays NaN. Source: Keras ``clipvalue``."""
    number("clip_by_value", "limit", limit, "(0, inf]")
    return _stateless(lambda g, dtype: (clip(g, -limit, limit),))


@optimizer_constructor
def clip_by_norm(limit: float) -> tuple[Init, Update]:
    """Every leaf scaled down to norm `limit` if its norm is larger; a norm that is not finite makes the leaf NaN.

    Source: Keras ``clipnorm``.
    """
    number("clip_by_norm", "limit", limit, "(0, inf]")
    return _stateless(lambda g, dtype: (multiply(g, astype(_shrink(_sum_of_squares(g), limit), dtype)),))


@optimizer_constructor
def clip_by_global_norm(limit: float) -> tuple[Init, Update]:
    """All leaves scaled by ``limit / norm`` if the norm of the whole tree is above `limit`.

    The norm is accumulated in float64; one that is not finite makes all NaN. Source: Keras ``global_clipnorm``;
    Pascanu et al. 2013.
    """
    number("clip_by_global_norm", "limit", limit, "(0, inf]")

    def update(grads: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        total: Any = np.zeros(())
        for leaf in tree.leaves(grads):
            total = add(total, _sum_of_squares(leaf))
        factor = in_dtype(_shrink(total, limit))
        (updates,) = map_leaves(lambda g, dtype: (multiply(g, factor(dtype)),), grads, params)
        return updates, state

    return _no_state, update


@optimizer_constructor
def add_decayed_weights(weight_decay: float, mask: Any = True) -> tuple[Init, Update]:
    """``g + weight_decay w``: before an optimizer an L2 penalty, before `scale_by_learning_rate` decoupled decay.

    mask: which leaves, ``predicate(path, leaf)`` or a tree of bools. Raises `StructureError` if `update` is called
    without params. Source: optax; Loshchilov and Hutter 2017.
    """
    number("add_decayed_weights", "weight_decay", weight_decay, "[0, inf]")

    def update(grads: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        chosen = mask_of("add_decayed_weights", mask, needed(params))

        def leaf(g: Any, dtype: Any, w: Any, decays: bool) -> tuple[Any]:
            return (add(g, multiply(w, weight_decay)) if decays else g,)

        (updates,) = map_leaves(leaf, grads, params, read=(params, chosen))
        return updates, state

    return _no_state, update


@optimizer_constructor
def scale(factor: float) -> tuple[Init, Update]:
    """``factor g``."""
    number("scale", "factor", factor, "(-inf, inf)", "expected a finite {argument}")
    return _stateless(lambda g, dtype: (multiply(g, factor),))


@optimizer_constructor
def scale_by_learning_rate(learning_rate: LearningRate) -> tuple[Init, Update]:
    """``-lr g``, the rate a number or a schedule of the 0-based step: the last link of a chain. State: ``step``."""
    check_learning_rate("scale_by_learning_rate", learning_rate)

    def init(params: Any) -> dict[str, Any]:
        return first_step(**rate_in_state(learning_rate))

    def update(grads: Any, state: dict[str, Any], params: Any = None) -> tuple[Any, dict[str, Any]]:
        rate = in_dtype(learning_rate_at(learning_rate, state))
        (updates,) = map_leaves(lambda g, dtype: (negative(multiply(g, rate(dtype))),), grads, params)
        return updates, {"step": next_step(state), **kept_rate(state)}

    return init, update


def _no_state(params: Any) -> dict[str, Any]:
    return {}


def _stateless(rule: Any) -> tuple[Init, Update]:
    def update(grads: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        (updates,) = map_leaves(rule, grads, params)
        return updates, state

    return _no_state, update


def _sum_of_squares(x: Any) -> Any:
    """In float64, where the square of no float32 overflows."""
    return sum(square(astype(x, np.float64)))


def _shrink(sum_of_squares: Any, limit: float) -> Any:
    """``limit / max(norm, limit)``, exactly 1 for a small norm and NaN for one that is not finite."""
    norm = sqrt(sum_of_squares)
    return where(isfinite(norm), divide(limit, maximum(norm, limit)), np.nan)
