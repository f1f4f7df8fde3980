"""What a layer is: a pair of pure functions, with a name, a configuration and children that others can read."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NoReturn

import numpy as np

from fnet import tree
from fnet.configured import make_again
from fnet.errors import BatchSizeError, DtypeError, ShapeError, StructureError, TracingError
from fnet.masking import handing_on, unmasked, without_masks
from fnet.random import check_key
from fnet.random import key as make_key
from fnet.spec import ArraySpec
from fnet.transforms.stage import eval_shape
from fnet.transforms.tracer import Tracer

# Sizes at which abstract evaluation tries a layer: the batch, and the variable axes (two sizes tell which axes of the
# output vary; large enough for any usual window, and divisible by most strides).
BATCH, VARIABLE = 3, (240, 480)

_TRAIN_HINT = "net.apply(params, state, x, train=True) says so, and the Trainer does."
_CALL_HINTS = {
    "training": _TRAIN_HINT,
    "train": _TRAIN_HINT,
    "mask": "a mask travels with the values, from Masking or Embedding(mask_zero=True) on.",
    "initial_state": "states are inputs behind the sequence, layer((x, h)), or layer((x, h, c)) for an LSTM.",
}

Masks = Literal["dropped", "kept", "used"]
Recipe = tuple[Callable[..., "Layer"], tuple, Mapping[str, Any]]
_FROZEN: ContextVar[bool] = ContextVar("frozen", default=False)


class Layer(tuple):
    """The pair ``(init, apply)``: ``init, apply = layer``.

    ``init(key, shape, dtype) -> (params, state)``: trees of arrays for inputs of `shape`, which has no batch axis
    (None is an axis of variable size; several inputs have a tuple of shapes). Both are {} where there is nothing.
    ``apply(params, state, x, key=None, train=False) -> (y, state)``: the output, and the state for the next call.
    The state is returned because the function is pure: what a call learns (running means, say) leaves it as a value.

    Both are pure functions, written with `fnet.ops` or NumPy functions, and take exactly these arguments.
    `name` names the entry in a container's params; containers number equal names. `kind` is the name of the
    constructor, `config` holds its arguments, `children` the layers of a container and `entries` the names of theirs.
    `regularizers` and `constraints` hold functions of parameters by the name of the leaf (see `fnet.penalty` and
    `fnet.constrain`), `trainable` says whether a trainer changes the parameters (see `fnet.freeze`).

    recipe: a function that can be imported, and its arguments, which make the layer again where it is unpickled; it is
    given by constructors and combinators, and a layer without one cannot be pickled.
    masks: what the layer does with the mask of its input (a `fnet.masking.Masked`): "dropped", its apply gets values
    only; "kept", so it does, and its output gets the mask; "used", its apply gets the `Masked` itself.

    >>> scale = Layer(
    ...     lambda key, shape, dtype: ({"factor": np.ones(shape, dtype)}, {}),
    ...     lambda params, state, x, key=None, train=False: (x * params["factor"], state),
    ...     name="scale",
    ... )
    >>> scale.out_shape((3,))
    (3,)
    """

    name: str
    kind: str
    config: Mapping[str, Any]
    children: tuple[Layer, ...]
    entries: tuple[str, ...]
    regularizers: Mapping[str, Callable[[Any], Any]]
    constraints: Mapping[str, Callable[[Any], Any]]
    trainable: bool | Callable[[str], bool]  # of a parameter's path within the layer
    named: bool  # whether the user chose the name, which then is not numbered
    shown: Mapping[str, Any]  # the arguments that repr shows
    recipe: Recipe | None

    def __new__(
        cls,
        init: Callable[..., tuple[Any, Any]],
        apply: Callable[..., tuple[Any, Any]],
        *,
        name: str = "layer",
        kind: str | None = None,
        config: Mapping[str, Any] | None = None,
        shown: Mapping[str, Any] | None = None,
        children: Sequence[Layer] = (),
        entries: Sequence[str] = (),
        regularizers: Mapping[str, Callable[[Any], Any]] | None = None,
        constraints: Mapping[str, Callable[[Any], Any]] | None = None,
        masks: Masks = "dropped",
        recipe: Recipe | None = None,
    ) -> Layer:
        for role, function in (("init", init), ("apply", apply)):
            if not callable(function):
                raise StructureError(f"Layer: {role} must be a function, received {type(function).__name__}.")
        if masks != "used":
            apply = without_masks(apply) if masks == "dropped" else handing_on(apply)
        config = MappingProxyType(dict(config or {}))
        return cls._of(
            (_checked_init(init), _checked_apply(apply)),
            name=check_name(name),
            kind=kind or name,
            config=config,
            shown=config if shown is None else MappingProxyType(dict(shown)),
            children=tuple(children),
            entries=tuple(entries),
            regularizers=MappingProxyType(dict(regularizers or {})),
            constraints=MappingProxyType(dict(constraints or {})),
            trainable=True,
            named=False,
            recipe=recipe,
        )

    @classmethod
    def _of(cls, pair: tuple, **attributes: Any) -> Layer:
        layer = tuple.__new__(cls, pair)
        layer.__dict__.update(attributes)
        return layer

    def relabel(self, name: str, named: bool) -> Layer:
        """Another Layer of the same two functions, with parameters of its own where it is used."""
        return self._of(tuple(self), **{**self.__dict__, "name": check_name(name), "named": named})

    def with_trainable(self, trainable: bool | Callable[[str], bool]) -> Layer:
        """Another Layer of the same functions; with False a BatchNormalization in it keeps its statistics."""
        apply = _frozen(_thawed(self.apply)) if trainable is False else _thawed(self.apply)
        return self._of((self.init, apply), **{**self.__dict__, "trainable": trainable})

    @property
    def init(self) -> Callable[..., tuple[Any, Any]]:
        return self[0]

    @property
    def apply(self) -> Callable[..., tuple[Any, Any]]:
        return self[1]

    def out_shape(self, shape: Any, dtype: Any = np.float32) -> Any:
        """The shape of the output, without the batch axis, for inputs of `shape`; nothing is computed.

        None stays None in the axes that vary with it; a tree of outputs gives a tree of shapes.
        """
        params, state = self.parameter_specs(shape, dtype)
        return output_shape(self.apply, params, state, check_shape(shape), dtype)

    def parameter_specs(self, shape: Any, dtype: Any = np.float32) -> tuple[Any, Any]:
        """What init makes for inputs of `shape`: trees of specs, `(params, state)`; nothing is computed.

        An init that looks at its key is run, and gives arrays.
        """
        shape, dtype = check_shape(shape), _float_dtype(dtype)
        try:
            return eval_shape(lambda key: self.init(key, shape, dtype), ArraySpec((2,), np.dtype(np.uint32)))
        except TracingError:
            return self.init(make_key(0), shape, dtype)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"a Layer is read-only, '{name}' cannot be set; build another, or use fnet.named.")

    __delattr__ = __setattr__  # type: ignore[assignment]

    def __copy__(self) -> Layer:
        return self

    def __deepcopy__(self, memo: Any) -> Layer:
        """The layer itself, which never changes."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if self.recipe is None:
            raise TypeError(
                f"{self.kind}: a Layer of functions of your own cannot be pickled, only what constructors and "
                f"combinators made. Build it again where it is needed, and carry its parameters over: "
                f"fnet.save_weights, or pickle the trees themselves."
            )
        return _made_again, (self.recipe, self.name, self.named, self.trainable)

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """The layer in a graph: its outputs for symbolic inputs, see `fnet.Input` and `fnet.graph`."""
        for option in options:
            hint = _CALL_HINTS.get(option, "its configuration goes to its constructor.")
            raise TypeError(f"{self.kind}: a layer is called on its inputs alone, received {option}=: {hint}")
        for leaf in tree.leaves(inputs):
            if hasattr(leaf, "feed"):
                return leaf.feed(self, inputs[0] if len(inputs) == 1 else inputs)
        raise TracingError(
            f"{self.kind}: a layer is called on symbolic inputs (fnet.Input) to build a graph, received "
            f"{type(inputs[0]).__name__ if inputs else 'nothing'}. For arrays: net.apply(params, state, x)."
        )

    def __repr__(self) -> str:
        name = {"name": self.name} if self.named else {}
        parts = [*map(repr, self.children), *(f"{k}={v!r:.80}" for k, v in {**self.shown, **name}.items())]
        return f"{self.kind}({', '.join(parts)})"


