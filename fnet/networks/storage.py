"""Parameters at rest in 16 bits, in memory and in files; computing stays float32.

``store(params, "bfloat16")`` halves what parameters take, `restore` gives float32 back, and `stored` makes a network
that restores its parameters itself wherever it is applied. Weights are saved and loaded in the stored form as in any.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet import tree
from fnet.arguments import known_word
from fnet.configured import Recipe
from fnet.errors import DtypeError, StructureError, ValueRangeError
from fnet.networks.layer import Layer
from fnet.networks.position import OUTSIDE, at
from fnet.ops.half import from_bits

FORMATS = ("bfloat16", "float16")


class Stored:
    """The numbers of an array in 16 bits: `bits` (...) uint16, to be read in the given `format`.

    bfloat16 keeps 8 digits of a binary number and float32's range; float16 keeps 11 digits up to 65504.
    """

    __slots__ = ("bits", "format")

    def __init__(self, bits: Any, format: str) -> None:
        self.bits, self.format = bits, format

    @property
    def shape(self) -> tuple[int, ...]:
        return self.bits.shape

    @property
    def nbytes(self) -> int:
        return self.bits.nbytes

    def __repr__(self) -> str:
        return f"Stored({self.format}{list(self.shape)})"


tree.register(Stored, lambda x: ({"bits": x.bits}, x.format), lambda format, parts: Stored(parts["bits"], format))


def store(params: Any, format: str = "bfloat16") -> Any:
    """The tree with its floating arrays in 16 bits, rounded to nearest, ties to even; other leaves as they are.

    Raises `ValueRangeError` naming a leaf with a number that float16 cannot hold.

    >>> kept = store({"kernel": np.array([1.0, 1 / 3], "float32")})
    >>> kept, restore(kept)["kernel"]
    ({'kernel': Stored(bfloat16[2])}, array([1.        , 0.33398438], dtype=float32))
    """
    known_word("store", "format", format, FORMATS)

    def narrowed(path: str, leaf: Any) -> Any:
        if _is_stored(leaf):
            raise DtypeError(f"store: '{path}' is {leaf} already; restore it first.")
        array = np.asarray(leaf)
        if array.dtype.kind != "f":
            return leaf
        return Stored(_bfloat16(array) if format == "bfloat16" else _float16(path, array), format)

    return tree.map_with_path(narrowed, params, is_leaf=_is_stored)


def restore(params: Any) -> Any:
    """The tree with float32 arrays in the places of stored ones; works on traced values, too."""
    return tree.map(lambda x: from_bits(x.bits, x.format) if _is_stored(x) else x, params, is_leaf=_is_stored)


def stored(net: Layer, format: str = "bfloat16") -> Layer:
    """The network with parameters that rest in 16 bits: its init stores them, its apply restores them.

    It computes what ``net.apply(restore(params), ...)`` does. It cannot be trained, because 16 bits hold no small
    steps: train `net` with float32 parameters and store those.

    >>> from fnet import random
    >>> from fnet.layers import Dense
    >>> net = stored(Dense(2))
    >>> params, state = net.init(random.key(0), (3,))
    >>> params["kernel"], net.apply(params, state, np.ones((1, 3), "float32"))[0].dtype
    (Stored(bfloat16[3, 2]), dtype('float32'))
    """
    if not isinstance(net, Layer):
        raise StructureError(f"stored: expected a Layer, received a {type(net).__name__}.")
    known_word("stored", "format", format, FORMATS)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        with at(OUTSIDE):
            params, state = net.init(key, shape, dtype)
        return store(params, format), state

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        with at(OUTSIDE):  # nothing is trained, so nobody asks for penalties
            return net.apply(restore(params), state, x, key=key, train=train)

    shown: dict[str, Any] = {"format": format}
    made = Layer(
        init,
        apply,
        name=net.name,
        kind="stored",
        config={"layer": net, **shown},
        shown=shown,
        masks="used",
        recipe=Recipe(stored, (net, format), {}),
    )
    return made.relabel(net.name, net.named)


def _is_stored(x: Any) -> bool:
    return isinstance(x, Stored)


def _bfloat16(array: np.ndarray) -> np.ndarray:
    """The upper halves of the float32 numbers; NaN keeps a bit that says so."""
    bits = array.astype(np.float32).view(np.uint32)
    rounded = ((bits + (0x7FFF + ((bits >> 16) & 1)).astype(np.uint32)) >> 16).astype(np.uint16)
    return np.where(np.isnan(array), ((bits >> 16) | 0x40).astype(np.uint16), rounded)


def _float16(path: str, array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        narrow = array.astype(np.float16)
    lost = np.isinf(narrow) & np.isfinite(array)
    if lost.any():
        raise ValueRangeError(
            f"store: '{path}' has {array[lost].flat[0]}, which float16 cannot hold (up to 65504). Use bfloat16."
        )
    return narrow.view(np.uint16)
