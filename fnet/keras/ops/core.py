"""Operations of ``keras.ops.core``: dtypes, parts of arrays, loops and branches.

Loops are run step by step, and steps of a compiled function are written out one behind the other. What decides a branch
or ends a loop must be known; a branch that a traced value decides is computed on both sides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fnet import ops, tree
from fnet.errors import StructureError, ValueRangeError
from fnet.keras.ops.calls import any_nodes, call, of_arrays, value
from fnet.keras.ops.row_sums import sums_of_rows
from fnet.keras.variable import Variable
from fnet.networks.node import SymbolicNode
from fnet.transfer import to_host
from fnet.transforms.operand import is_known, is_operand


def shape(x: Any) -> tuple[int | None, ...]:
    """The shape of an array, a weight or a symbolic value, whose batch has the size None.

    >>> shape(np.ones((2, 3)))
    (2, 3)
    """
    return tuple(np.shape(x) if isinstance(x, list | tuple | int | float) else x.shape)


def ndim(x: Any) -> int:
    """How many axes x has."""
    return len(shape(x))


def size(x: Any) -> Any:
    """How many elements x has; None where its batch is not known."""
    sizes = shape(x)
    known = [n for n in sizes if n is not None]
    return math.prod(known) if len(known) == len(sizes) else None


def dtype(x: Any) -> str:
    """The name of the dtype of x."""
    return np.dtype(x.dtype).name if hasattr(x, "dtype") else np.asarray(x).dtype.name


def is_tensor(x: Any) -> bool:
    """Whether x is an array, or stands for one."""
    return is_operand(x) or isinstance(x, SymbolicNode | Variable)


def cast(x: Any, dtype: Any) -> Any:
    """x with another dtype.

    >>> cast(np.array([True, False]), "float32")
    array([1., 0.], dtype=float32)
    """
    return call(ops.astype, x if any_nodes(x) else value(x), dtype)


def saturate_cast(x: Any, dtype: Any) -> Any:
    """x with another dtype, and the largest or smallest number of it for what is beyond."""
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        x = call(ops.clip, x, limits.min, limits.max)
    return cast(x, dtype)


def convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    """x as an array; Python's floating numbers are float32."""
    if any_nodes(x):
        return x if dtype is None else cast(x, dtype)
    made = value(x)
    if not hasattr(made, "dtype"):
        made = np.asarray(made)
        made = made.astype("float32") if made.dtype.kind == "f" else made
    return made if dtype is None else cast(made, dtype)


def convert_to_numpy(x: Any) -> np.ndarray:
    """x as an array of NumPy."""
    return np.asarray(to_host(value(x)))


def stop_gradient(variable: Any) -> Any:
    """The value as a constant for differentiation."""
    return call(ops.stop_gradient, variable)


def get_item(x: Any, key: Any) -> Any:
    """``x[key]``."""
    return x[key]


@of_arrays
def slice(inputs: Any, start_indices: Sequence[int], shape: Sequence[int]) -> Any:
    """The part of x that begins at these indices and has this shape."""
    starts = [_known("slice", start) for start in start_indices]
    ends = [n if size == -1 else start + size for start, size, n in zip(starts, shape, inputs.shape, strict=True)]
    return inputs[tuple(_range(a, b) for a, b in zip(starts, ends, strict=True))]


@of_arrays
def slice_update(inputs: Any, start_indices: Sequence[int], updates: Any) -> Any:
    """x with other elements from these indices on."""
    starts = [_known("slice_update", start) for start in start_indices]
    widths = [(a, n - a - m) for a, n, m in zip(starts, inputs.shape, updates.shape, strict=True)]
    inside = np.zeros(inputs.shape, bool)
    inside[tuple(_range(a, a + m) for a, m in zip(starts, updates.shape, strict=True))] = True
    return ops.where(inside, ops.pad(ops.astype(updates, inputs.dtype), widths), inputs)


@of_arrays
def scatter(indices: Any, values: Any, shape: Sequence[int]) -> Any:
    """Zeros of a shape to which values are added at indices: (N, axes), values (N, ...); equal indices add up."""
    depth, total = indices.shape[-1], math.prod(shape[: indices.shape[-1]])
    rows = ops.reshape(values, (-1, *shape[depth:]))
    return ops.reshape(sums_of_rows(rows, _flat_indices(indices, shape[:depth]), total), tuple(shape))


@of_arrays
def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Any:
    """x with other elements at known indices: (N, axes), updates (N, ...).

    reduction: "add", "max", "min" or "mul" them to what is there, which None replaces.
    """
    if reduction not in (None, "add", "max", "min", "mul"):
        raise ValueRangeError(
            f"scatter_update: expected reduction None, 'add', 'max', 'min' or 'mul', not {reduction!r}."
        )
    if reduction == "add":
        return ops.add(inputs, scatter(indices, updates, inputs.shape))
    places = np.asarray(to_host(value(indices))) if is_known(indices) else None
    if places is None:
        raise StructureError("scatter_update: the indices must be known, but these are traced. Use reduction='add'.")
    depth = places.shape[-1]
    flat = np.ravel_multi_index(tuple(np.moveaxis(places % inputs.shape[:depth], -1, 0)), inputs.shape[:depth]).ravel()
    rows = ops.reshape(inputs, (-1, *inputs.shape[depth:]))
    news = ops.astype(ops.reshape(updates, (-1, *inputs.shape[depth:])), inputs.dtype)
    fold = {"max": ops.maximum, "min": ops.minimum, "mul": ops.multiply}.get(reduction or "")
    chosen = list(ops.unstack(rows))
    for k, place in enumerate(flat):
        chosen[place] = news[k] if fold is None else fold(chosen[place], news[k])
    return ops.reshape(ops.stack(chosen), inputs.shape)


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """What one of two functions gives; of both, where only a traced value says which."""
    if is_known(pred) and not any_nodes(pred):
        return true_fn() if bool(np.all(to_host(value(pred)))) else false_fn()
    return tree.map(lambda a, b: call(ops.where, pred, a, b), true_fn(), false_fn())


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """What the function of this number gives, or the first or the last one for numbers beyond."""
    if is_known(index) and not any_nodes(index):
        return branches[int(np.clip(int(to_host(value(index))), 0, len(branches) - 1))](*operands)
    found = branches[-1](*operands)
    for number in reversed(range(len(branches) - 1)):
        is_it = call(ops.less_equal, index, number)
        found = tree.map(lambda a, b, c=is_it: call(ops.where, c, a, b), branches[number](*operands), found)
    return found


