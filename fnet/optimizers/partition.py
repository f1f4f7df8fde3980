"""Different optimizers for different leaves, or none: `partition`, `freeze`, `apply_if_finite`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fnet import tree
from fnet.ops.arithmetic import add, logical_and, where
from fnet.ops.maths import isfinite
from fnet.ops.reduce import all as all_of
from fnet.optimizers.compose import chain
from fnet.optimizers.masks import labels_of, mask_of
from fnet.optimizers.optimizer import NO_CHANGE, Optimizer, check_shapes, combinator
from fnet.transforms.operand import beside
from fnet.transforms.primitive import spec_of


@combinator
def partition(optimizers: Mapping[str, Optimizer], labels: Callable[[str, Any], str] | Any) -> Optimizer:
    """Each leaf is updated by the optimizer of its label.

    labels: ``label(path, leaf)``, or a tree of labels like the parameters, where one may stand for a whole subtree.
    State: that of each optimizer, by label, with None in the places of leaves that are not its own.
    Raises `ValueRangeError` for a label without an optimizer, `StructureError` for a tree of another structure.
    Source: optax ``partition``.

    >>> import numpy as np
    >>> from fnet.optimizers import sgd
    >>> opt = partition({"slow": sgd(0.1), "fast": sgd(1.0)}, {"body": "slow", "head": "fast"})
    >>> params = {"body": {"w": np.ones(1)}, "head": {"w": np.ones(1)}}
    >>> opt.update(params, opt.init(params), params)[0]
    {'body': {'w': array([-0.1])}, 'head': {'w': array([-1.])}}
    """

    def split(like: Any, *trees: Any) -> dict[str, list[Any]]:
        """By label: its leaves of each of the trees, which are like the first."""
        of_leaf = labels_of(labels, like, optimizers)
        masks = {name: tree.map(lambda own, name=name: own == name, of_leaf) for name in optimizers}
        return {
            name: [None if t is None else tree.partition(t, mask)[0] for t in trees] for name, mask in masks.items()
        }

    def init(params: Any) -> dict[str, Any]:
        return {name: optimizers[name].init(own) for name, (own,) in split(params, params).items()}

    def update(grads: Any, state: Mapping[str, Any], params: Any = None) -> tuple[Any, dict[str, Any]]:
        if params is not None:
            check_shapes(grads, params)
        parts = split(grads if params is None else params, grads, params)
        done = {
            # Of a tree that is one leaf, a part without it is None, which says "no parameters" to an optimizer.
            name: (None, state[name]) if g is None else optimizers[name].update(g, state[name], own)
            for name, (g, own) in parts.items()
        }
        return tree.combine(*(updates for updates, _ in done.values())), {name: new for name, (_, new) in done.items()}

    return Optimizer(init, update, "partition", {"optimizers": dict(optimizers), "labels": labels})


@combinator
def freeze(which: Callable[[str, Any], bool] | Any, optimizer: Optimizer | None = None) -> Optimizer:
    """The leaves chosen by `which` keep their bits, and `optimizer` moves the others only.

    which: ``predicate(path, leaf)``, or a tree of bools like the parameters, where one may stand for a whole subtree.
    optimizer: without one this is a link for the end of a `chain`, which drops the updates of the chosen leaves.
    A frozen leaf has no moments, and under `fnet.jit` its gradient is not computed. State: that of `partition` with
    the labels ``frozen`` and ``trained``. Raises `StructureError` for a mask of another structure.

    >>> import numpy as np
    >>> from fnet.optimizers import apply_updates, sgd
    >>> opt = freeze(lambda path, leaf: path.startswith("body"), sgd(1.0))
    >>> params = {"body": {"w": np.ones(1)}, "head": {"w": np.ones(1)}}
    >>> apply_updates(params, opt.update(params, opt.init(params), params)[0])
    {'body': {'w': array([1.])}, 'head': {'w': array([0.])}}
    """
    trained = chain() if optimizer is None else optimizer

    def pair_for(params: Any) -> Optimizer:
        names = tree.map(lambda frozen: "frozen" if frozen else "trained", mask_of("freeze", which, params))
        return partition({"frozen": _FROZEN, "trained": trained}, names)

    def update(grads: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        return pair_for(grads if params is None else params).update(grads, state, params)

    config = {"which": which, "optimizer": trained}
    return Optimizer(lambda params: pair_for(params).init(params), update, "freeze", config)


def _no_change(grads: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
    return tree.map(lambda g: beside(np.full(spec_of(g).shape, NO_CHANGE, spec_of(g).dtype), g), grads), state


_FROZEN = Optimizer(lambda params: {}, _no_change, "frozen")


@combinator
def apply_if_finite(optimizer: Optimizer) -> Optimizer:
    """A step with a gradient that is not finite, anywhere, is left out: parameters and state stay as they are.

    State: ``skipped`` (how many steps), ``optimizer``. Source: optax; Keras ``LossScaleOptimizer`` skips likewise.

    >>> import numpy as np
    >>> from fnet.optimizers import sgd
    >>> opt = apply_if_finite(sgd(1.0))
    >>> updates, state = opt.update(np.array([np.nan, 1.0]), opt.init(np.zeros(2)), np.zeros(2))
    >>> updates, int(state["skipped"])
    (array([-0., -0.]), 1)
    """

    def init(params: Any) -> dict[str, Any]:
        return {"skipped": np.zeros((), np.int64), "optimizer": optimizer.init(params)}

    def update(grads: Any, state: Mapping[str, Any], params: Any = None) -> tuple[Any, dict[str, Any]]:
        finite: Any = np.ones((), np.bool_)
        for leaf in tree.leaves(grads):
            finite = logical_and(finite, all_of(isfinite(leaf)))
        before = state["optimizer"]
        updates, after = optimizer.update(grads, before, params)
        kept = tree.map(lambda new, old: where(finite, new, old), after, before)
        skipped = add(state["skipped"], where(finite, 0, 1))
        return tree.map(lambda u: where(finite, u, NO_CHANGE), updates), {"skipped": skipped, "optimizer": kept}

    return Optimizer(init, update, "apply_if_finite", {"optimizer": optimizer})
