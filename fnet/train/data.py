"""Data sets in memory: trees of arrays with the samples on the first axis."""

from __future__ import annotations

import math
from array import array as buffer
from typing import Any

import numpy as np

from fnet import random, tree
from fnet.arguments import is_number
from fnet.data.frames import frame_array, is_frame
from fnet.device_array import DeviceArray
from fnet.errors import DtypeError, ShapeError, StructureError, ValueRangeError
from fnet.ops.promotion import astype
from fnet.spec import SUPPORTED
from fnet.train.dataset import Dataset, is_dataset
from fnet.transforms.operand import beside

# The two uses of TrainState.key, kept apart.
ORDER, STEP = 0, 1


def as_arrays(name: str, data: Any, dtype: np.dtype, unread: bool = False) -> Any:
    """The tree `data` with its leaves as row-major arrays; floats are converted to `dtype`, other kinds kept.

    Numbers in the other order of bytes, as of files, get that of the machine.

    Lists and tuples are containers where they hold arrays, else data: ``[[1, 2], [3, 4]]`` is one array (2, 2).
    unread: data sets that are not in memory become `Dataset`, and are not read.
    Raises `DtypeError` for what is no array of numbers, `ShapeError` for scalars and ragged lists; both name the leaf.
    """

    def convert(path: str, leaf: Any) -> Any:
        own = f"{name}/{path}" if path else name
        return Dataset(own, leaf) if unread and is_dataset(leaf) else _as_array(own, leaf, dtype)

    return tree.map_with_path(convert, data, is_leaf=_is_plain)


def count(data: dict[str, Any]) -> int:
    """The number of samples, the same in every leaf of the trees, named by the keys of `data`.

    Raises `ShapeError` where it differs, `ValueRangeError` where there are none.
    """
    lengths = set(map(len, tree.leaves(data)))
    if len(lengths) == 1 and 0 not in lengths:
        return lengths.pop()
    sizes = {path: len(leaf) for path, leaf in tree.leaves_with_path(data)}
    if not sizes:
        raise ValueRangeError(f"there are no data: {' and '.join(data)} hold no array. Pass arrays with samples first.")
    (first, n), *others = sizes.items()
    for path, size in others:
        if size != n:
            raise ShapeError(
                f"{path} has {size} samples and {first} has {n}: expected the same number, on the first axis. "
                f"Pass the {path.split('/')[0]} that belongs to this {first.split('/')[0]}."
            )
    raise ValueRangeError(f"{' and '.join(sizes)} have no samples. Pass at least one.")


def split(data: Any, n: int, fraction: float) -> tuple[Any, Any]:
    """The first ``floor(n (1 - fraction))`` samples and the others, in their order, as views.

    Raises `ValueRangeError` unless ``0 <= fraction < 1`` and both parts have samples. Source: Keras
    ``validation_split``.
    """
    if not (is_number(fraction) and 0 <= fraction < 1):
        raise ValueRangeError(
            f"validation_split is a fraction, expected 0 <= validation_split < 1, received {fraction!r}."
        )
    at = math.floor(n * (1 - fraction))
    if not 0 < at < n:
        raise ValueRangeError(
            f"validation_split={fraction} of {n} samples leaves {at} for training and {n - at} for validation; "
            f"expected at least one of each. Choose another fraction, or pass validation_data."
        )
    return tree.map(lambda x: x[:at], data), tree.map(lambda x: x[at:], data)


def order_key(key: Any) -> Any:
    """The key from which the orders of all epochs derive."""
    return random.fold_in(key, ORDER)


def epoch_order(key: Any, step: int, n: int, shuffle: bool) -> Any:
    """The order in which an epoch that begins at update number `step` visits n samples: pure in all four.

    key: the `order_key` of the run.
    """
    return random.permutation(random.fold_in(key, step), n) if shuffle else beside(np.arange(n), key)


def _is_plain(data: Any) -> bool:
    """Whether a list or tuple is data itself: it holds numbers, or lists of numbers, but no array."""
    if not isinstance(data, list | tuple):
        return False
    return all(_is_plain(part) or isinstance(part, int | float | complex | str | bytes | np.generic) for part in data)


def _as_array(name: str, leaf: Any, dtype: np.dtype) -> Any:
    if isinstance(leaf, DeviceArray):
        array: Any = astype(leaf, dtype) if leaf.dtype.kind == "f" else leaf
    else:
        array = _as_host_array(name, leaf, dtype)
    if array.ndim == 0:
        fix = "Give one for each sample." if name.endswith("weight") else "Wrap it: [value]."
        raise ShapeError(f"{name} must have the samples on its first axis, received a scalar. {fix}")
    return array


