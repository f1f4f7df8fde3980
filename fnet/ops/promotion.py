"""One dtype for the operands of an operation, by NumPy's rules: a Python number yields to the arrays beside it."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.errors import ShapeError
from fnet.spec import ArraySpec, as_array, check_dtype
from fnet.transforms import linear_maps
from fnet.transforms.primitive import Primitive, spec_of
from fnet.transforms.tracer import Tracer

_WEAK = {"f": 0.0, "i": 0, "u": 0, "b": False}


def lift(x: Any) -> Any:
    """A traced value or an array; lists and tuples of numbers become arrays, other objects are refused."""
    if isinstance(x, Tracer):
        return x
    if isinstance(x, np.ndarray):
        spec_of(x)
        return x
    if isinstance(x, list | tuple) and _contains_tracer(x):
        return _stacked([lift(e) for e in x])
    try:
        array = as_array(x)
    except ValueError:
        raise ShapeError("a list becomes an array if its rows have equally many entries, received others.") from None
    check_dtype(array.dtype)
    return array


def is_python_number(x: Any) -> bool:
    """Whether x is a bool, int or float of Python, whose type yields to that of any array beside it."""
    return isinstance(x, bool | int | float) and not isinstance(x, np.generic)


def common_dtype(*args: Any) -> np.dtype:
    """The dtype in which NumPy (NEP 50) would compute with these operands."""
    found: list[Any] = []
    for x in args:
        if isinstance(x, bool | int | float):
            found.append(x)
        else:
            spec = spec_of(x)
            found.append(_WEAK[spec.dtype.kind] if spec.weak else spec.dtype)
    if all(isinstance(f, bool | int | float) for f in found):
        found = [np.asarray(f).dtype for f in found]
    return check_dtype(np.result_type(*found))


def promote(*args: Any, floating: bool = False) -> list[Any]:
    """Operands of one dtype; with `floating`, integers and booleans become floating-point numbers."""
    args = tuple(lift(x) if isinstance(x, list | tuple) else x for x in args)
    dtype = common_dtype(*args)
    if floating and dtype.kind != "f":
        dtype = np.result_type(dtype, np.float32)
    return [astype(x, dtype) for x in args]


def astype(x: Any, dtype: Any) -> Any:
    """`x` with elements of type `dtype`, unchanged if it has it already.

    >>> import numpy as np
    >>> astype(np.array([0.0, 2.5]), "float32").dtype
    dtype('float32')
    """
    dtype = check_dtype(dtype)
    if not isinstance(x, Tracer):
        if spec_of(x).dtype == dtype and isinstance(x, np.ndarray):
            return x
        return np.asarray(x, dtype)
    if x.dtype == dtype and not x.spec.weak:
        return x
    return to_bool(x) if dtype.kind == "b" else linear_maps.cast(x, dtype=dtype)


def _contains_tracer(x: Any) -> bool:
    return any(isinstance(e, Tracer) or (isinstance(e, list | tuple) and _contains_tracer(e)) for e in x)


def _stacked(arrays: list[Any]) -> Any:
    """Arrays of one shape joined along a new first axis."""
    parts = promote(*(linear_maps.reshape(x, shape=(1, *x.shape)) for x in arrays))
    return parts[0] if len(parts) == 1 else linear_maps.concatenate(*parts, axis=0)


to_bool = Primitive("to_bool", lambda x: ArraySpec(x.shape, np.dtype(bool)), template="{0} != 0")
