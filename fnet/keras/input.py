"""Symbolic inputs of models, and what stands for them in a list of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from fnet.errors import ShapeError
from fnet.keras.layer import Layer
from fnet.keras.naming import unique_name
from fnet.networks import graph
from fnet.networks.node import SymbolicNode


def Input(  # noqa: N802 (Keras' name)
    shape: Sequence[int | None] | int | None = None,
    batch_size: int | None = None,
    dtype: Any = "float32",
    name: str | None = None,
    batch_shape: Sequence[int | None] | None = None,
    **others: Any,
) -> SymbolicNode:
    """A symbolic input: layers are called on it.

    shape: that of a sample, without the batch axis; None is an axis of variable size. batch_shape: with the batch axis,
    in place of `shape`. A size of the batch is not held to. Source: Keras ``Input``.

    >>> Input((28, 28), name="image").shape
    (None, 28, 28)
    """
    for option, value in others.items():
        if option not in ("sparse", "ragged", "tensor", "type_spec", "optional") or value:
            raise TypeError(f"Input() does not take {option}={value!r}.")
    if batch_shape is not None:
        shape = tuple(batch_shape)[1:]
    if shape is None:
        raise ShapeError("Input: give the shape of one sample, without the batch axis: Input((784,)).")
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    kind = getattr(dtype, "name", dtype) or "float32"
    node = graph.Input(sizes, kind, unique_name("input_layer") if name is None else name)
    size = batch_size if batch_shape is None else next(iter(batch_shape))
    if size is not None:
        _BATCHES[node] = size
    return node


_BATCHES: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
"""The sizes of batches that inputs were declared with: `summary` shows them."""


def batch_of(given: Any) -> int | None:
    """The size of the batch that an `Input` was declared with; None for any."""
    return _BATCHES.get(given.node if isinstance(given, InputLayer) and given.node is not None else given)


class InputLayer(Layer):
    """What stands for an input in a list of layers.

    shape, batch_shape: of the data, without and with the batch axis. Source: Keras ``InputLayer``.
    """

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = "float32",
        name: str | None = None,
        batch_shape: Any = None,
        input_shape: Any = None,
        node: SymbolicNode | None = None,
    ) -> None:
        super().__init__(name=name)
        given = shape if shape is not None else input_shape
        self.declared_shape = tuple(batch_shape)[1:] if batch_shape is not None else tuple(given)
        self.input_dtype, self.node, self.built = dtype, node, True
        size = batch_size if batch_shape is None else next(iter(batch_shape))
        if size is not None:
            _BATCHES[self] = size
        self.symbolic_calls = [] if node is None else [((), node)]
