"""What a layer of the user's own says of its inputs, which is checked when it is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fnet import tree
from fnet.arguments import integer_or_none
from fnet.errors import ShapeError, StructureError
from fnet.transforms.primitive import spec_of


class InputSpec:
    """What one input is like: a layer of your own sets ``self.input_spec``, for several inputs to a list.

    shape: of all axes, that of the batch too, None for any size. ndim, min_ndim, max_ndim: how many axes. axes: the
    sizes of some. dtype: its name. allow_last_axis_squeeze: an axis of size 1 at the end may be missing, or more.
    name, optional: kept. Source: Keras ``InputSpec``.

    >>> import numpy as np
    >>> from fnet.keras import layers
    >>> class Own(layers.Layer):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.input_spec = layers.InputSpec(ndim=2, axes={-1: 3})
    ...     def call(self, x):
    ...         return x
    >>> Own()(np.ones((2, 3), np.float32)).shape
    (2, 3)
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Sequence[int | None] | None = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: Mapping[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = dtype
        self.shape = None if shape is None else tuple(integer_or_none("InputSpec", "shape", n) for n in shape)
        self.ndim = integer_or_none("InputSpec", "ndim", ndim) if self.shape is None else len(self.shape)
        self.max_ndim = integer_or_none("InputSpec", "max_ndim", max_ndim)
        self.min_ndim = integer_or_none("InputSpec", "min_ndim", min_ndim)
        self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        self.allow_last_axis_squeeze, self.name, self.optional = allow_last_axis_squeeze, name, optional

    def get_config(self) -> dict[str, Any]:
        """The arguments that it was made with."""
        names = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes", "optional")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InputSpec:
        """What these arguments say."""
        return cls(**config)

    def mistake(self, shape: tuple[int | None, ...], dtype: str) -> str | None:
        """What is expected of an input of this shape, that of the batch included, and is not so; None for nothing."""
        count, own = len(shape), self.shape
        if self.ndim is not None and count != self.ndim and not self.allow_last_axis_squeeze:
            return f"{self.ndim} axes"
        if self.max_ndim is not None and count > self.max_ndim:
            return f"at most {self.max_ndim} axes"
        if self.min_ndim is not None and count < self.min_ndim:
            return f"at least {self.min_ndim} axes"
        if self.dtype is not None and dtype != str(self.dtype):
            return f"the dtype {self.dtype}"
        for axis, size in self.axes.items():
            if size is not None and -count <= axis < count and shape[axis] not in (size, None):
                return f"the size {size} of axis {axis}"
        if own is not None:
            if self.allow_last_axis_squeeze:
                own, shape = (s[:-1] if s[-1:] == (1,) else s for s in (own, shape))
            if len(own) != len(shape) or any(
                None not in pair and pair[0] != pair[1] for pair in zip(own, shape, strict=True)
            ):
                return f"the shape {self.shape}"
        return None

    def __repr__(self) -> str:
        names = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes")
        return f"InputSpec({', '.join(f'{name}={getattr(self, name)}' for name in names if getattr(self, name))})"


def check_inputs(layer: str, given: Any, inputs: Any) -> None:
    """Refuse inputs that are not as a layer's `input_spec` says. inputs: a tree of arrays or symbolic values."""
    specs = tree.leaves(list(given) if isinstance(given, list | tuple) else [given])
    found = tree.leaves(inputs)
    if len(found) != len(specs):
        raise StructureError(f"{layer}: its input_spec is of {len(specs)} input(s), received {len(found)}.")
    for i, (spec, x) in enumerate(zip(specs, found, strict=True)):
        samples = getattr(x, "samples", None)
        shape = spec_of(x).shape if samples is None else (None, *samples.shape)
        dtype = spec_of(x).dtype if samples is None else samples.dtype
        expected = spec.mistake(shape, dtype.name) if isinstance(spec, InputSpec) else None
        if expected is not None:
            raise ShapeError(f"{layer}: input {i} is to have {expected} (input_spec), received the shape {shape}.")
