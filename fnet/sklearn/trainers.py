"""Trainers that fits share: what one fit has compiled, the next fit of an estimator with the same parameters uses."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from threading import Lock
from typing import Any

from fnet.errors import StructureError
from fnet.layers import Dense
from fnet.losses.define import LOSSES
from fnet.losses.names import LossLike, as_loss
from fnet.losses.names import get as get_loss
from fnet.networks.combinators import serial
from fnet.networks.layer import Layer
from fnet.ops import nn
from fnet.spec import ArraySpec
from fnet.train.trainer import Trainer
from fnet.transforms.stage import eval_shape

NetLike = Layer | Callable[[int, int], Layer] | None
"""A network, a function of the numbers of features and outputs that makes one, or None for the default."""
_KEPT = 16
_kept: OrderedDict[Hashable, tuple[Any, Any]] = OrderedDict()
_lock = Lock()


def small_network(features: int, outputs: int) -> Layer:
    """The default: one hidden layer of 100 units with relu.

    >>> small_network(4, 3).out_shape((4,))
    (3,)
    """
    return serial(Dense(100, "relu"), Dense(outputs))


def network(net: NetLike, features: int, outputs: int) -> Layer:
    """The network that is meant, made once for the same function and numbers."""
    if isinstance(net, Layer):
        return net
    make = small_network if net is None else net
    if not callable(make):
        raise StructureError(
            f"net is a Layer, or a function of the numbers of features and outputs that makes one, received a "
            f"{type(make).__name__}. Write net=lambda features, outputs: fnet.serial(...)."
        )
    made = kept((make, features, outputs), lambda: make(features, outputs))
    if not isinstance(made, Layer):
        raise StructureError(
            f"net is a function that makes a Layer of the numbers of features and outputs, but net({features}, "
            f"{outputs}) is a {type(made).__name__}. Let it return fnet.serial(...)."
        )
    return made


def trainer(net: Layer, loss: LossLike, optimizer: Any, metrics: Any) -> Trainer:
    """The trainer of these, made once."""
    several = tuple(metrics) if isinstance(metrics, Sequence) and not isinstance(metrics, str) else (metrics,)
    return kept((net, loss, optimizer, *several), lambda: Trainer(net, loss, optimizer, metrics))


def activation_of(net: Layer, params: Any, state: Any, features: int, dtype: Any) -> tuple[int, str | None]:
    """The size of the output of a network, and the last activation where that is softmax or sigmoid.

    Raises `StructureError` for an output that is no row of numbers for each sample.
    """
    last = None

    def apply(params: Any, state: Any, x: Any) -> Any:
        nonlocal last
        y, _ = net.apply(params, state, x)
        last = next((name for name in ("softmax", "sigmoid") if nn.logits_of(name, y) is not None), None)
        return y

    output = eval_shape(apply, params, state, ArraySpec((2, features), dtype))
    if not isinstance(output, ArraySpec) or len(output.shape) != 2:
        raise StructureError(
            f"the network of an estimator gives one row for each sample, expected an output of shape (2, outputs) for "
            f"2 samples, received {getattr(output, 'shape', type(output).__name__)}. End it with Flatten or Dense."
        )
    return output.shape[1], last


def takes_labels(loss: LossLike) -> bool:
    """Whether a loss compares with the numbers of classes; the other losses of fnet compare with one-hot rows."""
    known = as_loss(get_loss(loss))
    return known is None or known.kind not in LOSSES or known.kind in _OF_LABELS


_OF_LABELS = ("sparse_categorical_crossentropy", "crossentropy")


def kept(key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
    """``make()``, or what it was the last time for the same objects; the latest few are kept."""
    place = tuple(one if isinstance(one, str | int) else id(one) for one in key)
    with _lock:
        if place in _kept:
            _kept.move_to_end(place)
            return _kept[place][1]
    made = make()
    with _lock:
        _kept[place] = (key, made)  # the objects live as long as their identities are in use
        while len(_kept) > _KEPT:
            _kept.popitem(last=False)
    return made
