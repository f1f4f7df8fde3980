"""A dense layer over any axes, told by an equation."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fnet import activations, initializers, ops
from fnet.activations import ActivationLike
from fnet.arguments import described, positive_integer
from fnet.constraints import ConstraintLike
from fnet.errors import DtypeError, ShapeError, ValueRangeError
from fnet.initializers import InitializerLike
from fnet.layers.checks import one_shape, parameters
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.ops.promotion import astype, lift
from fnet.random import fold_in
from fnet.regularizers import RegularizerLike

_TERM = r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?"
_PATTERN = re.compile(rf"{_TERM},([a-zA-Z]+)->{_TERM}")

Sizes = tuple[int | None, ...]


@LAYERS.named()
@layer_constructor(kernel="kernel", bias="bias")
def EinsumDense(
    equation: str,
    output_shape: int | Sequence[int | None],
    activation: ActivationLike = None,
    bias_axes: str | None = None,
    kernel_initializer: InitializerLike = "glorot_uniform",
    bias_initializer: InitializerLike = "zeros",
    *,
    kernel_regularizer: RegularizerLike = None,
    bias_regularizer: RegularizerLike = None,
    activity_regularizer: RegularizerLike = None,
    kernel_constraint: ConstraintLike = None,
    bias_constraint: ConstraintLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``y = activation(einsum(equation, x, K) + b)``, a product of the input and a kernel summed over any axes.

    equation: as in NumPy's einsum, every letter an axis, the batch first: ``"abc,cde->abde"`` for x: (N, B, C) and
    K: (C, D, E). Axes before or behind may be left out: ``"...c,cd->...d"``, ``"abc...,cd->abd..."``.
    output_shape: the sizes of the axes that the equation names on the right, without the batch; None where the input
    tells it. bias_axes: the axes of the output, by letter, that the bias differs along; None for no bias.
    Params: ``kernel``, and with `bias_axes` ``bias``, which has size 1 on the axes between its own and behind.
    Raises `ShapeError` where input, equation and output_shape do not fit. Source: Keras ``EinsumDense``.

    >>> EinsumDense("abc,cd->abd", output_shape=(None, 6), bias_axes="d").out_shape((5, 4))
    (5, 6)
    >>> EinsumDense("...c,cde->...de", output_shape=(2, 3)).out_shape((7, 5, 4))
    (7, 5, 2, 3)
    """
    if not isinstance(bias_axes, str | None):
        raise DtypeError(f"EinsumDense: bias_axes are letters of the output, e.g. 'd', received {bias_axes!r:.40}.")
    rule = _parsed(equation, "" if bias_axes is None else bias_axes)
    sizes = _given_sizes(output_shape)
    activate = activations.get(activation)
    make_kernel, make_bias = initializers.get(kernel_initializer), initializers.get(bias_initializer)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        one_shape("EinsumDense", shape)
        known = rule.sizes((None, *shape), sizes)
        params = {"kernel": make_kernel(fold_in(key, 0), rule.kernel_shape(known), dtype)}
        if rule.bias:
            params["bias"] = make_bias(fold_in(key, 1), rule.bias_shape(known, len(shape) + 1), dtype)
        return params, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        x = lift(x)
        shape = x.shape
        known = rule.sizes(shape, sizes)
        shapes = {"kernel": rule.kernel_shape(known)}
        kernel, *bias = parameters(
            "EinsumDense", params, shapes | ({"bias": rule.bias_shape(known, len(shape))} if rule.bias else {})
        )
        y = ops.einsum(rule.spelled_out(len(shape)), astype(x, kernel.dtype), kernel)
        return activate(y + bias[0] if bias else y), state

    return init, apply


