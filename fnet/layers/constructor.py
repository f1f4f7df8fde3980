"""What the constructors of all layers do with the arguments that all of them take."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from fnet import constraints, regularizers, tree
from fnet.configured import bound_arguments
from fnet.errors import DtypeError, StructureError
from fnet.layer import Layer, Masks, Recipe
from fnet.masking import is_array, unmasked
from fnet.ops.promotion import lift

Pair = tuple[Callable[..., tuple[Any, Any]], Callable[..., tuple[Any, Any]]]

Make = Callable[..., Pair | Layer]

_SHAPE_HINT = " A shape goes to init (or to fnet.Input): net.init(key, shape)."
_HINTS = dict.fromkeys(("input_shape", "input_dim", "batch_input_shape"), _SHAPE_HINT) | {
    "input_length": " Sequences may have any length: leave it out.",
    "dtype": " The dtype of parameters goes to init: net.init(key, shape, dtype).",
    "alpha": " Keras 2's 'alpha' of a rectifier is 'negative_slope'.",
}


def constructor(
    masks: Masks = "dropped", several: bool = False, **weights: str
) -> Callable[[Make], Callable[..., Layer]]:
    """Make a function that returns ``(init, apply)``, or a Layer, the constructor of the layer of its name.

    weights: the name of a parameter for the first part of the names of its arguments: ``recurrent="recurrent_kernel"``
    gives the constructor ``recurrent_regularizer=`` and ``recurrent_constraint=`` for it. All constructors get
    ``activity_regularizer=``, ``trainable=`` and ``name=``. masks: see `Layer`. several: whether the layer
    takes several inputs; one that does not refuses a tuple of arrays, which would become one array. The config of the
    layer holds the arguments of the function and those of the others that are given.
    """

    def decorate(make: Make) -> Callable[..., Layer]:
        kind, own = make.__name__, inspect.signature(make)
        shared: dict[str, Any] = {f"{part}_regularizer": None for part in weights}
        shared |= {"activity_regularizer": None} | {f"{part}_constraint": None for part in weights}
        shared |= {"trainable": True, "name": None}
        added = [inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=shared[key]) for key in shared]
        signature = inspect.Signature([*own.parameters.values(), *added], return_annotation="Layer")

        @functools.wraps(make)
        def construct(*args: Any, **kwargs: Any) -> Layer:
            arguments = bound_arguments(kind, signature, args, kwargs, _HINTS)
            config = {key: arguments[key] for key in own.parameters}
            given = {key: arguments[key] for key, default in shared.items() if arguments[key] is not default}
            for flag in (key for key, parameter in signature.parameters.items() if isinstance(parameter.default, bool)):
                _check_flag(kind, flag, arguments[flag])
            name, trainable = given.pop("name", None), given.get("trainable", True)
            made = make(**config)
            made = made if several or isinstance(made, Layer) else (made[0], _of_one_input(kind, made[1]))
            config |= given
            layer = _layer(kind, own, made, config, masks, weights, (construct, (), config))
            layer = layer if trainable else layer.with_trainable(False)
            return layer if name is None else layer.relabel(name, named=True)

        construct.__signature__ = signature  # type: ignore[attr-defined]
        return construct

    return decorate


def entry_name(kind: str) -> str:
    """Keras' name for a layer of this kind.

    >>> entry_name("GlobalMaxPooling2D")
    'global_max_pooling2d'
    """
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", kind)).lower()


def _layer(
    kind: str,
    own: inspect.Signature,
    made: Pair | Layer,
    config: dict[str, Any],
    masks: Masks,
    weights: dict[str, str],
    recipe: Recipe,
) -> Layer:
    """The Layer of this pair, or one like the given one, with what `config` says of its weights and outputs."""
    init, apply = made
    activity = regularizers.get(config.get("activity_regularizer"))
    if activity is not None:
        apply = _reporting(apply, activity)
    children = made if isinstance(made, Layer) else None
    penalties = {leaf: regularizers.get(config.get(f"{part}_regularizer")) for part, leaf in weights.items()}
    projections = {leaf: constraints.get(config.get(f"{part}_constraint")) for part, leaf in weights.items()}
    return Layer(
        init,
        apply,
        name=entry_name(kind),
        kind=kind,
        config=config,
        shown={key: value for key, value in config.items() if not _is_usual(own, key, value)},
        children=children.children if children else (),
        entries=children.entries if children else (),
        regularizers={leaf: function for leaf, function in penalties.items() if function is not None},
        constraints={leaf: function for leaf, function in projections.items() if function is not None},
        masks=masks,
        recipe=recipe,
        container=children is not None and children.container,
    )


def _is_usual(own: inspect.Signature, argument: str, value: Any) -> bool:
    """Whether repr leaves an argument out: a default, or layers, which are shown as children."""
    if isinstance(value, Layer) or (isinstance(value, list | tuple) and any(isinstance(v, Layer) for v in value)):
        return True
    default = own.parameters[argument].default if argument in own.parameters else None
    return value is default or (type(value) is type(default) and not isinstance(value, np.ndarray) and value == default)


def _of_one_input(kind: str, apply: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, Any]]:
    """The apply that refuses several arrays; lists of numbers are arrays."""

    def apply_to_one(params: Any, state: Any, x: Any, **options: Any) -> tuple[Any, Any]:
        if isinstance(x, dict) or (isinstance(x, tuple | list) and any(map(is_array, x))):
            raise StructureError(
                f"{kind} takes one input, received a {type(x).__name__} of {len(x)} arrays. Merge them before, e.g. by "
                f"Concatenate(), or make one batch of samples: np.stack(x)."
            )
        return apply(params, state, lift(x) if isinstance(x, tuple | list) else x, **options)

    return apply_to_one


def _reporting(apply: Callable[..., tuple[Any, Any]], activity: Callable[[Any], Any]) -> Callable[..., tuple[Any, Any]]:
    """The apply that reports the penalty of each of its outputs."""

    def apply_and_report(params: Any, state: Any, x: Any, **options: Any) -> tuple[Any, Any]:
        y, state = apply(params, state, x, **options)
        for output in tree.leaves(unmasked(y)):
            regularizers.report(activity, output)
        return y, state

    return apply_and_report


def _check_flag(kind: str, flag: str, value: Any) -> None:
    if not isinstance(value, bool | np.bool_):
        raise DtypeError(f"{kind}: {flag} is True or False, received {value!r:.40}.")
