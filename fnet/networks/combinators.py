"""Combinators: functions of layers that return a layer.

Params and state of a combined layer are dicts keyed by the names of its layers, ``dense``, ``dense_1``, ... in order of
use; a layer without parameters (state) has no entry. The same Layer object used twice shares its weights, in one
combinator or in several within each other: it has one entry, at its first use. Layer i gets the key
``fold_in(key, i)``, whatever the others do with theirs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal

from fnet import ops, tree
from fnet.arguments import described, integer, is_integer, known_word
from fnet.configured import Recipe
from fnet.errors import ArgumentError, ShapeError, StructureError, ValueRangeError
from fnet.masking import Masked, either, join_mask, mask_of_joined, values_and_masks
from fnet.networks.layer import Layer
from fnet.networks.members import Members, check_layers, unpacked
from fnet.networks.samples import is_single, output_shape
from fnet.ops.promotion import astype
from fnet.transforms.primitive import spec_of

Merge = Literal["concat", "add", "multiply", "average", "maximum"]


def serial(*layers: Layer | Sequence[Layer]) -> Layer:
    """The layers one after the other, also as a list; none at all is the identity. Associative, up to names.

    >>> from fnet.layers import Dense
    >>> serial(Dense(8, activation="relu"), Dense(2)).out_shape((4,))
    (2,)
    """
    chosen = unpacked(layers)
    return _chain("serial", chosen, {}, Recipe(serial, chosen, {}))


def parallel(*layers: Layer | Sequence[Layer]) -> Layer:
    """Layer i on input i: a tuple of inputs to the tuple of outputs."""
    chosen = unpacked(layers)
    members = Members("parallel", chosen)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        if is_single(shape) or isinstance(shape, dict) or len(shape) != len(chosen):
            raise ShapeError(
                f"parallel of {len(chosen)} layers expects a tuple of {len(chosen)} shapes, received {shape}. "
                f"To feed one input to every layer use fanout."
            )
        params: dict[str, Any] = {}
        state: dict[str, Any] = {}
        for i, own in enumerate(shape):
            members.init(i, params, state, key, own, dtype)
            members.out_shape(i, params, state, own, dtype)
        return params, state

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        if not isinstance(x, tuple | list) or len(x) != len(chosen):
            received = f"{len(x)}" if isinstance(x, tuple | list) else f"one {type(x).__name__}"
            raise StructureError(f"parallel expects a tuple of {len(chosen)} inputs, received {received}.")
        run = members.start(params, state, key, train)
        return tuple(run(i, part) for i, part in enumerate(x)), run.state

    return members.layer(init, apply, {}, Recipe(parallel, chosen, {}))


def fanout(
    *branches: Layer | Sequence[Layer], merge: Merge | Callable[..., Any] | None = "concat", axis: int = -1
) -> Layer:
    """One input to every branch, and the outputs merged.

    merge: ``"concat"`` along `axis` (counted with the batch axis), ``"add"``, ``"multiply"``, ``"average"``,
    ``"maximum"`` element by element, a function called as ``merge(*outputs)``, or None for the tuple of outputs.

    >>> from fnet.layers import Dense, Identity
    >>> fanout(Identity(), Dense(3)).out_shape((4,))
    (7,)
    """
    chosen = unpacked(branches)
    members = Members("fanout", chosen)
    if not chosen:
        raise ValueRangeError("fanout needs at least one branch, received none.")
    combine = _merge(merge, axis)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        params: dict[str, Any] = {}
        state: dict[str, Any] = {}
        for i in range(len(chosen)):
            members.init(i, params, state, key, shape, dtype)
        output_shape(apply, params, state, shape, dtype)
        return params, state

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        run = members.start(params, state, key, train)
        return combine(*(run(i, x) for i in range(len(chosen)))), run.state

    config = {"merge": merge, "axis": axis}
    return members.layer(init, apply, config, Recipe(fanout, chosen, config))


def residual(layer: Layer) -> Layer:
    """``x + layer(x)``, for a layer that keeps the shape."""
    members = Members("residual", (layer,))

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        params: dict[str, Any] = {}
        state: dict[str, Any] = {}
        members.init(0, params, state, key, shape, dtype)
        output_shape(apply, params, state, shape, dtype)
        return params, state

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        run = members.start(params, state, key, train)
        return tree.map(_added, x, run(0, x), is_leaf=lambda part: isinstance(part, Masked)), run.state

    return members.layer(init, apply, {}, Recipe(residual, (layer,), {}))


def repeat(layer: Layer, n: int) -> Layer:
    """`n` copies of the layer one after the other, each with parameters of its own."""
    integer("repeat", "n", n, 0, "{argument} is a number of copies, expected an integer >= {least}")
    check_layers("repeat", (layer,))
    copies = tuple(layer.relabel(layer.name, named=False) for _ in range(n))
    return _chain("repeat", copies, {"n": n}, Recipe(repeat, (layer, n), {}))


def named(name: str, layer: Layer) -> Layer:
    """The layer under a name that containers do not number.

    >>> from fnet.layers import Dense
    >>> named("head", Dense(2)).name
    'head'
    """
    check_layers("named", (layer,))
    return layer.relabel(name, named=True)


def _chain(kind: str, layers: tuple[Layer, ...], config: dict[str, Any], recipe: Recipe) -> Layer:
    members = Members(kind, layers)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        params: dict[str, Any] = {}
        state: dict[str, Any] = {}
        for i in range(len(layers)):
            members.init(i, params, state, key, shape, dtype)
            shape = members.out_shape(i, params, state, shape, dtype)
        return params, state

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        run = members.start(params, state, key, train)
        for i in range(len(layers)):
            x = run(i, x)
        return x, run.state

    return members.layer(init, apply, config, recipe)


def _added(x: Any, y: Any) -> Any:
    (x, y), masks = values_and_masks("residual", (x, y))
    if spec_of(x).shape != spec_of(y).shape:
        raise ShapeError(
            f"residual adds input and output, so the layer must keep the shape: expected {spec_of(x).shape}, received "
            f"{spec_of(y).shape}. Change its units, or use fanout(project, layer, merge='add')."
        )
    return join_mask(ops.add(astype(x, spec_of(y).dtype), y), either(masks))


def _merge(merge: str | Callable | None, axis: int) -> Callable:
    """The function ``combine(*outputs)`` for what `fanout` was given."""
    if merge is None:
        return lambda *outputs: outputs
    if callable(merge):
        return merge
    if not isinstance(merge, str):
        raise ArgumentError(f"fanout: merge is a name, a function or None, received {described(merge)}.")
    known_word("fanout", "merge", merge, _MERGES)
    if merge == "concat" and (not is_integer(axis) or axis == 0):
        raise ValueRangeError(f"fanout: axis 0 is the batch; expected another integer, received {axis!r}.")
    return functools.partial(_merged, merge, axis)


def _merged(merge: str, axis: int, *outputs: Any) -> Any:
    parts, masks = values_and_masks("fanout", outputs)
    shapes = [spec_of(y).shape for y in parts]
    if len({len(shape) for shape in shapes}) > 1:
        raise ShapeError(
            f"fanout merges outputs with equally many axes, received shapes {', '.join(map(str, shapes))}. "
            f"Reshape in a branch, or give merge=None for the tuple."
        )
    mask = mask_of_joined(parts, masks, axis) if merge == "concat" else either(masks)
    return join_mask(_MERGES[merge](parts, axis), mask)


_MERGES: dict[str, Callable[[Any, int], Any]] = {
    "concat": lambda outputs, axis: ops.concatenate(outputs, axis=axis),
    "add": lambda outputs, axis: functools.reduce(ops.add, outputs),
    "multiply": lambda outputs, axis: functools.reduce(ops.multiply, outputs),
    "average": lambda outputs, axis: functools.reduce(ops.add, outputs) * (1 / len(outputs)),
    "maximum": lambda outputs, axis: functools.reduce(ops.maximum, outputs),
}