@contextmanager
def frozen_layers() -> Iterator[None]:
    """Layers that are applied inside keep statistics of theirs as they are, also in training."""
    token = _FROZEN.set(True)
    try:
        yield
    finally:
        _FROZEN.reset(token)


def is_frozen() -> bool:
    """Whether the layer that is being applied is, or is within, one that is not trainable."""
    return _FROZEN.get()


def _frozen(apply: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, Any]]:
    def apply_frozen(params: Any, state: Any, x: Any, **options: Any) -> tuple[Any, Any]:
        with frozen_layers():
            return apply(params, state, x, **options)

    checked = _checked_apply(apply_frozen)
    checked.__wrapped__ = apply  # type: ignore[attr-defined]
    return checked


def _thawed(apply: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, Any]]:
    """The function that `_frozen` made this of, or itself."""
    return getattr(apply, "__wrapped__", apply)


@dataclass(frozen=True)
class Samples:
    """Shape, without the batch axis, and dtype of one array of samples; None is an axis of variable size."""

    shape: tuple[int | None, ...]
    dtype: np.dtype


def output_shape(apply: Callable[..., tuple[Any, Any]], params: Any, state: Any, shape: Any, dtype: Any) -> Any:
    """Shapes of what `apply` returns for inputs of `shape`, both without the batch axis, by abstract evaluation."""
    return tree.map(lambda samples: samples.shape, output_samples(apply, params, state, shape, dtype))


