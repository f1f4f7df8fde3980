"""Layers and models of the user's own: the functional layer of an object with `build` and `call`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fnet import random, regularizers, tree
from fnet.keras.held import HeldLayer
from fnet.keras.own_files import own_kind, recipe_of
from fnet.keras.running import Running, running
from fnet.keras.variable import Variable
from fnet.masking import join_mask, split_mask, unmasked
from fnet.networks.layer import Layer as Functional
from fnet.networks.samples import output_samples
from fnet.random import fold_in
from fnet.transforms.operand import is_only_shape

if TYPE_CHECKING:
    from fnet.keras.layer import Layer


@dataclass(frozen=True)
class Weight:
    """How a weight was asked for, so that it can be made again."""

    shape: tuple[int, ...]
    initializer: Callable[[Any, Any, Any], Any]
    dtype: str
    trainable: bool
    regularizer: Callable[[Any], Any] | None
    constraint: Callable[[Any], Any] | None


Call = Callable[["Layer", Any, bool], Any]


def build_parts(layer: Layer, samples: Any, call: Call | None = None) -> None:
    """Run `call` on values without numbers, so that the layers in it make their weights."""
    call = called if call is None else call
    shapes, dtypes = tree.map(lambda s: s.shape, samples), tree.map(lambda s: s.dtype, samples)
    for train in (False, True):

        def apply(params: Any, state: Any, x: Any, train: bool = train) -> tuple[Any, Any]:
            with running(Running(train, random.key(0))):
                call(layer, x, train)
            return unmasked(tree.leaves(x)[0]), state  # the shape of the output does not matter

        output_samples(apply, {}, {}, shapes, dtypes)


def functional_layer(
    layer: Layer, samples: Any, call: Call | None = None, config: dict[str, Any] | None = None
) -> HeldLayer:
    """The pair ``(init, apply)`` of an object that is built for these samples; `call` says how it is called."""
    call = called if call is None else call
    weights, parts, recipe = layer.asked_weights, layer.parts(), recipe_of(layer)
    places = list(layer.placed())

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        params: dict[str, Any] = {}
        state: dict[str, Any] = {}
        for i, (path, part) in enumerate(places):
            for entries, own in zip((params, state), _made(part, fold_in(key, i), dtype), strict=True):
                if tree.leaves(own):
                    place = entries
                    for entry in path:
                        place = place.setdefault(entry, {})
                    place.update(own)
        return params, state

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        run = Running(train, key)
        run.bind(layer, params, state)
        with running(run):
            y = call(layer, x, train)
            for loss in run.losses:
                regularizers.report_loss(loss)
            return y, layer.state

    return HeldLayer.of(
        Functional(
            init,
            apply,
            name=layer.name,
            kind=own_kind(type(layer)),
            children=[part.functional for _, part in parts],
            entries=[entry for entry, _ in parts],
            regularizers={name: w.regularizer for name, w in weights.items() if w.regularizer is not None},
            constraints={name: w.constraint for name, w in weights.items() if w.constraint is not None},
            masks="used",
            shape=tree.map(lambda s: s.shape, samples),
            config=config if recipe is None else recipe.kwargs,
            recipe=recipe,
        ),
        layer,
    )


def _made(part: Layer, key: Any, dtype: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fresh values of the weights that are an object's own, without those of the layers in it."""
    params: dict[str, Any] = {}
    state: dict[str, Any] = {}
    for i, (name, weight) in enumerate(part.asked_weights.items()):
        kind = dtype if weight.dtype == "float32" else weight.dtype
        (params if weight.trainable else state)[name] = weight.initializer(fold_in(key, i), weight.shape, kind)
    if part.asked_weights or not tree.leaves((part.held.params, part.held.state)):
        return params, state
    return part.functional.init(key, part.built_for, dtype)


def called(layer: Layer, x: Any, train: bool) -> Any:
    """``layer.call(x)`` with the arguments that it takes."""
    takes = inspect.signature(layer.call).parameters
    positional = [p for p in takes.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    own = [p.name for p in positional if p.name not in ("training", "mask")]
    values = tree.map(lambda part: part, x, is_leaf=lambda part: split_mask(part)[1] is not None)
    options: dict[str, Any] = {}
    if "training" in takes:
        options["training"] = train
    mask = None
    if not isinstance(values, tuple | dict):
        values, mask = split_mask(values)
        if "mask" in takes:
            options["mask"] = mask
    spread = isinstance(values, tuple) and (len(own) > 1 or any(p.kind == p.VAR_POSITIONAL for p in takes.values()))
    given = [list(part) if isinstance(part, tuple) else part for part in values] if spread else [
        list(values) if isinstance(values, tuple) else values
    ]  # fmt: skip
    y = _computed(layer, given, options, values)
    y = tuple(y) if isinstance(y, list) else y
    if split_mask(y)[1] is not None or isinstance(y, tuple | dict):
        return y
    if layer.makes_mask:
        given = list(values) if isinstance(values, tuple) else values
        return join_mask(y, layer.compute_mask(given, mask))
    return join_mask(y, mask if layer.supports_masking else None)


def _computed(layer: Layer, given: list[Any], options: dict[str, Any], values: Any) -> Any:
    """What `call` returns, without weights among it.

    While shapes are found no masks are known: a `call` that does not do without one is given one then.
    """
    try:
        y = layer.call(*given, **options)
    except Exception:
        if "mask" not in options or options["mask"] is not None or not is_only_shape(values):
            raise
        y = layer.call(*given, **options | {"mask": np.ones(values.shape[:2], bool)})
    return tree.map(lambda leaf: leaf.value if isinstance(leaf, Variable) else leaf, y, is_leaf=_is_leaf)


def _is_leaf(part: Any) -> bool:
    return split_mask(part)[1] is not None or isinstance(part, Variable)
