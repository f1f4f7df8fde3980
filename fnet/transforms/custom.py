"""Primitives of the user's own: what their rules give is checked in every call, and refused by name."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnet.errors import DerivativeError, DtypeError, FnetError, ShapeError, StructureError
from fnet.spec import ArraySpec, check_dtype
from fnet.transforms.primitive import Primitive, Rule, spec_of
from fnet.transforms.tracer import Tracer

BLOCK = 256  # threads of a block for which nothing else was said


def primitive(
    name: str,
    *,
    shape: Rule,
    kernel: Callable[..., None],
    sizes: Rule | None = None,
    vjp: Rule | None = None,
    jvp: Rule | None = None,
    multiple: bool = False,
    cuda: Any = None,
    launch: Rule | None = None,
) -> Primitive:
    """A primitive of your own, computed by your own kernel; it works in every transform for which it has rules.

    shape(*specs, **params) -> `ArraySpec` of the result (a tuple of them with `multiple`).
    kernel(*inputs, *outputs, *sizes): the CPU's kernel, a void function, usually ``@numba.njit(cache=True)`` at module
        level; every array is flat (one dimension, C order), so pass the sizes it needs.
    sizes(*specs, **params) -> integers for the kernel, by default none.
    vjp(g, y, *inputs, **params) -> one cotangent (None where there is none) for each input, from other operations;
        with `multiple` g and y are tuples, g with zeros for results that nothing depends on.
    jvp(tangents, y, *inputs, **params) -> the tangent of y; derived from `vjp` when it is not given.
    cuda(*inputs, *outputs, *sizes): the kernel for NVIDIA's cards, marked ``@numba.cuda.jit``.
    launch(*specs, **params) -> ``grid, block`` for it, each an integer or a tuple of up to three; by default there is a
        thread for each element of the first result, in blocks of 256, and some more: the kernel compares with the size.

    >>> import numba, numpy as np, fnet
    >>> @numba.njit
    ... def cube_kernel(x, y):
    ...     for i in range(x.size):
    ...         y[i] = x[i] ** 3
    >>> cube = fnet.primitive("cube", shape=lambda x: x, kernel=cube_kernel, vjp=lambda g, y, x: (g * 3 * x * x,))
    >>> fnet.grad(lambda x: np.sum(cube(x)))(np.array([1.0, 2.0]))
    array([ 3., 12.])
    """

    def abstract(*specs: ArraySpec, **params: Any) -> Any:
        return _specs(name, multiple, shape(*specs, **params))

    rule = None if vjp is None else _checked_vjp(name, _with_zeros(vjp) if multiple else vjp)
    forward = None if jvp is None else _checked_jvp(name, multiple, jvp)
    kernels = {"cpu": _KernelCall(name, kernel, sizes)}
    if cuda is not None:
        kernels["cuda"] = _CudaCall(name, cuda, sizes, launch)
    elif launch is not None:
        raise StructureError(f"primitive '{name}' has a launch rule, and no kernel for it. Pass cuda=kernel, too.")
    return Primitive(name, abstract, kernels=kernels, vjp=rule, jvp=forward, multiple=multiple)


class _KernelCall:
    """The lowering rule of a user's kernel: row-major arrays, then the sizes that it asks for."""

    strided: bool = False
    absorbs: tuple[str, ...] = ()
    masks_behind: str = ""
    beside: str = ""
    integers: tuple[int, ...] = ()
    picks_positive: bool = False

    def __init__(self, name: str, kernel: Callable[..., None], sizes: Rule | None) -> None:
        self.name = name
        self.kernel = kernel
        self.sizes = sizes

    def __call__(self, emit: Any, inputs: list[Any], outputs: list[Any], **params: Any) -> None:
        specs = [ArraySpec(r.shape, r.dtype) for r in inputs]
        sizes = _sizes(self.name, self.sizes(*specs, **params)) if self.sizes else ()
        emit.call(self.configured(outputs, specs, params), *inputs, *outputs, *sizes)

    def configured(self, outputs: list[Any], specs: list[ArraySpec], params: dict[str, Any]) -> Any:
        """What is called."""
        return self.kernel


@dataclass(frozen=True)
class LaunchedKernel:
    """A kernel for cards with the numbers of blocks and threads, under the names that Numba gives them."""

    dispatcher: Any
    griddim: tuple[int, ...]
    blockdim: tuple[int, ...]
    sharedmem: int = 0

    @property
    def __name__(self) -> str:
        return self.dispatcher.__name__


