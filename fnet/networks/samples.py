"""Shapes without the batch axis. What shapes a layer makes of them is found by abstract evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnet import tree
from fnet.arguments import is_integer
from fnet.errors import AxisSizeError, BatchSizeError, ShapeError
from fnet.masking import unmasked
from fnet.networks.position import at, current
from fnet.spec import ArraySpec, Unknown, Varying, check_dtype
from fnet.transforms.stage import eval_shape

ShapeLike = tuple[Any, ...] | list[Any] | dict[str, Any]
"""The shape of a sample, with None for an axis of variable size; several inputs have a tuple, list or dict of them."""
BATCH = Unknown(3, "batch")  # the size of the batch at which a layer is evaluated
LARGEST, TRIES = 10**8, 40  # of the sizes of variable axes, and how many of them are tried


TEXT = np.dtype(str)
"""The dtype of texts, which layers take that run on the host."""


def input_dtype(dtype: Any) -> np.dtype:
    """The dtype of an input: of numbers, or `TEXT` for "string". Raises `DtypeError` for others."""
    if isinstance(dtype, str) and dtype in ("string", "str"):
        return TEXT
    return TEXT if dtype is str or dtype == TEXT else check_dtype(dtype)


def dtype_name(dtype: np.dtype) -> str:
    """The name of the dtype of an input, as Keras has it."""
    return "string" if dtype == TEXT else dtype.name


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
    position = current()

    def output(params: Any, state: Any, x: Any, carried: Any) -> Any:
        with at(position.carrying(carried)):
            return unmasked(apply(params, state, x)[0])

    def run(x: Any) -> Any:
        made = eval_shape(output, params, state, x, position.carried)
        for spec in tree.leaves(made):
            _check_batch(spec, tree.leaves(x)[0].shape[0])
        return made

    return tree.map(joined_samples, *evaluated(run, shape, dtype))


def evaluated(run: Callable[[Any], Any], shape: Any, dtype: Any) -> list[Any]:
    """The results of ``run(specs)`` for inputs of a checked `shape`: one, or two where the shape has a variable axis.

    The two runs have different sizes for None. What differs in their results varies with the axis. Where a layer
    refuses a size (`AxisSizeError`, `BatchSizeError`), another is tried. Errors show these sizes as "batch" or "None".
    """
    batch: int = BATCH
    search = _Search()
    while True:
        sizes = search.sizes() if has_variable_axis(shape) else (1,)
        try:
            return [run(probe(shape, batch, Unknown(size), dtype)) for size in sizes]
        except BatchSizeError as error:  # of a layer for batches of one size
            if batch is not BATCH:
                raise
            batch = error.expected
        except AxisSizeError as error:
            if not has_variable_axis(shape) or not search.adapt(error):
                raise


class _Search:
    """The search for two sizes of the variable axes that all layers take; a layer's refusal narrows it."""

    def __init__(self) -> None:
        self.least, self.most, self.multiple, self.shift, self.tries = 1, LARGEST, 1, 0, 0

    def sizes(self) -> tuple[int, int]:
        """Two sizes: with many divisors, so that strides and windows fit; the second is twice the first if possible."""
        for base in (240, 120, 60, 24, 12, 6, 4, 2, 1):
            unit = base * self.multiple
            first = unit * -(-self.least // unit)
            for second in (2 * first, first + unit):
                if second + self.shift <= self.most:
                    return first + self.shift, second + self.shift
        return self.most, self.most

    def adapt(self, error: AxisSizeError) -> bool:
        """Narrow the search by a layer's refusal. Returns whether another size is left."""
        size, received = self.sizes()[0], max(int(error.received), 1)
        self.tries += 1
        if error.least is not None:
            self.least = max(-(-size * error.least // received), size + 1)
        elif error.most is not None:
            self.most = min(self.most, size * error.most // received)
        elif error.multiple == 1:
            return False
        elif self.multiple % error.multiple:
            self.multiple *= error.multiple
        else:  # what was a multiple is none any more where it comes to the layer: behind a convolution, say
            self.shift += 1
        return self.tries < TRIES and self.least <= self.most


def _check_batch(spec: ArraySpec, batch: int) -> None:
    if spec.shape[:1] != (batch,):
        raise ShapeError(
            f"the output must keep the batch as its first axis: expected (batch, ...), received {spec.shape}."
        )


def joined_samples(*specs: ArraySpec) -> Samples:
    """The samples of which arrays of these specs are batches. A size is None where it varies, or the specs differ."""
    axes = zip(*(spec.shape[1:] for spec in specs), strict=True)
    known = (len(set(sizes)) == 1 and not isinstance(sizes[0], Varying) for sizes in axes)
    shape = tuple(int(n) if is_known else None for n, is_known in zip(specs[0].shape[1:], known, strict=True))
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
        if n is not None and (not is_integer(n) or n < 1):
            raise ShapeError(f"sizes are positive integers, or None for a variable axis, received {tuple(shape)}.")
    return tuple(None if n is None else int(n) for n in shape)