def output_samples(apply: Callable[..., tuple[Any, Any]], params: Any, state: Any, shape: Any, dtype: Any) -> Any:
    """The tree of `Samples` that `apply` returns for inputs of these shapes; `dtype` is one or a tree like `shape`."""

    def output(params: Any, state: Any, x: Any) -> Any:
        return unmasked(apply(params, state, x)[0])

    def samples(batch: int) -> Any:
        probes = [probe(shape, batch, n, dtype) for n in (VARIABLE if has_variable_axis(shape) else VARIABLE[:1])]
        results = [eval_shape(output, params, state, probe) for probe in probes]
        return tree.map(functools.partial(joined_samples, batch), *results)

    try:
        return samples(BATCH)
    except BatchSizeError as error:  # of a layer for batches of one size
        return samples(error.expected)


def joined_samples(batch: int, *specs: ArraySpec) -> Samples:
    """One output's shape without its batch axis; None where the probes differ."""
    for spec in specs:
        if spec.shape[:1] != (batch,):
            raise ShapeError(
                f"the output must keep the batch as its first axis: expected ({batch}, ...) for a batch of {batch}, "
                f"received {spec.shape}."
            )
    axes = zip(*(spec.shape[1:] for spec in specs), strict=True)
    shape = tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in axes)
    return Samples(shape, specs[0].dtype)


def is_single(shape: Any) -> bool:
    """Whether a checked shape is that of one array, not a tuple or dict of shapes."""
    return isinstance(shape, tuple) and not any(isinstance(n, tuple | dict) for n in shape)


def has_variable_axis(shape: Any) -> bool:
    """Whether a checked shape, or one of several, has an axis of variable size."""
    if is_single(shape):
        return None in shape
    return any(has_variable_axis(s) for s in (shape.values() if isinstance(shape, dict) else shape))


