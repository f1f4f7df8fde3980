"""Keras' operations, which calls of ``keras.ops`` and arithmetic leave in functional models, and those of `fnet.ops`.

One row for each class of Keras, in both directions. Only archives have them: Keras 3 writes them into ``.h5`` files,
too, but cannot read these.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fnet.arguments import is_integer
from fnet.configured import is_default
from fnet.errors import FileError, StructureError, plain
from fnet.io.keras.config import FLAG, NUMBER, TEXT, Config, ValueKind, either, integers, optional, several, word, wrong
from fnet.networks.operations import Operation, function_of

_AXIS = integers(-100)
_AXES = optional(either(_AXIS, several(_AXIS, 0, 100)))
_SIZES = either(integers(-1), several(integers(-1), 0, 100))
_OPTIONAL_AXIS = optional(_AXIS)
_DTYPE = ValueKind(lambda value, path: _known_dtype(value, path), lambda value: np.dtype(value).name)
_PAIRS = several(several(integers(0), 2, 2), 1, 100)
_BOUND = NUMBER
_SIDES = several(several(_AXIS, 1, 100), 2, 2)
_SECTIONS = either(integers(1), several(integers(0), 1, 10_000))

Options = Mapping[str, tuple[str, ValueKind]]


@dataclass(frozen=True)
class OperationRow:
    """An operation of Keras.

    class_name, module: Keras' class, and the part of ``keras.src.ops`` where it is. function: fnet's, as `Operation`
    names it. options: for each field of Keras' config, the parameter of the function and the kind of its values.
    only: what other fields of the config say; anything else is refused. keywords: those of Keras' call that are
    numbers, with the parameter of each.
    """

    class_name: str
    module: str
    function: str
    options: Options = field(default_factory=dict)
    only: Mapping[str, Any] = field(default_factory=dict)
    keywords: Mapping[str, str] = field(default_factory=dict)


def to_keras(operation: Operation) -> tuple[OperationRow, dict[str, Any], list[Any]]:
    """The row of an operation, the config of Keras', and the arguments of its call.

    Raises `StructureError` for what Keras' operation cannot do.
    """
    row = _by_function().get(operation.function)
    if row is None:
        raise StructureError(
            f"Keras has no operation {operation.function!r}. Keep the weights alone: fnet.save_weights."
        )
    if row.class_name == "Einsum":
        return row, {"subscripts": operation.args[0]}, list(operation.args[1:])
    signature = _signature(operation.function)
    bound = signature.bind(*operation.args, **operation.kwargs)
    bound.apply_defaults()
    config = {key: kind.write(bound.arguments.pop(parameter)) for key, (parameter, kind) in row.options.items()}
    calls = []
    for name, value in bound.arguments.items():
        parameter = signature.parameters[name]
        if parameter.default is inspect.Parameter.empty:
            calls.append(value)
        elif not is_default(value, parameter.default):
            raise StructureError(f"Keras' {row.class_name} has no {name}={plain(repr(value))}. Leave it out.")
    return row, {**config, **row.only}, calls


def from_keras(row: OperationRow, config: Config, call: Any) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """The name of the function for an operation in a file, with the arguments and keywords of its call."""
    for key, allowed in row.only.items():
        if key in config and config.raw(key) not in (allowed, None):
            raise FileError(f"{config.path}/{key}: fnet's operation cannot do {plain(repr(config.raw(key)))}.")
    given = {parameter: config.read(key, kind) for key, (parameter, kind) in row.options.items() if key in config}
    arguments, keywords = call
    for key, value in keywords.items():
        if value is None:
            continue
        if key not in row.keywords:
            raise FileError(f"{config.path}: fnet's operation is called without {plain(key)}={plain(repr(value))}.")
        given[row.keywords[key]] = NUMBER.read(value, f"{config.path}/{key}")
    if row.function == "einsum":
        return row.function, (given["subscripts"], *arguments), {}
    if row.function == "get_item":
        if len(arguments) != 2:
            raise FileError(f"{config.path}: expected a tensor and an index, received {len(arguments)} arguments.")
        return row.function, (arguments[0], _index(arguments[1], config.path)), {}
    return row.function, tuple(operand(part, config.path) for part in arguments), given


def row_of_operation(entry: Config) -> OperationRow | None:
    """The row of what a file has in the place of a layer; None where it is a layer.

    Layers and operations have the same names: Keras' module tells them apart, and in ``.h5`` files, which have none,
    whether there is the field ``trainable``, as in layers. Raises `FileError` for an operation that fnet does not have.
    """
    class_name = entry.read("class_name", TEXT)
    known = _by_class().get(class_name)
    if known is None and isinstance(entry.raw("module"), str) and has_form_of_operation(entry):
        raise FileError(
            f"{entry.path}: fnet has no operation {plain(repr(class_name))}. Build the network in fnet, and load "
            f"the weights alone: fnet.load_weights."
        )
    return known if has_form_of_operation(entry) else None


def has_form_of_operation(entry: Config) -> bool:
    """Whether a file has no layer there, if it has an operation of this name."""
    module, fields = entry.raw("module"), entry.raw("config")
    if isinstance(module, str):
        return ".ops." in module
    return isinstance(fields, Mapping) and "trainable" not in fields


def operand(value: Any, path: str) -> Any:
    """A tensor, a number, an array, or a list of them."""
    if isinstance(value, list):
        return [operand(part, path) for part in value]
    if value is None or isinstance(value, str | slice | Mapping) or value is Ellipsis:
        raise FileError(f"{path}: expected tensors or numbers as inputs, received {plain(repr(value))}.")
    return value


def _index(value: Any, path: str) -> Any:
    parts = value if isinstance(value, list) else [value]
    for part in parts:
        if not (part is None or part is Ellipsis or isinstance(part, slice) or is_integer(part)):
            raise wrong(path, "an index of integers and slices", part)
    return tuple(parts) if isinstance(value, list) else value


def _known_dtype(value: Any, path: str) -> str:
    names = ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")
    return word(*names).read("float32" if value in ("float16", "bfloat16") else value, path)


def _signature(function: str) -> inspect.Signature:
    if function == "get_item":
        return inspect.signature(lambda x, key: None)
    return inspect.signature(function_of(function))


def _plain_rows(module: str, **functions: str) -> list[OperationRow]:
    return [OperationRow(class_name, module, function) for class_name, function in functions.items()]


def _same_names(module: str, prefix: str, *names: str) -> list[OperationRow]:
    return [OperationRow("".join(p.capitalize() for p in n.split("_")), module, f"{prefix}{n}") for n in names]


def _axes(axis: ValueKind, *more: str) -> Options:
    kinds = {"axis": ("axis", axis), "keepdims": ("keepdims", FLAG)}
    return {key: kinds[key] for key in ("axis", *more)}


ROWS = (
    *_same_names(
        "numpy", "", "absolute", "negative", "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "square", "sin",
        "cos", "tan", "arctan", "sinh", "cosh", "tanh", "floor", "ceil", "trunc", "sign", "reciprocal", "isnan",
        "isinf", "isfinite", "logical_not", "logical_and", "logical_or", "add", "subtract", "multiply", "floor_divide",
        "power", "maximum", "minimum", "equal", "not_equal", "greater", "greater_equal", "less", "less_equal",
        "logaddexp", "where", "matmul", "dot", "outer", "ravel", "get_item",
    ),
    *_plain_rows("numpy", TrueDivide="divide", Divide="divide", Mod="remainder"),
    OperationRow("Round", "numpy", "round", only={"decimals": 0}),
    OperationRow("Einsum", "numpy", "einsum", {"subscripts": ("subscripts", TEXT)}),
    *(OperationRow(c.capitalize(), "numpy", c, _axes(_AXES, "keepdims")) for c in ("sum", "mean", "any", "all")),
    *(OperationRow(c.capitalize(), "numpy", c, _axes(_AXES, "keepdims")) for c in ("var", "std")),
    *(OperationRow(c.capitalize(), "numpy", c, _axes(_AXES, "keepdims"), {"initial": None}) for c in ("max", "min")),
    OperationRow("Prod", "numpy", "prod", _axes(_AXES, "keepdims"), {"dtype": None}),
    *(OperationRow(f"Arg{c}", "numpy", f"arg{c}", _axes(_OPTIONAL_AXIS), {"keepdims": False}) for c in ("max", "min")),
    OperationRow("Norm", "linalg", "norm", _axes(_AXES, "keepdims"), {"ord": None}),
    OperationRow("Cumsum", "numpy", "cumsum", _axes(_AXIS), {"dtype": None}),
    OperationRow("Clip", "numpy", "clip", {"x_min": ("low", _BOUND), "x_max": ("high", _BOUND)}),
    OperationRow("Take", "numpy", "take", _axes(_AXIS)),
    OperationRow("Reshape", "numpy", "reshape", {"newshape": ("shape", _SIZES)}),
    OperationRow("BroadcastTo", "numpy", "broadcast_to", {"shape": ("shape", _SIZES)}),
    OperationRow("Transpose", "numpy", "transpose", {"axes": ("axes", _AXES)}),
    OperationRow("Swapaxes", "numpy", "swapaxes", {"axis1": ("a", _AXIS), "axis2": ("b", _AXIS)}),
    OperationRow(
        "Moveaxis", "numpy", "moveaxis", {"source": ("source", _AXIS), "destination": ("destination", _AXIS)}
    ),
    OperationRow("ExpandDims", "numpy", "expand_dims", _axes(_AXIS)),
    OperationRow("Squeeze", "numpy", "squeeze", _axes(_AXES)),
    OperationRow("Flip", "numpy", "flip", _axes(_AXIS)),
    OperationRow(
        "Pad", "numpy", "pad", {"pad_width": ("widths", _PAIRS)}, {"mode": "constant"},
        {"constant_values": "value"},
    ),
    OperationRow("Concatenate", "numpy", "concatenate", _axes(_AXIS)),
    OperationRow("Stack", "numpy", "stack", _axes(_AXIS)),
    OperationRow(
        "Split", "numpy", "split", {"indices_or_sections": ("sections", _SECTIONS), "axis": ("axis", _AXIS)}
    ),
    OperationRow("Cast", "core", "astype", {"dtype": ("dtype", _DTYPE)}),
    *(OperationRow(f"{c}Like", "numpy", f"{c.lower()}_like", {"dtype": ("dtype", optional(_DTYPE))})
      for c in ("Zeros", "Ones")),
    OperationRow("StopGradient", "core", "stop_gradient"),
    OperationRow("Erf", "math", "erf"),
    OperationRow("Logsumexp", "math", "logsumexp", _axes(_AXIS, "keepdims")),
    OperationRow(
        "OneHot", "nn", "one_hot", {"num_classes": ("classes", integers()), "dtype": ("dtype", _DTYPE)},
        {"axis": -1, "sparse": False},
    ),
    *_same_names("nn", "", "relu", "sigmoid", "softplus"),
    *_same_names(
        "nn", "activations.", "relu6", "softsign", "silu", "log_sigmoid", "hard_sigmoid", "hard_silu", "selu",
        "tanh_shrink", "hard_tanh",
    ),
    *_same_names("nn", "activations.", "relu", "sigmoid", "softplus"),
    OperationRow("Tanh", "numpy", "activations.tanh"),
    OperationRow("Exp", "numpy", "activations.exponential"),
    OperationRow("LeakyRelu", "nn", "leaky_relu", {"negative_slope": ("negative_slope", _BOUND)}),
    OperationRow("LeakyRelu", "nn", "activations.leaky_relu", {"negative_slope": ("negative_slope", _BOUND)}),
    OperationRow("Elu", "nn", "activations.elu", {"alpha": ("alpha", _BOUND)}),
    OperationRow("Celu", "nn", "activations.celu", {"alpha": ("alpha", _BOUND)}),
    OperationRow("Gelu", "nn", "gelu", only={"approximate": False}),
    OperationRow("Gelu", "nn", "activations.gelu", {"approximate": ("approximate", FLAG)}),
    OperationRow("Glu", "nn", "activations.glu", _axes(_AXIS)),
    *(OperationRow(f"{c.capitalize()}Shrink", "nn", f"activations.{c}_shrink", {"threshold": ("threshold", _BOUND)})
      for c in ("soft", "hard")),
    OperationRow(
        "Threshold", "nn", "activations.threshold",
        {key: (key, _BOUND) for key in ("threshold", "default_value")},
    ),
    OperationRow("SparsePlus", "nn", "activations.sparse_plus"),
    OperationRow("Squareplus", "nn", "activations.squareplus", {"b": ("b", _BOUND)}),
    OperationRow("TopK", "math", "top_k", {"k": ("k", integers())}, {"sorted": True}),
    OperationRow("Tensordot", "numpy", "tensordot", {"axes": ("axes", either(integers(0), _SIDES))}),
    *(OperationRow("Softmax", "nn", name, _axes(_AXIS)) for name in ("softmax", "activations.softmax")),
    *(OperationRow("LogSoftmax", "nn", name, _axes(_AXIS)) for name in ("log_softmax", "activations.log_softmax")),
)  # fmt: skip


@functools.cache
def _by_function() -> Mapping[str, OperationRow]:
    return {row.function: row for row in reversed(ROWS)}


@functools.cache
def _by_class() -> Mapping[str, OperationRow]:
    """The rows by Keras' classes; of two, the later one, which can do more."""
    return {row.class_name: row for row in ROWS}
