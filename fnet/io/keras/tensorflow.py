"""TensorFlow's functions of tensors, which ``tf.keras`` 2 has as layers in functional models; they are read alone.

Its classes are TFOpLambda, for functions and operators, and SlicingOpLambda, for indexing. A node has the first
argument as its input and all others as keywords.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fnet.arguments import is_integer
from fnet.errors import FileError, StructureError, plain
from fnet.io.keras import composed
from fnet.io.keras.composed import called, errors_of_file
from fnet.io.keras.config import TEXT, Config
from fnet.networks.node import SymbolicNode

CLASSES = ("TFOpLambda", "SlicingOpLambda")
_PREFIX = "compat.v1."


def from_tensorflow(entry: Config, name: str) -> Callable[[Any], Any]:
    """The function that makes the calls of an entry. Raises `FileError` for a function that fnet does not have."""
    function = entry.object("config").read("function", TEXT).removeprefix(_PREFIX)
    path = f"{entry.path} ({plain(repr(name))})"
    if function not in _FUNCTIONS:
        raise FileError(
            f"{path}: fnet has nothing for TensorFlow's {plain(repr(function))}. Build the network in fnet, and load "
            f"the weights alone: fnet.load_weights."
        )
    make = _FUNCTIONS[function]

    def run(call: Any) -> Any:
        arguments, keywords = call
        given = {key: value for key, value in keywords.items() if value is not None and key not in _WITHOUT_EFFECT}
        if function == "__operators__.getitem":
            given = {"slice_spec": keywords.get("slice_spec")}
        with errors_of_file(path):
            return make(*arguments, **given)

    return run


_WITHOUT_EFFECT = ("name", "out_type", "validate_indices")


class Shape(tuple[int, ...]):
    """The shape of a tensor, which indexing takes numbers from: -1 for the batch and for axes of any size."""


def _binary(function: str) -> Callable[..., Any]:
    return lambda x, y: called(function, x, y)


def _unary(function: str) -> Callable[..., Any]:
    return lambda x=None, **given: called(function, _only(x, given))


def _only(x: Any, given: Mapping[str, Any]) -> Any:
    """The one argument, which some functions call otherwise."""
    if x is None and len(given) == 1:
        return next(iter(given.values()))
    if given:
        raise TypeError(f"unexpected keywords {', '.join(given)}")
    return x


def _divided(x: Any, y: Any) -> Any:
    """The quotient; that of integers of 32 bits and more is float64."""
    wide = any(part.dtype.itemsize > 2 for part in (x, y) if isinstance(part, SymbolicNode))
    floats = [
        called("astype", part, "float64" if wide else "float32")
        if isinstance(part, SymbolicNode) and part.dtype.kind != "f"
        else part
        for part in (x, y)
    ]
    return called("divide", *floats)


def _reduced(function: str) -> Callable[..., Any]:
    def run(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        if function in ("mean", "std", "var") and x.dtype.kind != "f":
            raise StructureError("the mean of integers is an integer in TensorFlow.")
        return called(function, x, axis=_axes(axis), keepdims=bool(keepdims))

    return run


def _along(function: str) -> Callable[..., Any]:
    return lambda x, axis=-1: called(function, x, axis=_axes(axis))


def _axes(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


def _matmul(a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False) -> Any:
    a = called("swapaxes", a, -1, -2) if transpose_a else a
    return called("matmul", a, called("swapaxes", b, -1, -2) if transpose_b else b)


def _getitem(x: Any, slice_spec: Any) -> Any:
    parts = slice_spec if isinstance(slice_spec, list) else [slice_spec]
    index = tuple(_index(part) for part in parts)
    if isinstance(x, Shape):
        if len(index) != 1 or not is_integer(index[0]):
            raise StructureError("a shape is indexed by one number.")
        return tuple(x)[index[0]]
    return called("get_item", x, index if isinstance(slice_spec, list) else index[0])


def _index(part: Any) -> Any:
    if isinstance(part, Mapping) and part.get("class_name") == "__ellipsis__":
        return Ellipsis
    if isinstance(part, Mapping):
        return slice(*(part.get(key) for key in ("start", "stop", "step")))
    if part is None or is_integer(part):
        return part
    raise StructureError(f"expected an index of integers and slices, received {plain(repr(part))}.")


def _shape(x: Any) -> Shape:
    return Shape(-1 if size is None else size for size in x.shape)


def _reshape(x: Any, shape: Any) -> Any:
    sizes = tuple(shape)
    if not sizes or not all(map(is_integer, sizes)):
        raise StructureError("it reshapes to sizes that are computed.")
    if sizes.count(-1) > 1 and x.shape[1 : len(sizes)] == sizes[1:]:
        return composed.same(x)
    return called("reshape", x, sizes)


def _cast(x: Any, dtype: Any) -> Any:
    return called("astype", x, {"float16": "float32", "bfloat16": "float32"}.get(dtype, dtype))


def _gather(params: Any, indices: Any, axis: int = 0, batch_dims: int = 0) -> Any:
    if batch_dims:
        raise StructureError("it gathers within each sample.")
    index = indices if isinstance(indices, SymbolicNode) else np.asarray(indices, "int32")
    return called("take", params, index, axis=composed.axis_of(params, axis))


def _pad(tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: float = 0) -> Any:
    if mode != "CONSTANT":
        raise StructureError(f"it pads in the mode {mode!r:.40}.")
    return called("pad", tensor, tuple(map(tuple, paddings)), constant_values)


def _split(value: Any, num_or_size_splits: Any, axis: int = 0) -> Any:
    sizes = num_or_size_splits
    sections = sizes if is_integer(sizes) else tuple(int(n) for n in np.cumsum(np.asarray(sizes, "int64"))[:-1])
    return called("split", value, sections, axis=composed.axis_of(value, axis))


def _reverse(tensor: Any, axis: Any) -> Any:
    for own in axis:
        tensor = called("flip", tensor, composed.axis_of(tensor, own))
    return tensor


def _repeat(input: Any, repeats: Any, axis: int | None = None) -> Any:
    if not is_integer(repeats) or repeats < 1:
        raise StructureError("it repeats by numbers that differ.")
    return composed.repeat(input, repeats, axis)


def _normalized(x: Any, axis: Any = None, epsilon: float = 1e-12) -> Any:
    """``x / sqrt(max(sum x^2, epsilon))``."""
    total = called("sum", called("square", x), axis=_axes(axis), keepdims=True)
    return x / called("sqrt", called("maximum", total, epsilon))


def _norm(tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: bool = False) -> Any:
    if ord not in ("euclidean", 2):
        raise StructureError(f"it takes the norm {ord!r:.40}.")
    return called("norm", tensor, axis=_axes(axis), keepdims=bool(keepdims))


def _added(inputs: Any) -> Any:
    total = inputs[0]
    for part in inputs[1:]:
        total = total + part
    return total


def _where(condition: Any, x: Any, y: Any) -> Any:
    return called("where", condition, x, y)


def _leaky_relu(features: Any, alpha: float = 0.2) -> Any:
    return called("leaky_relu", features, alpha)


def _gelu(features: Any, approximate: bool = False) -> Any:
    return called("activations.gelu", features, bool(approximate))


def _silu(features: Any, beta: float = 1.0) -> Any:
    if beta != 1:
        raise StructureError(f"it is a silu with beta={beta!r:.40}.")
    return called("activations.silu", features)


def _transpose(a: Any, perm: Any = None, conjugate: bool = False) -> Any:
    return called("transpose", a, axes=None if perm is None else tuple(perm))


def _squeeze(input: Any, axis: Any = None) -> Any:
    return called("squeeze", input, axis=_axes(axis))


def _one_hot(indices: Any, depth: int) -> Any:
    return called("one_hot", indices, depth)


def _clipped(t: Any, clip_value_min: Any, clip_value_max: Any) -> Any:
    return called("minimum", called("maximum", t, clip_value_min), clip_value_max)


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{f"math.{name}": _binary(own) for name, own in {
        "add": "add", "subtract": "subtract", "multiply": "multiply",
        "floordiv": "floor_divide", "floormod": "remainder", "mod": "remainder", "pow": "power", "maximum": "maximum",
        "minimum": "minimum", "greater": "greater", "greater_equal": "greater_equal", "less": "less",
        "less_equal": "less_equal", "equal": "equal", "not_equal": "not_equal", "logical_and": "logical_and",
        "logical_or": "logical_or", "squared_difference": "squared_difference",
    }.items()},
    "__operators__.add": _binary("add"),
    "math.truediv": _divided, "math.divide": _divided,
    "floor_div": _binary("floor_divide"),
    **{f"math.{name}": _unary(own) for name, own in {
        "abs": "absolute", "negative": "negative", "exp": "exp", "log": "log", "log1p": "log1p", "expm1": "expm1",
        "sqrt": "sqrt", "square": "square", "sin": "sin", "cos": "cos", "tan": "tan", "tanh": "tanh",
        "sigmoid": "sigmoid", "softplus": "softplus", "sign": "sign", "floor": "floor", "ceil": "ceil",
        "round": "round", "reciprocal": "reciprocal", "logical_not": "logical_not", "erf": "erf",
        "is_nan": "isnan", "is_inf": "isinf", "is_finite": "isfinite",
    }.items()},
    **{f"nn.{name}": _unary(own) for name, own in {
        "relu": "relu", "relu6": "activations.relu6", "elu": "activations.elu", "selu": "activations.selu",
        "softsign": "activations.softsign", "sigmoid": "sigmoid", "tanh": "tanh", "softplus": "softplus",
    }.items()},
    "math.rsqrt": composed.rsqrt,
    **{f"math.reduce_{name}": _reduced(name) for name in ("sum", "mean", "max", "min", "prod", "any", "all")},
    "math.reduce_std": _reduced("std"), "math.reduce_variance": _reduced("var"),
    "math.reduce_logsumexp": _reduced("logsumexp"),
    "math.argmax": _along("argmax"), "math.argmin": _along("argmin"),
    "math.cumsum": lambda x, axis=0: called("cumsum", x, axis=composed.axis_of(x, axis)),
    "math.add_n": _added, "math.l2_normalize": _normalized, "nn.l2_normalize": _normalized, "norm": _norm,
    "nn.softmax": lambda logits, axis=-1: called("softmax", logits, axis=axis),
    "nn.log_softmax": lambda logits, axis=-1: called("log_softmax", logits, axis=axis),
    "nn.leaky_relu": _leaky_relu, "nn.gelu": _gelu, "nn.silu": _silu, "nn.swish": _silu,
    "concat": lambda values, axis: called("concatenate", values, axis=axis),
    "stack": lambda values, axis=0: called("stack", values, axis=axis),
    "unstack": lambda value, num=None, axis=0: composed.unstack(value, num, axis),
    "split": _split, "reshape": _reshape, "shape": _shape, "__operators__.getitem": _getitem,
    "expand_dims": lambda input, axis: called("expand_dims", input, axis=axis),
    "squeeze": _squeeze, "transpose": _transpose, "linalg.matmul": _matmul, "cast": _cast, "where": _where,
    "gather": _gather, "pad": _pad, "reverse": _reverse, "repeat": _repeat, "one_hot": _one_hot,
    "tile": lambda input, multiples: composed.tile(input, multiples),
    "clip_by_value": _clipped, "identity": lambda input: composed.same(input),
    "stop_gradient": lambda input: called("stop_gradient", input),
}  # fmt: skip