def _as_host_array(name: str, leaf: Any, dtype: np.dtype) -> np.ndarray:
    array = _plain_array(name, leaf)
    if array.dtype.kind == "f" and array.dtype.itemsize <= 8:
        try:
            with np.errstate(over="raise"):
                array = np.asarray(array, dtype)
        except FloatingPointError:
            raise ValueRangeError(
                f"{name} has numbers beyond the range of {dtype}, in which the network computes. Scale them, or make "
                f"parameters in float64: trainer.init(key, shape, 'float64')."
            ) from None
    elif array.dtype.newbyteorder("=") in SUPPORTED:
        array = np.asarray(array, array.dtype.newbyteorder("="))
    else:
        raise DtypeError(f"{name} must hold numbers or booleans, received {_not_numbers(name, leaf, array)}")
    # A read-only array is copied once here, since kernels take arrays as writeable ones.
    return array if array.flags.carray else np.array(array, order="C")


def _plain_array(name: str, leaf: Any) -> np.ndarray:
    """`leaf` as an array; what is none, such as a data set of batches, is not asked for its elements."""
    if type(leaf) is np.ndarray:
        return leaf
    if is_frame(leaf):
        return frame_array(name, leaf)
    if is_dataset(leaf):
        leaf = Dataset(name, leaf).read()
    if not isinstance(leaf, _PLAIN) and not any(hasattr(leaf, protocol) for protocol in _PROTOCOLS):
        raise DtypeError(f"{name} must hold numbers or booleans, received {_no_array(name, leaf)}")
    if isinstance(leaf, np.ma.MaskedArray) and np.ma.is_masked(leaf):
        raise DtypeError(
            f"{name} is a masked array, whose mask fnet does not see. Fill it, {_data(name)}.filled(value), and leave "
            f"samples out with sample_weight or steps with Masking."
        )
    try:
        return np.asarray(leaf)
    except ValueError as error:
        raise ShapeError(f"{name} does not make an array: {error}. Give every sample the same shape.") from None
    except (TypeError, RuntimeError) as error:  # of another library's array
        raise DtypeError(f"{name} does not make an array: {error}") from None


_PLAIN = (np.ndarray, np.generic, int, float, complex, str, bytes, list, tuple, range, memoryview, buffer)
_PROTOCOLS = ("__array__", "__array_interface__", "__array_struct__")


def _no_array(name: str, leaf: Any) -> str:
    fix = "Pass an array with the samples on its first axis."
    if hasattr(leaf, "__next__"):
        fix = f"Collect what it yields: np.stack(list({_data(name)}))."
    elif hasattr(leaf, "__getitem__") and not hasattr(leaf, "__iter__"):
        fix = "Pass an array with the samples on its first axis, or give it an __iter__ that yields batches."
    return f"a {type(leaf).__name__}. {fix}"


def _data(name: str) -> str:
    """The name of the argument that a leaf belongs to."""
    return name.rpartition(" ")[2].split("/")[0]


def _not_numbers(name: str, leaf: Any, array: np.ndarray) -> str:
    """What came instead of numbers, and what to do about it."""
    data = _data(name)
    if array.dtype != object:
        return f"dtype {array.dtype}. Convert it, e.g. {data}.astype('float32'), or encode categories as integers."
    if array.ndim == 0:
        return _no_array(name, leaf)
    for place, value in np.ndenumerate(array):
        if isinstance(value, int | float | np.number | np.bool_):
            continue
        where = f"sample {place[0]}"
        if len(place) > 1:
            where += f" at {place[1:]}"
        if isinstance(value, np.ndarray | list | tuple):
            return f"arrays as objects, first in {where}. Give every sample the same shape: np.stack(list({data}))."
        return (
            f"{value!r:.40} in {where}. "
            f"Encode categories as integers or one-hot columns, and leave out or fill in what is missing."
        )
    return f"numbers as objects, as of a data frame of several dtypes. Convert it: {data}.astype('float32')."


def as_triple(validation_data: Any) -> tuple[Any, Any, Any]:
    """``(x, y)`` or ``(x, y, sample_weight)`` as three, or a `StructureError`."""
    if isinstance(validation_data, tuple | list) and len(validation_data) in (2, 3):
        x, y, *weight = validation_data
        return x, y, weight[0] if weight else None
    size = f" of length {len(validation_data)}" if isinstance(validation_data, tuple | list) else ""
    raise StructureError(
        f"validation_data is a tuple (x, y) or (x, y, sample_weight), received a "
        f"{type(validation_data).__name__}{size}."
    )