def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: int | None = None
) -> Any:
    """Values that a function changes as long as a condition holds, which must be known."""
    is_one = not isinstance(loop_vars, list | tuple)
    given: Any = (loop_vars,) if is_one else tuple(loop_vars)
    count = 0
    while maximum_iterations is None or count < maximum_iterations:
        holds = cond(*given)
        if not is_known(holds):
            raise StructureError(
                "while_loop: the condition depends on traced values, which are not known in a compiled function.\n"
                "Use fori_loop with a known number of steps, and where() within it."
            )
        if not bool(to_host(value(holds))):
            break
        made = body(*given)
        given = tuple(made) if isinstance(made, list | tuple) else (made,)
        count += 1
    return given[0] if is_one else type(loop_vars)(given)


def fori_loop(lower: Any, upper: Any, body_fun: Callable[[int, Any], Any], init_val: Any) -> Any:
    """A value after ``body_fun(i, value)`` for each i from `lower` to `upper`, which are known."""
    for i in range(_known("fori_loop", lower), _known("fori_loop", upper)):
        init_val = body_fun(i, init_val)
    return init_val


def scan(
    f: Callable[..., Any], init: Any, xs: Any = None, length: int | None = None, reverse: bool = False, unroll: Any = 1
) -> tuple[Any, Any]:
    """``carry, y = f(carry, x)`` for each x along the first axis of `xs`; the last carry, and all y stacked."""
    count = _steps(xs, length)
    found: list[Any] = [None] * count
    for i in reversed(range(count)) if reverse else range(count):
        init, found[i] = f(init, None if xs is None else tree.map(lambda x, i=i: x[i], xs))
    return init, _stacked(found)


def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """``f(x)`` for each x along the first axis of `xs`, stacked."""
    return _stacked([f(tree.map(lambda x, i=i: x[i], xs)) for i in range(_steps(xs, None))])


def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """``function(x)`` for each x along the first axis of `elements`, stacked."""
    return map(function, elements)


def associative_scan(f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """``x_0, f(x_0, x_1), f(f(x_0, x_1), x_2) ...`` along an axis, for an f whose brackets do not matter."""
    moved = tree.map(lambda x: ops.moveaxis(x, axis, 0), elems)
    moved = tree.map(lambda x: ops.flip(x, 0), moved) if reverse else moved
    size, step = tree.leaves(moved)[0].shape[0], 1
    while step < size:
        earlier = tree.map(lambda x, n=step: x[: size - n], moved)
        later = tree.map(lambda x, n=step: x[n:], moved)
        both = f(earlier, later)
        moved = tree.map(lambda x, y, n=step: ops.concatenate([x[:n], y], 0), moved, both)
        step *= 2
    moved = tree.map(lambda x: ops.flip(x, 0), moved) if reverse else moved
    return tree.map(lambda x: ops.moveaxis(x, 0, axis), moved)


def _range(start: int, stop: int) -> Any:
    return np.s_[start:stop]


def _known(what: str, number: Any) -> int:
    if not is_known(number):
        raise StructureError(f"{what}: expected a number that is known, received a traced value.")
    return int(to_host(value(number)))


def _steps(xs: Any, length: int | None) -> int:
    sizes = {leaf.shape[0] for leaf in tree.leaves(xs)} | ({length} if length is not None else set())
    if len(sizes) != 1:
        raise ValueRangeError(f"expected arrays of one size along their first axis, received {sorted(sizes)}.")
    (size,) = sizes
    return int(size)


def _stacked(parts: list[Any]) -> Any:
    """Trees of equal structure as one, whose arrays have a first axis more."""
    if not parts or parts[0] is None:
        return None
    return tree.map(lambda *leaves: ops.stack(leaves), *parts)


def _flat_indices(indices: Any, sizes: Sequence[int]) -> Any:
    """Indices of several axes as one into their product, which stands for those beyond an axis."""
    flat: Any = 0
    beyond: Any = False
    for k, n in enumerate(sizes):
        at = ops.astype(indices[..., k], np.int64)
        at = ops.where(ops.less(at, 0), ops.add(at, n), at)
        beyond = ops.logical_or(beyond, ops.logical_or(ops.less(at, 0), ops.greater_equal(at, n)))
        flat = ops.add(ops.multiply(flat, n), at)
    return ops.reshape(ops.where(beyond, math.prod(sizes), flat), (-1,))
