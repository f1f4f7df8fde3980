"""Whole matrices of derivatives: the Jacobian of a function, the Hessian of a scalar one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, ParamSpec

import numpy as np

from fnet import tree
from fnet.arguments import one_of
from fnet.errors import DerivativeError
from fnet.transforms.jvp import jvp
from fnet.transforms.primitive import spec_of
from fnet.transforms.vjp import Argnums, checked_argnums, grad, pullback

P = ParamSpec("P")
MODES = ("reverse", "forward")


def jacobian(
    f: Callable[P, Any], mode: Literal["reverse", "forward"] = "reverse", argnums: Argnums = 0
) -> Callable[P, Any]:
    """Transform ``f(x, *args)`` into the function that gives its Jacobian in `x`, ``J[i, j] = df_i/dx_j``.

    argnums: which argument x is, or which ones together, as a tuple. x and f(x): trees of floating arrays. The result
    is shaped like f(x); in place of each leaf (shape O) is a tree shaped like x, with arrays of shape ``(*O, *I)`` for
    leaves of shape I.
    mode: "reverse" runs `f` once and pulls back one row after the other, for wide Jacobians; "forward" pushes one
    column after the other, for tall ones. Under `jit` every row, or column, becomes kernel calls of its own.
    Raises `DerivativeError` where x or f(x) has leaves that are not floating, `StructureError` for arguments that are
    not given.

    >>> import numpy as np, fnet
    >>> fnet.jacobian(lambda x: x ** 2)(np.array([1.0, 3.0]))
    array([[2., 0.],
           [0., 6.]])
    """
    one_of("jacobian", "mode", mode, MODES, "expected {argument} {words}")

    def transformed(*args: Any, **kwargs: Any) -> Any:
        numbers = checked_argnums(argnums, args)
        x = args[numbers[0]] if isinstance(argnums, int) else tuple(args[n] for n in numbers)
        _check_floating("the argument", x)
        function: Callable[..., Any] = f

        def of_x(u: Any) -> Any:
            given = list(args)
            for n, part in zip(numbers, (u,) if isinstance(argnums, int) else u, strict=True):
                given[n] = part
            return function(*given, **kwargs)

        return _rows(of_x, x) if mode == "reverse" else _columns(of_x, x)

    return transformed


def hessian(f: Callable[P, Any], argnums: Argnums = 0) -> Callable[P, Any]:
    """Transform a scalar function ``f(x, *args)`` into its Hessian in `x`, ``H[i, j] = d^2 f / dx_i dx_j``.

    argnums: which argument x is, or which ones together. x: an array or a tree of them, the result a tree shaped like
    x of trees shaped like x, see `jacobian`. It costs about as many gradients as x has elements;
    `hessian_vector_product` costs two.

    >>> import numpy as np, fnet
    >>> fnet.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    return jacobian(grad(f, argnums), argnums=argnums)


def _rows(f: Callable, x: Any) -> Any:
    value, pull = pullback(f, x)
    _check_floating("the value", value)
    zeros, structure = tree.flatten(tree.map(lambda y: np.zeros(spec_of(y).shape, spec_of(y).dtype), value))

    def of_output(number: int) -> Any:
        rows = []
        for unit in _units(zeros[number]):
            (row,) = pull(tree.unflatten(structure, [*zeros[:number], unit, *zeros[number + 1 :]]))
            rows.append(row)
        shape = zeros[number].shape
        return tree.map(lambda leaf, *of_leaf: _joined(of_leaf, shape, leaf), x, *rows)

    return tree.unflatten(structure, [of_output(number) for number in range(len(zeros))])


def _columns(f: Callable, x: Any) -> Any:
    zeros, structure = tree.flatten(tree.map(lambda leaf: np.zeros(spec_of(leaf).shape, spec_of(leaf).dtype), x))
    value, _ = jvp(f, (x,), (tree.unflatten(structure, zeros),))
    _check_floating("the value", value)
    outputs, out_structure = tree.flatten(value)
    of_inputs: list[list[Any]] = []
    for number, zero in enumerate(zeros):
        columns = []
        for unit in _units(zero):
            tangents = tree.unflatten(structure, [*zeros[:number], unit, *zeros[number + 1 :]])
            columns.append(tree.leaves(jvp(f, (x,), (tangents,))[1]))
        joined = [_joined([c[k] for c in columns], zero.shape, y) for k, y in enumerate(outputs)]
        of_inputs.append([_swapped(j, zero.ndim) for j in joined])
    by_output = [tree.unflatten(structure, [leaf[k] for leaf in of_inputs]) for k in range(len(outputs))]
    return tree.unflatten(out_structure, by_output)


def _units(zero: np.ndarray) -> Iterator[np.ndarray]:
    """The arrays shaped like `zero` that are 1 in one place."""
    for place in range(zero.size):
        unit = np.zeros_like(zero)
        unit.reshape(-1)[place] = 1
        yield unit


def _joined(parts: Any, lead: tuple[int, ...], like: Any) -> Any:
    """Derivatives, one for each element of an array of shape `lead`, as one array."""
    spec = spec_of(like)
    if not parts:
        return np.zeros((*lead, *spec.shape), spec.dtype)
    return np.reshape(np.stack(parts), (*lead, *spec.shape))


def _swapped(x: Any, lead: int) -> Any:
    """The first `lead` axes moved to the end."""
    ndim = spec_of(x).ndim
    return np.transpose(x, (*range(lead, ndim), *range(lead)))


def _check_floating(what: str, value: Any) -> None:
    for path, leaf in tree.leaves_with_path(value):
        if not spec_of(leaf).differentiable:
            place = f", leaf '{path}'" if path else ""
            raise DerivativeError(
                f"jacobian: {what}{place} is {spec_of(leaf)}, expected floating-point numbers. "
                f"Convert it with .astype('float64'), or leave it out with fnet.tree.partition."
            )
