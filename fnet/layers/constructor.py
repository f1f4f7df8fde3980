"""What all constructors of layers share: the arguments that each of them takes, and the table of their names."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec

from fnet import configured, constraints, regularizers, tree
from fnet.configured import Recipe
from fnet.errors import StructureError
from fnet.layers.layer_activation import taking_layers, with_functions
from fnet.masking import Masked, is_array, unmasked
from fnet.names import Names
from fnet.networks.layer import Layer, Masks
from fnet.networks.learning import Learning
from fnet.ops.promotion import lift

Pair = tuple[Callable[..., tuple[Any, Any]], Callable[..., tuple[Any, Any]]]
Learner = tuple[Callable[..., tuple[Any, Any]], Callable[..., tuple[Any, Any]], Learning | None]
"""``(init, apply, learning)`` of a layer that learns its state from data; None where it has been told the state."""

P = ParamSpec("P")
LAYERS: Names[Callable[..., Layer]] = Names("layer", package="fnet.layers")

_SHAPE_HINT = " A shape goes to init (or to fnet.Input): net.init(key, shape)."
_HINTS = dict.fromkeys(("input_shape", "input_dim", "batch_input_shape"), _SHAPE_HINT) | {
    "sparse": " All arrays are dense: leave it out.",
    "input_length": " Sequences may have any length: leave it out.",
    "dtype": " The dtype of parameters goes to init: net.init(key, shape, dtype).",
    "alpha": " Keras 2's 'alpha' of a rectifier is 'negative_slope'.",
}


def layer_constructor(
    masks: Masks = "dropped", several: bool = False, on_host: bool = False, named: str | None = None, **weights: str
) -> Callable[[Callable[P, Pair | Learner | Layer]], Callable[P, Layer]]:
    """Make a function that returns ``(init, apply)``, or a Layer, the constructor of the layer of its name.

    A layer that learns from data has a third part, see `Learner`.

    All constructors take ``activity_regularizer=``, ``trainable=``, ``name=``, and a regularizer and a constraint for
    each of their `weights`. A function lists these arguments behind its own, for readers and type checkers, and leaves
    them to this decorator. The config of the layer holds its own arguments, and those of the others that are given.
    weights: which parameter such arguments mean: with ``recurrent="recurrent_kernel"`` this is the parameter of
    ``recurrent_regularizer=`` and ``recurrent_constraint=``. masks: see `Layer`. several: whether the layer takes
    several inputs. A layer of one input refuses a tuple of arrays, which NumPy would make one array. on_host: see
    `Layer`. named: the key of a dict that such a layer takes, too.
    """
    shared: dict[str, Any] = {f"{part}_regularizer": None for part in weights}
    shared |= {"activity_regularizer": None} | {f"{part}_constraint": None for part in weights}
    shared |= {"trainable": True, "name": None}

    def decorate(make: Callable[P, Pair | Learner | Layer]) -> Callable[P, Layer]:
        kind, parameters = make.__name__, inspect.signature(make).parameters
        own = {key: parameter.default for key, parameter in parameters.items() if key not in shared}

        def finish(made: Pair | Learner | Layer, recipe: Recipe) -> Layer:
            arguments = recipe.kwargs
            given = {key: arguments[key] for key, default in shared.items() if arguments[key] is not default}
            name, trainable = given.pop("name", None), given.get("trainable", True)
            if not (several or isinstance(made, Layer)):
                made = (made[0], _of_one_input(kind, made[1], named), *made[2:])
            config = {key: arguments[key] for key in own} | given
            layer = _layer(kind, own, made, config, masks, on_host, weights, recipe._replace(kwargs=config))
            layer = layer if trainable else layer.with_trainable(False)
            return layer if name is None else layer.relabel(name, named=True)

        return configured.constructor(finish, _bound, shared)(taking_layers(make))

    return decorate


def _bound(name: str, signature: inspect.Signature, args: tuple, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return with_functions(configured.bound_arguments(name, signature, args, kwargs, hints=_HINTS))


def entry_name(kind: str) -> str:
    """Keras' name for a layer of this kind.

    >>> entry_name("GlobalMaxPooling2D")
    'global_max_pooling2d'
    """
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", kind)).lower()


def _layer(
    kind: str,
    own: Mapping[str, Any],
    made: Pair | Learner | Layer,
    config: dict[str, Any],
    masks: Masks,
    on_host: bool,
    weights: dict[str, str],
    recipe: Recipe,
) -> Layer:
    """The Layer of this pair, or of a given Layer, with the penalties and constraints that `config` says."""
    init, apply = made[:2]
    learning = made[2] if len(made) == 3 else None
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
        learning=learning,
        on_host=on_host,
    )


def _is_usual(own: Mapping[str, Any], argument: str, value: Any) -> bool:
    """Whether repr leaves out an argument: a default, or layers, which repr shows as children."""
    if isinstance(value, Layer) or (isinstance(value, list | tuple) and any(isinstance(v, Layer) for v in value)):
        return True
    return configured.is_default(value, own.get(argument))


def _of_one_input(
    kind: str, apply: Callable[..., tuple[Any, Any]], named: str | None
) -> Callable[..., tuple[Any, Any]]:
    """The apply that refuses a tuple or dict of arrays, but for one with `named`; a list of numbers is an array."""

    def apply_to_one(params: Any, state: Any, x: Any, **options: Any) -> tuple[Any, Any]:
        if isinstance(x, dict) and named in x:
            return apply(params, state, x, **options)
        if isinstance(x, dict) or (isinstance(x, tuple | list) and any(map(is_array, x))):
            raise StructureError(
                f"{kind} takes one input, received a {type(x).__name__} of {len(x)} arrays. Merge them before, e.g. by "
                f"Concatenate(), or make one batch of samples: np.stack(x)."
            )
        return apply(params, state, x if isinstance(x, Masked) else lift(x), **options)

    return apply_to_one


def _reporting(apply: Callable[..., tuple[Any, Any]], activity: Callable[[Any], Any]) -> Callable[..., tuple[Any, Any]]:
    """The apply that reports the penalty of each of its outputs."""

    def apply_and_report(params: Any, state: Any, x: Any, **options: Any) -> tuple[Any, Any]:
        y, state = apply(params, state, x, **options)
        for output in tree.leaves(unmasked(y)):
            regularizers.report(activity, output)
        return y, state

    return apply_and_report
