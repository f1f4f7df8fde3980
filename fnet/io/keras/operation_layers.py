"""Layers of Keras for operations, in files that have none: ``.h5``, whose operations Keras itself cannot read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet import activations, tree
from fnet.arguments import is_number
from fnet.errors import StructureError
from fnet.io.keras.operations import to_keras
from fnet.layers import (
    Activation,
    Add,
    Concatenate,
    LeakyReLU,
    Maximum,
    Minimum,
    Multiply,
    Permute,
    Rescaling,
    Reshape,
    Softmax,
    Subtract,
)
from fnet.networks.layer import Layer
from fnet.networks.operations import InputAt, Operation

_MERGES: dict[str, Callable[[], Layer]] = {
    "add": Add, "subtract": Subtract, "multiply": Multiply, "maximum": Maximum, "minimum": Minimum
}  # fmt: skip
_SAME = {"exp": "exponential"}


def layer_for(operation: Operation, inputs: Any) -> Layer:
    """The layer that computes the same for these inputs, trees of tensors with `samples`.

    Raises `StructureError` where Keras has none.
    """
    layer = _of_numbers(operation) or _of_tensors(operation, inputs) or _of_function(operation)
    if layer is None:
        to_keras(operation)  # whether there is such an operation in the other kind of files
        raise StructureError(
            f"Keras reads no operation '{operation.function}' from an .h5 file. Save the model as .keras, or put a "
            f"layer in its place."
        )
    return layer


def _of_numbers(operation: Operation) -> Layer | None:
    """Arithmetic of one tensor and a number."""
    name, args = operation.function, operation.args
    if name == "negative":
        return Rescaling(-1.0)
    if len(args) != 2 or sum(isinstance(part, InputAt) for part in args) != 1:
        return None
    first = isinstance(args[0], InputAt)
    other = args[1] if first else args[0]
    if not is_number(other) or (name == "divide" and (not first or other == 0)):
        return None
    rescaled = {"add": (1.0, other), "multiply": (other, 0.0)}
    rescaled["subtract"] = (1.0, -other) if first else (-1.0, other)
    rescaled["divide"] = (1 / other if other else 0.0, 0.0)
    return Rescaling(*map(float, rescaled[name])) if name in rescaled else None


def _of_tensors(operation: Operation, inputs: Any) -> Layer | None:
    """Arithmetic of two tensors of as many axes, and tensors joined."""
    name, args, count = operation.function, operation.args, len(tree.leaves(inputs))
    ranks = {len(tensor.samples.shape) for tensor in tree.leaves(inputs)}
    if name in _MERGES and count == 2 and args == (InputAt(0), InputAt(1)) and len(ranks) == 1:
        return _MERGES[name]()
    axis = operation.kwargs.get("axis", args[1] if len(args) > 1 else 0)
    joined = name == "concatenate" and count > 1 and axis != 0 and list(args[0]) == [InputAt(i) for i in range(count)]
    return Concatenate(axis) if joined else None


def _of_function(operation: Operation) -> Layer | None:
    """Functions of one tensor."""
    name, args, kwargs = operation.function.removeprefix("activations."), operation.args, operation.kwargs
    if args[:1] != (InputAt(0),):
        return None
    if name in ("softmax", "leaky_relu"):
        return (Softmax if name == "softmax" else LeakyReLU)(*args[1:], **kwargs)
    name = _SAME.get(name, name)
    if len(args) == 1 and not kwargs:
        exact = name in activations.ACTIVATIONS and name != "binary_step"
        return Activation(name) if exact else None
    shape = kwargs.get("shape", args[1] if len(args) == 2 else None)
    if name == "reshape" and isinstance(shape, list | tuple) and len(shape) > 1 and shape[0] == -1:
        return Reshape(tuple(shape[1:])) if -1 not in shape[1:] else None
    axes = kwargs.get("axes", args[1] if len(args) == 2 else None)
    if name == "transpose" and isinstance(axes, list | tuple) and len(axes) > 1 and axes[0] == 0:
        return Permute(tuple(axes[1:])) if min(axes[1:]) > 0 else None
    return None