def probe(shape: Any, batch: int, size: int, dtype: Any) -> Any:
    """Specs of inputs of a checked shape, with a batch axis and `size` for None."""
    if is_single(shape):
        return ArraySpec((batch, *(size if n is None else n for n in shape)), np.dtype(dtype))
    if isinstance(shape, dict):
        named = dtype if isinstance(dtype, dict) else dict.fromkeys(shape, dtype)
        return {name: probe(s, batch, size, named[name]) for name, s in shape.items()}
    dtypes = dtype if isinstance(dtype, tuple) else (dtype,) * len(shape)
    return tuple(probe(s, batch, size, own) for s, own in zip(shape, dtypes, strict=True))


def check_shape(shape: Any) -> Any:
    """A shape without its batch axis as a tuple of sizes, or a tuple or dict of them for several inputs.

    Raises `ShapeError` for anything else.
    """
    if isinstance(shape, dict):
        return {name: check_shape(s) for name, s in shape.items()}
    if not isinstance(shape, tuple | list):
        given = f"({shape},)" if isinstance(shape, int | np.integer) else "(784,)"
        raise ShapeError(f"a shape is a tuple of sizes without the batch axis, e.g. {given}, received {shape!r}.")
    if any(isinstance(n, tuple | list | dict) for n in shape):
        return tuple(check_shape(n) for n in shape)
    for n in shape:
        if n is not None and (isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1):
            raise ShapeError(f"sizes are positive integers, or None for a variable axis, received {tuple(shape)}.")
    return tuple(None if n is None else int(n) for n in shape)


def check_name(name: Any) -> str:
    """A name that can be a part of a path, in files too, or a `StructureError`."""
    if not isinstance(name, str) or not name or "/" in name:
        raise StructureError(f"a layer's name is a non-empty string without '/', received {name!r}.")
    if not is_path_part(name):
        raise StructureError(f"the name {name!r} cannot be that of a group in a weights file. Use letters and digits.")
    return name


def is_path_part(name: str) -> bool:
    """Whether files can hold something of this name: HDF5 takes neither "", ".", NUL nor what is no Unicode text."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return name not in ("", ".") and "\0" not in name


def _made_again(recipe: Recipe, name: str, named: bool, trainable: bool | Callable[[str], bool]) -> Layer:
    """The layer of a recipe, with what was said of it later."""
    layer = make_again(*recipe)
    layer = layer if (layer.name, layer.named) == (name, named) else layer.relabel(name, named)
    return layer if layer.trainable == trainable else layer.with_trainable(trainable)


def _float_dtype(dtype: Any) -> np.dtype:
    try:
        resolved = np.dtype(dtype)
    except TypeError:
        resolved = None
    if resolved not in (np.float32, np.float64):
        raise DtypeError(f"parameters are float32 or float64, received dtype {resolved or repr(dtype)}.")
    return resolved


def _checked_init(init: Callable) -> Callable[..., tuple[Any, Any]]:
    def checked_init(key: Any, shape: Any, dtype: Any = np.float32) -> tuple[Any, Any]:
        result = init(check_key(key), check_shape(shape), _float_dtype(dtype))
        return _pair(result, "init", "(params, state)")

    return _titled(checked_init, "init")


def _checked_apply(apply: Callable) -> Callable[..., tuple[Any, Any]]:
    def checked_apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        if key is not None:
            check_key(key)
        if isinstance(train, Tracer):
            raise TracingError("train decides what is traced, so it is a Python bool: mark it as static= in fnet.jit.")
        if not isinstance(train, bool | np.bool_):
            raise DtypeError(f"train is True or False, received {type(train).__name__} {train!r:.40}.")
        return _pair(apply(params, state, x, key=key, train=train), "apply", "(y, state)")

    return _titled(checked_apply, "apply")


def _titled(function: Callable, name: str) -> Callable:
    """The function under the name by which users know it, which Python's own errors show."""
    function.__name__ = function.__qualname__ = name
    return function


def _pair(result: Any, role: str, expected: str) -> tuple[Any, Any]:
    if type(result) is not tuple or len(result) != 2:
        size = f" of length {len(result)}" if isinstance(result, tuple | list) else ""
        raise StructureError(f"{role} must return the pair {expected}, it returned a {type(result).__name__}{size}.")
    return result
