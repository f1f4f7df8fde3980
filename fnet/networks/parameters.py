"""What a network's layers say of its parameters: their penalties, constraints, and which of them are trained."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from fnet import ops, regularizers, tree
from fnet.errors import DtypeError, StructureError, did_you_mean, scope
from fnet.networks.layer import Layer
from fnet.networks.sharing import first_uses, joined
from fnet.ops.promotion import astype
from fnet.transforms.primitive import spec_of


class PlacedLayer(NamedTuple):
    """A layer in a network.

    path: of its entry in params and state, "" for the network itself. trainable: tells from the path of a parameter in
    the network whether the parameter is trained.
    """

    path: str
    layer: Layer
    trainable: Callable[[str], bool]


def placed_layers(net: Layer) -> Iterator[PlacedLayer]:
    """The network, then all layers in it; a layer comes before its children. A shared layer comes once.

    >>> from fnet import serial
    >>> from fnet.layers import Dense, Flatten
    >>> [place.path for place in placed_layers(serial(Flatten(), serial(Dense(3), Dense(2))))]
    ['', 'flatten', 'serial', 'serial/dense', 'serial/dense_1']
    """
    yield from _placed("", net, lambda path: True, None)


def _placed(path: str, layer: Layer, outer: Callable[[str], bool], further: set[str] | None) -> Iterator[PlacedLayer]:
    """The layer at `path`, and those in it.

    outer: tells what the layers around leave trained. further: the paths of second and later uses of shared layers,
    None outside of containers.
    """
    trainable = _narrowed(outer, path, layer.trainable)
    yield PlacedLayer(path, layer, trainable)
    if layer.container and further is None:
        further = {joined(path, use) for use in first_uses(layer.children, layer.entries)}
    for entry, child in dict(zip(layer.entries, layer.children, strict=True)).items():
        below = joined(path, entry)
        if further is None or below not in further:
            yield from _placed(below, child, trainable, further if layer.container else None)


def _narrowed(outer: Callable[[str], bool], prefix: str, own: bool | Callable[[str], bool]) -> Callable[[str], bool]:
    """Whether a path fulfils both conditions: `outer` takes paths in the network, `own` takes paths in the layer."""
    if own is True:
        return outer
    if own is False:
        return lambda path: False
    return lambda path: outer(path) and own(path.removeprefix(f"{prefix}/"))


def freeze(net: Layer, where: Callable[[str], bool] | str | None = None) -> Layer:
    """The network with parameters that a `Trainer` leaves as they are and that have no penalty.

    where: a function of the path of a parameter (``"encoder/dense/kernel"``), true for those to freeze; a path, for all
    that lie below it; or None for all. A BatchNormalization of which all parameters are frozen keeps its statistics,
    too, and normalises by them in training. In a loop of your own, leave gradients out with
    ``fnet.tree.partition(params, fnet.trainable(net, params))`` or `fnet.optimizers.freeze`.

    >>> from fnet import random, serial
    >>> from fnet.layers import Dense
    >>> net = freeze(serial(Dense(2), Dense(1)), "dense_1")
    >>> trainable(net, net.init(random.key(0), (3,))[0])
    {'dense': {'kernel': True, 'bias': True}, 'dense_1': {'kernel': False, 'bias': False}}
    """
    if not isinstance(net, Layer):
        raise StructureError(f"freeze: expected a Layer, received a {type(net).__name__}.")
    if where is None:
        return net.with_trainable(False)
    if isinstance(where, str):
        _check_path(net, where)
        return freeze(net, functools.partial(_is_below, where))
    if not callable(where):
        raise DtypeError(f"freeze: where is a function of a path, a path or None, received {where!r:.40}.")
    if net.trainable is False:
        return net
    return net.with_trainable(functools.partial(_stays_trained, where, net.trainable))


def _is_below(prefix: str, path: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")


def _stays_trained(frozen: Callable[[str], bool], before: bool | Callable[[str], bool], path: str) -> bool:
    return not frozen(path) and (before if isinstance(before, bool) else before(path))


def _check_path(net: Layer, path: str) -> None:
    """Raise a `StructureError` for the path of a layer that no container in the network has."""
    layer = net
    for part in path.split("/"):
        if not layer.children:  # a parameter of its own
            return
        members = dict(zip(layer.entries, layer.children, strict=True))
        if part not in members:
            raise StructureError(
                f"freeze: no layer '{path}': no '{part}' in {layer.name}.{did_you_mean(part, members)}"
            )
        layer = members[part]


def trainable(net: Layer, params: Any) -> Any:
    """The tree of bools that says which of the parameters are trained, see `freeze`."""
    rules = {place.path: place.trainable for place in placed_layers(net)}
    return tree.map_with_path(lambda path, leaf: rules[_owner(path, rules)](path), params)


def penalty(net: Layer, params: Any) -> Any:
    """The sum of what the regularizers of the layers say of their parameters, of each once; the float 0.0 without any.

    Parameters that are not trained have none. Penalties of outputs (``activity_regularizer``) are not in it: see
    `apply_with_penalty`. Source: Keras ``Model.losses``.

    >>> import numpy as np
    >>> from fnet.layers import Dense
    >>> penalty(Dense(1, kernel_regularizer="l2"), {"kernel": np.array([[3.0]]), "bias": np.array([5.0])})
    array(0.09)
    """
    total: Any = 0.0
    for path, leaf, regularizer, trained in _treated(net, params, lambda layer: layer.regularizers):
        if trained:
            with scope(path):
                total = _sum(total, regularizer(leaf))
    return total


def constrain(net: Layer, params: Any) -> Any:
    """The parameters, projected by the constraints of their layers: what a trainer does after each update.

    >>> import numpy as np
    >>> from fnet.layers import Dense
    >>> constrain(Dense(1, bias_constraint="non_neg"), {"kernel": np.array([[-3.0]]), "bias": np.array([-5.0])})
    {'kernel': array([[-3.]]), 'bias': array([0.])}
    """
    projected = {
        path: constraint(leaf)
        for path, leaf, constraint, trained in _treated(net, params, lambda layer: layer.constraints)
        if trained
    }
    return tree.map_with_path(lambda path, leaf: projected.get(path, leaf), params) if projected else params


def apply_with_penalty(
    net: Layer, params: Any, state: Any, x: Any, key: Any = None, train: bool = False
) -> tuple[Any, Any, Any]:
    """``(y, state, penalty)``: ``net.apply``, and all penalties of parameters and of outputs, to add to a loss.

    >>> import numpy as np
    >>> from fnet.layers import Dense
    >>> net = Dense(1, use_bias=False, kernel_regularizer="l2", activity_regularizer="l1")
    >>> y, state, extra = apply_with_penalty(net, {"kernel": np.array([[3.0]])}, {}, np.array([[1.0], [-1.0]]))
    >>> round(float(extra), 4)  # 0.01 3^2 + 0.01 (3 + 3) / 2 samples
    0.12
    """
    with regularizers.reported_penalties() as reported:
        y, state = net.apply(params, state, x, key=key, train=train)
    total = penalty(net, params)
    return y, state, functools.reduce(_sum, reported, total)


def _treated(
    net: Layer, params: Any, treatment: Callable[[Layer], Any]
) -> Iterator[tuple[str, Any, Callable[[Any], Any], bool]]:
    """Every parameter that its layer has a function for: path, value, function, and whether it is trained."""
    places = {place.path: place for place in placed_layers(net)}
    if not any(treatment(place.layer) for place in places.values()):
        return
    for path, leaf in tree.leaves_with_path(params):
        place = places[_owner(path, places)]
        function = treatment(place.layer).get(path.rsplit("/", 1)[-1])
        if function is not None:
            yield path, leaf, function, place.trainable(path)


def _sum(total: Any, part: Any) -> Any:
    return part if isinstance(total, float) else ops.add(total, astype(part, spec_of(total).dtype))


def _owner(path: str, places: Any) -> str:
    """The path of the innermost layer that a parameter belongs to."""
    while path:
        path = path.rpartition("/")[0]
        if path in places:
            return path
    return ""
