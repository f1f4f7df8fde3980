"""Layers that put categories into bins by a hash: nothing is learnt, and nothing need be known of the categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from fnet.arguments import described, is_integer, one_of, positive_integer
from fnet.data.fingerprint import cross_hash, farm_hash, sip_hash
from fnet.errors import ArgumentError, DtypeError, ShapeError, StructureError
from fnet.layers.activation import nothing
from fnet.layers.categories import MODES, Mode, encoded
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.layers.host_values import as_bytes, host_array
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import is_only_shape

CrossMode = Literal["int", "one_hot"]


@LAYERS.named()
@layer_constructor(several=True, on_host=True)
def Hashing(
    num_bins: int,
    mask_value: int | str | None = None,
    salt: int | Sequence[int] | None = None,
    output_mode: Mode = "int",
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """Texts or integers in `num_bins` bins: FarmHash64, or with a `salt` SipHash under it, modulo `num_bins`.

    mask_value: is in bin 0 alone; all else is then in the others. salt: an integer, or two of them. output_mode: bins
    as integers, or as vectors, see `CategoryEncoding`. It runs on the host, before what is compiled.

    x: texts or integers of any shape (floats are cut off) -> int64 of this shape, or float32 vectors.
    Source: Keras ``Hashing``, with the same bins.

    >>> layer = Hashing(3)
    >>> layer.apply({}, {}, [["A"], ["B"], ["C"], ["D"], ["E"]])[0].tolist()
    [[1], [0], [1], [1], [2]]
    """
    bins = positive_integer("Hashing", "num_bins", num_bins)
    secret, mode = salt_pair("Hashing", salt), one_of("Hashing", "output_mode", output_mode, MODES)
    reserved = 0 if mask_value is None or bins == 1 else 1

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        if is_only_shape(x):
            return encoded("Hashing", np.zeros(x.shape, np.int64), mode, bins), state
        array = host_array("Hashing", x)
        values = as_bytes(array)
        number = {value: place for place, value in enumerate(dict.fromkeys(values))}
        found = hash_bins(list(number), bins - reserved, secret)
        ids = found[[number[value] for value in values]].reshape(array.shape) if values else np.zeros(array.shape, int)
        if mask_value is not None and reserved:
            ids = np.where(_is_mask(array, values, mask_value), 0, ids + 1)
        return encoded("Hashing", ids, mode, bins), state

    return nothing, apply


@LAYERS.named()
@layer_constructor(several=True, on_host=True)
def HashedCrossing(
    num_bins: int,
    output_mode: CrossMode = "int",
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """Combinations of several categories in `num_bins` bins, by the hash of their hashes.

    It runs on the host, before what is compiled. x: a tuple of at least two arrays of texts or integers, (N,) or (N, 1)
    -> int64 of this shape, or with ``output_mode="one_hot"`` (N, num_bins). Source: Keras ``HashedCrossing``, with the
    same bins.

    >>> layer = HashedCrossing(5)
    >>> layer.apply({}, {}, (["A", "B", "A"], np.array([101, 101, 102])))[0].tolist()
    [1, 4, 3]
    """
    bins = positive_integer("HashedCrossing", "num_bins", num_bins)
    mode = one_of("HashedCrossing", "output_mode", output_mode, ("int", "one_hot"))

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        if not isinstance(x, tuple | list) or len(x) < 2:
            raise StructureError(f"HashedCrossing: expected a tuple of at least two inputs, received {described(x)}.")
        if is_only_shape(x[0]):
            return encoded("HashedCrossing", np.zeros(_shape_of_all(x), np.int64), mode, bins), state
        columns = [host_array("HashedCrossing", part) for part in x]
        shape = _shape_of_all(columns)
        for column in columns:
            if column.dtype.kind not in "iuUSO":
                raise DtypeError(f"HashedCrossing: expected texts or integers, received dtype {column.dtype}.")
        hashes = [c.reshape(-1) if c.dtype.kind in "iu" else farm_hash(as_bytes(c)) for c in columns]
        found = (cross_hash(hashes) % np.uint64(bins)).astype(np.int64)
        return encoded("HashedCrossing", found.reshape(shape), mode, bins), state

    return nothing, apply


def hash_bins(values: list[bytes], bins: int, salt: tuple[int, int] | None) -> np.ndarray:
    """The bin of each value: (N,) int64."""
    hashes = farm_hash(values) if salt is None else sip_hash(values, salt)
    return (hashes % np.uint64(bins)).astype(np.int64)


def salt_pair(who: str, salt: Any) -> tuple[int, int] | None:
    """The salt as two integers."""
    parts = salt if isinstance(salt, tuple | list) else (salt, salt)
    if salt is None:
        return None
    if len(parts) != 2 or not all(map(is_integer, parts)):
        raise ArgumentError(f"{who}: salt is an integer or two of them, received {salt!r:.40}.")
    return int(parts[0]), int(parts[1])


def _is_mask(array: np.ndarray, values: list[bytes], mask: int | str) -> np.ndarray:
    if array.dtype.kind in "iufb":
        return np.asarray(array == mask)
    wanted = str(mask).encode()
    return np.array([value == wanted for value in values], bool).reshape(array.shape)


def _shape_of_all(columns: Any) -> tuple[int, ...]:
    shapes = {tuple(column.shape) for column in columns}
    shape = next(iter(shapes))
    if len(shapes) > 1 or len(shape) not in (1, 2) or shape[1:] not in ((), (1,)):
        listed = ", ".join(str(tuple(column.shape)) for column in columns)
        raise ShapeError(f"HashedCrossing: expected inputs that are all (N,) or all (N, 1), received {listed}.")
    return shape
