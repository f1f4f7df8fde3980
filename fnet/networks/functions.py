"""The two functions that a layer is: their types, and what is done around each call of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from fnet.arguments import described
from fnet.context import Context, Level, in_force, within
from fnet.errors import DtypeError, ShapeError, StructureError, TracingError
from fnet.masking import finite_padding
from fnet.networks.position import OUTSIDE, Frozen, Position
from fnet.networks.samples import ShapeLike, check_shape
from fnet.networks.sharing import ParamsAndState, Shared, first_uses, joined
from fnet.random import check_key
from fnet.transforms.operand import is_known

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from fnet.networks.layer import Layer

Tree = dict[str, Any]
"""The params or the state of a layer: arrays, or trees of them, by name."""


class Init(Protocol):
    """``init(key, shape, dtype) -> (params, state)`` of a `Layer`."""

    def __call__(
        self, key: np.ndarray, shape: ShapeLike | None = None, dtype: DTypeLike = ...
    ) -> tuple[Tree, Tree]: ...


class Apply(Protocol):
    """``apply(params, state, x, key=None, train=False) -> (y, state)`` of a `Layer`."""

    def __call__(
        self, params: Any, state: Any, x: Any, key: np.ndarray | None = None, train: bool = False
    ) -> tuple[Any, Tree]: ...


F = TypeVar("F", bound=Callable[..., Any])


class Frame:
    """What the two functions of a layer know of it: how it is checked, and what holds for the layers in it."""

    def __init__(
        self,
        kind: str,
        marks: frozenset[object],
        children: Sequence[Layer],
        entries: Sequence[str],
        container: bool,
        trainable: bool | Callable[[str], bool],
        shape: Any,
    ) -> None:
        self.kind, self.marks, self.children, self.entries = kind, marks, children, entries
        self.container, self.trainable, self.shape = container, trainable, shape
        self.plain_contexts: dict[Level, Context] = {}

    @functools.cached_property
    def first_uses(self) -> dict[str, str]:
        """See `sharing.first_uses`."""
        return first_uses(self.children, self.entries) if self.container else {}

    @functools.cached_property
    def is_plain(self) -> bool:
        """Whether the layer freezes and shares nothing."""
        return self.trainable is True and not self.first_uses

    def inside(self, outside: Context, entries: ParamsAndState | None = None) -> tuple[Context, Shared | None]:
        """The context in which the function runs. With it, the shared layers where this is the outermost container."""
        position, opened = outside.position or OUTSIDE, None
        if position.marks is not None and not self.marks <= position.marks:
            raise StructureError(
                f"{self.kind} has a penalty, a constraint or frozen parameters, which the hand-written layer around it "
                f"hides. Name it there: Layer(init, apply, children=[layer], entries=['its entry in params'])."
            )
        if self.is_plain and outside.jit_level is not None:
            if outside.precision not in self.plain_contexts:
                self.plain_contexts[outside.precision] = outside.at(Position(marks=self.marks))
            return self.plain_contexts[outside.precision], None
        frozen = position.frozen
        if self.trainable is not True:
            frozen = (*frozen, Frozen(position.path, self.trainable))
        shared = position.shared if self.container else None
        if shared is None and self.first_uses:
            uses = {joined(position.path, k): joined(position.path, v) for k, v in self.first_uses.items()}
            shared = opened = Shared(position.path, uses, entries)
        return outside.at(Position(position.path, frozen, shared, self.marks)), opened


def checked_init(init: Callable, frame: Frame) -> Init:
    """`init` with checks of what it takes and returns, at its place in the network."""

    def run(key: np.ndarray, shape: ShapeLike | None = None, dtype: DTypeLike = np.float32) -> tuple[Tree, Tree]:
        arguments = check_key(key), known_shape(frame.shape, shape), float_dtype(dtype)
        with within(frame.inside(in_force())[0]):
            return _pair(init(*arguments), "init", "(params, state)")

    return _titled(run, "init")


def checked_apply(apply: Callable, frame: Frame) -> Apply:
    """`apply` with checks of what it takes and returns, at its place in the network."""

    def run(params: Any, state: Any, x: Any, key: np.ndarray | None = None, train: bool = False) -> tuple[Any, Tree]:
        if key is not None:
            check_key(key)
        if not is_known(train):
            raise TracingError("train decides what is traced, so it is a Python bool: mark it as static= in fnet.jit.")
        if not isinstance(train, bool | np.bool_):
            raise DtypeError(f"train is True or False, received {described(train)}.")
        outside = in_force()
        if outside.position is None or outside.position.marks is None:
            x = finite_padding(x)
        inside, shared = frame.inside(outside, (params, state))
        with within(inside):
            y, state = _pair(apply(params, state, x, key=key, train=train), "apply", "(y, state)")
        return y, state if shared is None else shared.settled(state)

    return _titled(run, "apply")


def known_shape(known: Any, given: Any) -> Any:
    """The checked shape that was given, or the known one, or a `ShapeError` where there is none."""
    if known is None and given is None:
        raise ShapeError("give the shape of one sample, without the batch axis: net.init(key, (784,)).")
    return check_shape(known if given is None else given)


def float_dtype(dtype: Any) -> np.dtype:
    """The dtype of parameters, or a `DtypeError`."""
    try:
        resolved = np.dtype(dtype)
    except TypeError:
        resolved = None
    if resolved not in (np.float32, np.float64):
        raise DtypeError(f"parameters are float32 or float64, received dtype {resolved or repr(dtype)}.")
    return resolved


def _titled(function: F, name: str) -> F:
    """The function, renamed: Python's own errors then show the name that users know."""
    function.__name__ = function.__qualname__ = name
    return function


def _pair(result: Any, role: str, expected: str) -> tuple[Any, Any]:
    if type(result) is not tuple or len(result) != 2:
        size = f" of length {len(result)}" if isinstance(result, tuple | list) else ""
        raise StructureError(f"{role} must return the pair {expected}, it returned a {type(result).__name__}{size}.")
    return result
