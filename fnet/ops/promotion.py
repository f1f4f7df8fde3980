"""One dtype for the operands of an operation, by NumPy's rules: a Python number yields to the arrays beside it."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.errors import ShapeError
from fnet.spec import SUPPORTED, ArraySpec, as_array, check_dtype, is_array
from fnet.transforms import linear_maps
from fnet.transforms.operand import Holder, in_one_dtype, is_known
from fnet.transforms.primitive import Primitive, spec_of

_WEAK = {"f": 0.0, "i": 0, "u": 0, "b": False}


def lift(x: Any) -> Any:
    """The operand that `x` is or becomes: arrays and traced values stay, numbers and lists of them become arrays.

    Raises `DtypeError` for other objects, and for element types that fnet does not have.
    """
    if (type(x) is np.ndarray and x.dtype in SUPPORTED) or not is_known(x):
        return x
    if is_array(x):
        spec_of(x)
        return x
    if isinstance(x, Holder):
        return lift(x.value)
    if isinstance(x, list | tuple) and _contains_traced(x):
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
    agreed = in_one_dtype(args)
    if agreed is not None:
        return agreed
    args = tuple(lift(x) if isinstance(x, list | tuple | Holder) else x for x in args)
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
    if type(x) is np.ndarray and x.dtype == dtype:
        return x
    if is_known(x):
        return x if spec_of(x).dtype == dtype and is_array(x) else np.asarray(x, dtype)
    if x.dtype == dtype and not x.weak:
        return x
    return to_bool(x) if dtype.kind == "b" else linear_maps.cast(x, dtype=dtype)


def _contains_traced(x: Any) -> bool:
    return any(not is_known(e) or (isinstance(e, list | tuple) and _contains_traced(e)) for e in x)


def _stacked(arrays: list[Any]) -> Any:
    """Arrays of one shape joined along a new first axis."""
    parts = promote(*(linear_maps.reshape(x, shape=(1, *x.shape)) for x in arrays))
    return parts[0] if len(parts) == 1 else linear_maps.concatenate(*parts, axis=0)


to_bool = Primitive("to_bool", lambda x: ArraySpec(x.shape, np.dtype(bool)), template="{0} != 0")