class _CudaCall(_KernelCall):
    """The same for a kernel of CUDA. launch: see `primitive`."""

    def __init__(self, name: str, kernel: Any, sizes: Rule | None, launch: Rule | None) -> None:
        super().__init__(name, kernel, sizes)
        self.launch = launch
        if not callable(getattr(kernel, "py_func", None)):
            raise StructureError(
                f"cuda of primitive '{name}' must be a kernel, a function marked @numba.cuda.jit; received a "
                f"{type(kernel).__name__}."
            )

    def configured(self, outputs: list[Any], specs: list[ArraySpec], params: dict[str, Any]) -> LaunchedKernel:
        if self.launch is None:
            return LaunchedKernel(self.kernel, (max(1, -(-outputs[0].size // BLOCK)),), (BLOCK,))
        how = self.launch(*specs, **params)
        try:
            grid, block = (
                tuple(map(operator.index, size)) if isinstance(size, tuple) else (operator.index(size),) for size in how
            )
            if not all(1 <= len(size) <= 3 and min(size) > 0 for size in (grid, block)):
                raise ValueError
        except (TypeError, ValueError):
            raise StructureError(
                f"launch of primitive '{self.name}' must return (grid, block), each an integer above 0 or one to three "
                f"of them in a tuple; it returned {how!r}."
            ) from None
        return LaunchedKernel(self.kernel, grid, block)


def _with_zeros(vjp: Rule) -> Rule:
    """The rule, given zeros for the cotangents of results that nothing depends on."""

    def filled(g: tuple[Any, ...], y: tuple[Any, ...], *inputs: Any, **params: Any) -> Any:
        specs = map(spec_of, y)
        known = (np.zeros(s.shape, s.dtype) if part is None else part for part, s in zip(g, specs, strict=True))
        return vjp(tuple(known), y, *inputs, **params)

    return filled


def _specs(name: str, multiple: bool, result: Any) -> Any:
    """What a shape rule gave, if it is what it must be."""
    given = result if multiple and isinstance(result, tuple | list) else (result,)
    specs = []
    for spec in given:
        if not isinstance(spec, ArraySpec):
            wanted = "a tuple of ArraySpec (multiple=True)" if multiple else "an ArraySpec"
            raise StructureError(
                f"the shape rule of primitive '{name}' must return {wanted}, it returned a {type(spec).__name__}. "
                f"Return fnet.ArraySpec(shape, dtype)."
            )
        specs.append(ArraySpec(tuple(spec.shape), check_dtype(spec.dtype), spec.weak))
    return tuple(specs) if multiple else specs[0]


def _sizes(name: str, sizes: Any) -> tuple[int, ...]:
    """The integers that a rule of sizes gave."""
    if not isinstance(sizes, Sequence):
        raise StructureError(
            f"sizes of primitive '{name}' must return a tuple of integers, it returned a {type(sizes).__name__}. "
            f"Return (n,) for one."
        )
    try:
        return tuple(map(operator.index, sizes))
    except TypeError:
        wrong = next(size for size in sizes if not hasattr(size, "__index__"))
        raise DtypeError(
            f"sizes of primitive '{name}' must be integers, received {wrong!r}. Divide with //, or convert with int()."
        ) from None


def _checked_vjp(name: str, vjp: Rule) -> Rule:
    """The rule with cotangents of the shapes and dtypes of the inputs, or an error; arrays become the tape's own."""

    def checked(g: Any, y: Any, *inputs: Any, **params: Any) -> tuple[Any, ...]:
        pulled = vjp(g, y, *inputs, **params)
        if not isinstance(pulled, tuple | list):
            raise DerivativeError(
                f"the vjp rule of primitive '{name}' must return a tuple, one cotangent (or None) for each input; it "
                f"returned a {type(pulled).__name__}. Return (g,) for one."
            )
        if len(pulled) != len(inputs):
            return tuple(pulled)
        return tuple(
            _like(c, x, f"the cotangent of input {i} from the vjp rule of primitive '{name}'")
            for i, (c, x) in enumerate(zip(pulled, inputs, strict=True))
        )

    return checked


def _checked_jvp(name: str, multiple: bool, jvp: Rule) -> Rule:
    """The rule with tangents of the shapes and dtypes of the results, or an error."""

    def checked(tangents: Any, y: Any, *inputs: Any, **params: Any) -> Any:
        pushed, what = jvp(tangents, y, *inputs, **params), f"from the jvp rule of primitive '{name}'"
        if not multiple:
            return _like(pushed, y, f"the tangent {what}")
        if not isinstance(pushed, tuple | list) or len(pushed) != len(y):
            raise DerivativeError(
                f"the jvp rule of primitive '{name}' must return a tuple, one tangent (or None) for each of its "
                f"{len(y)} results."
            )
        return tuple(
            _like(t, r, f"the tangent of result {i} {what}") for i, (t, r) in enumerate(zip(pushed, y, strict=True))
        )

    return checked


def _like(x: Any, wanted: Any, what: str) -> Any:
    """A derivative `x` of `wanted`, which has its shape and dtype (a number of Python has any dtype)."""
    if x is None:
        return None
    have, want = spec_of(x), spec_of(wanted)
    if have.shape != want.shape or (have.dtype != want.dtype and not have.weak):
        kind: type[FnetError] = ShapeError if have.shape != want.shape else DtypeError
        fix = (
            "Sum or reshape it in the rule" if kind is ShapeError else f"Cast it in the rule, x.astype('{want.dtype}')"
        )
        raise kind(f"{what} must be {want}, it is {have}. {fix}.")
    return x if isinstance(x, Tracer) else np.array(x, want.dtype)