@dataclass(frozen=True)
class _Rule:
    """An equation in parts; `elided` is "left" or "right" where it leaves axes out, else empty."""

    equation: str
    input: str
    kernel: str
    output: str
    bias: str
    elided: str

    def sizes(self, shape: Sizes, output: Sizes) -> dict[str, int | None]:
        """The size of each letter, None where unknown, for an input of `shape`, which has the batch axis."""
        hidden = self._hidden(shape)
        named = shape[hidden:] if self.elided == "left" else shape[: len(self.input)]
        known: dict[str, int | None] = dict(zip(self.input, named, strict=True))
        letters = self.output if self.elided == "left" and hidden else self.output[1:]
        if len(output) != len(letters):
            raise ShapeError(
                f"EinsumDense: output_shape of '{self.equation}' has a size for each of '{letters}', received {output}."
            )
        for letter, size in zip(letters, output, strict=True):
            if known.setdefault(letter, size) is None:
                known[letter] = size
            if size not in (None, known[letter]):
                raise ShapeError(
                    f"EinsumDense: axis '{letter}' of '{self.equation}' is {known[letter]} in an input of shape "
                    f"{shape} and {size} in output_shape {output}."
                )
        return known

    def kernel_shape(self, known: Mapping[str, int | None]) -> initializers.KernelShape:
        sizes = (self._size(letter, known, "the kernel") for letter in self.kernel)
        return initializers.KernelShape(sizes, (i for i, letter in enumerate(self.kernel) if letter in self.output))

    def bias_shape(self, known: Mapping[str, int | None], ndim: int) -> tuple[int, ...]:
        """From the first axis of the bias on; it broadcasts to outputs for inputs of so many axes."""
        letters = self.output[min(self.output.index(letter) for letter in self.bias) :]
        sizes = tuple(self._size(c, known, "the bias") if c in self.bias else 1 for c in letters)
        return sizes + ((1,) * (ndim - len(self.input)) if self.elided == "right" else ())

    def spelled_out(self, ndim: int) -> str:
        """The equation for inputs of so many axes, with a letter for each of them."""
        free = (c for c in string.ascii_letters if c not in self.equation)
        hidden = "".join(next(free) for _ in range(ndim - len(self.input)))
        first, last = (hidden, "") if self.elided == "left" else ("", hidden)
        return f"{first}{self.input}{last},{self.kernel}->{first}{self.output}{last}"

    def _hidden(self, shape: Sizes) -> int:
        hidden = len(shape) - len(self.input)
        if hidden < 0 or (hidden and not self.elided):
            raise ShapeError(
                f"EinsumDense: '{self.equation}' takes an input with {len(self.input)} axes"
                f"{' or more' if self.elided else ''}, the batch included, received {shape}."
            )
        return hidden

    def _size(self, letter: str, known: Mapping[str, int | None], what: str) -> int:
        size = known[letter]
        if size is None:
            raise ShapeError(
                f"EinsumDense: the size of axis '{letter}' of {what} in '{self.equation}' must be known: give it in "
                f"output_shape or in the shape of the input."
            )
        return size


def _parsed(equation: Any, bias: str) -> _Rule:
    if not isinstance(equation, str):
        raise DtypeError(f"EinsumDense: equation is a string, received {described(equation)}.")
    found = _PATTERN.fullmatch(equation.replace(" ", ""))
    if found is None:
        raise ValueRangeError(
            f"EinsumDense: equation is like 'abc,cd->abd', '...c,cd->...d' or 'abc...,cd->abd...', received "
            f"{equation!r:.80}."
        )
    before, given, behind, kernel, *result = found.groups()
    output = result[1]
    if (before, behind) != (result[0], result[2]) or (before and behind):
        raise ValueRangeError(f"EinsumDense: '...' stands on the same side of input and output, received {equation!r}.")
    for term in (given, kernel, output):
        if len(set(term)) < len(term):
            raise ValueRangeError(f"EinsumDense: a letter is twice in '{term}' of {equation!r}.")
    unknown = [c for c in kernel if c not in given + output] + [c for c in output if c not in given + kernel]
    if unknown:
        raise ValueRangeError(f"EinsumDense: axis '{unknown[0]}' of {equation!r} is neither in input nor in output.")
    if not before and given[0] != output[0]:
        raise ValueRangeError(f"EinsumDense: the batch '{given[0]}' must be first in the output, too: {equation!r}.")
    if any(letter not in output for letter in bias) or len(set(bias)) < len(bias):
        raise ValueRangeError(f"EinsumDense: bias_axes are axes of the output '{output}', received {bias!r:.40}.")
    return _Rule(equation, given, kernel, output, bias, "left" if before else "right" if behind else "")


def _given_sizes(output_shape: Any) -> Sizes:
    sizes = tuple(output_shape) if isinstance(output_shape, tuple | list) else (output_shape,)
    return tuple(None if n is None else positive_integer("EinsumDense", "output_shape", n) for n in sizes)
