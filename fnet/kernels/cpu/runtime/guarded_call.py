"""A call of a compiled step from Python whose arrays are looked at in machine code.

To ask an array for its dtype, shape and layout, and to hand it to compiled code, takes the interpreter 0.2 us; to read
the same words where NumPy keeps them takes 5 ns. So a step that was planned is called with a *record*, words that say
what its arrays must look like, and the tuple of the arrays. The words of a record:

| place | what |
|---|---|
| `VALID` | 1 until the memory behind the record is given up |
| `IN_USE` | the address of a word that is 0 while nothing runs in the memory of the step |
| `STEP` | the address of its machine code, a kernel ``(repeat, table)``; 0 to look at the arrays only |
| `TABLE` | the address of its table |
| `BLOCK` | the object that owns the donated arrays, which no array that is read may show; 0 for none |
| `DICTS` | how many dicts must hold what they held |
| `HELD` | how many donated arrays must show what they showed |
| `READ`, `WRITTEN` | how many arrays it reads and writes |
| from `FIRST` on | for each array that is read: dtype, rank, sizes, and where in the table its address belongs |
| behind them | for each array that is written: where in the table its address belongs |
| behind them | for each dict: its address and its version, which the interpreter changes with its contents |
| behind them | for each donated array: its address, that of its data, dtype, rank, sizes |
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import NativeValue, intrinsic, models, register_model, unbox

from fnet.kernels.cpu.runtime import atomics
from fnet.kernels.cpu.runtime.views import view_i4, view_i8
from fnet.kernels.policy import kernel

VALID, IN_USE, STEP, TABLE, ARRAY_TYPE, BLOCK, DICTS, HELD, READ, WRITTEN, FIRST = range(11)
DONE, OTHER, SHARED = 0, 1, 2
"""What a call returns: it ran; something is not as recorded; an array may share memory with a donated one."""

FREE, CALLED, TAKEN = 0, 1, 2
"""The word at `IN_USE`: nothing runs there, a guarded call does, or whoever holds the lock of the memory."""

# Bytes from the beginning of an object to what is read of it: tuples, dicts and NumPy's arrays on 64-bit CPython.
_ITEMS, _VERSION, _RANK, _FLAGS = 24, 24, 24, 64
_TYPE, _DATA, _SIZES, _BASE, _DTYPE = 1, 2, 4, 6, 7  # in words
_USABLE = 0x1 | 0x100 | 0x400  # row-major, aligned and writeable
_WORDS = 1 << 20  # as long as a view may be: nothing checks it


class _Reference(types.Opaque):
    """A Python object, of which compiled code sees the address."""

    def __init__(self) -> None:
        super().__init__("fnet.Reference")


REFERENCE = _Reference()


@register_model(_Reference)
class _ReferenceModel(models.OpaqueModel):
    pass


@unbox(_Reference)
def _unboxed(kind: Any, value: Any, context: Any) -> NativeValue:
    return NativeValue(value)


@intrinsic
def _address_of(typing, reference):
    """The address of a Python object."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        return builder.ptrtoint(values[0], ir.IntType(64))

    return types.int64(reference), generate


@intrinsic
def _run_step(typing, step, table):
    """Call the machine code of a kernel ``(repeat, table)`` once; kernels never raise."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        word, byte = ir.IntType(64), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.IntType(32), [byte.as_pointer(), byte.as_pointer(), word, word])
        result, error = (cgutils.alloca_once(builder, byte) for _ in range(2))
        builder.call(builder.inttoptr(values[0], kind.as_pointer()), [result, error, word(1), values[1]])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@kernel
def _looks_so(array, expected):
    """Whether the array at an address is row-major, aligned, writeable, of the dtype, rank and sizes `expected`.

    Both arguments are addresses; what is read at constant places needs no look at the sign of an index.
    """
    found, wanted = view_i8(array, 0, _WORDS), view_i8(expected, 0, _WORDS)
    rank = view_i4(array, _RANK, 1)[0]
    differs = (found[_DTYPE] ^ wanted[0]) | (rank ^ wanted[1]) | (~view_i4(array, _FLAGS, 1)[0] & _USABLE)
    if differs:
        return False
    for i in range(rank):
        differs |= view_i8(found[_SIZES], 8 * i, 1)[0] ^ view_i8(expected, 8 * i + 16, 1)[0]
    return differs == 0


@kernel
def guarded_call(record, arrays):
    """Run the step of a `record` on a tuple of arrays, once, if all is as it says; returns `DONE`, or why not."""
    r, items = view_i8(record, 0, _WORDS), view_i8(_address_of(arrays), _ITEMS, _WORDS)
    place = FIRST
    shared = False
    for k in range(r[READ]):
        array = view_i8(items[k], 0, _WORDS)
        if array[_TYPE] != r[ARRAY_TYPE] or not _looks_so(items[k], record + 8 * place):
            return OTHER
        base = array[_BASE]
        if r[BLOCK] != 0 and base != 0:
            # What it is a view of tells most of them: an array that owns its memory, and not that of the donated ones.
            owner = view_i8(base, 0, _WORDS)
            shared |= base == r[BLOCK] or owner[_TYPE] != r[ARRAY_TYPE] or owner[_BASE] != 0
        place += r[place + 1] + 3
    place += r[WRITTEN]
    for _ in range(r[DICTS]):
        if view_i8(r[place], _VERSION, 1)[0] != r[place + 1]:
            return OTHER
        place += 2
    for _ in range(r[HELD]):
        array = view_i8(record, 8 * place, 4)
        if view_i8(array[0], 0, _WORDS)[_DATA] != array[1] or not _looks_so(array[0], record + 8 * place + 16):
            return OTHER
        place += array[3] + 4
    if shared:
        return SHARED
    if r[STEP] == 0:
        return DONE
    if atomics.swap_if(r[IN_USE], FREE, CALLED) == 0:
        return OTHER
    if r[VALID] == 0:
        atomics.store(r[IN_USE], FREE)
        return OTHER
    table = view_i8(r[TABLE], 0, _WORDS)
    place = FIRST
    for k in range(r[READ]):
        place += r[place + 1] + 3
        table[r[place - 1]] = view_i8(items[k], 0, _WORDS)[_DATA]
    for k in range(r[WRITTEN]):
        table[r[place + k]] = view_i8(items[r[READ] + k], 0, _WORDS)[_DATA]
    _run_step(r[STEP], r[TABLE])
    atomics.store(r[IN_USE], FREE)
    return DONE


@kernel
def change(word, expected, new):
    """Write `new` into the word at an address if it is as `expected`; returns 1 if it was."""
    return atomics.swap_if(word, expected, new)


Enter = Callable[[int, tuple[Any, ...]], int]
Change = Callable[[int, int, int], int]
"""`guarded_call` and `change` as Python calls them."""


class Gate:
    """Lets guarded calls into a memory, or keeps them out while someone works there who holds its lock.

    close: returns 0 while a guarded call runs, else closes the gate. open: does nothing while a guarded call runs. Both
    are machine code as a whole, so Ctrl-C finds them done or not begun.
    """

    def __init__(self, change: Change) -> None:
        self._word = np.full(1, TAKEN, np.int64)
        self.address: int = self._word.__array_interface__["data"][0]
        self.close = functools.partial(change, self.address, FREE, TAKEN)
        self.open = functools.partial(change, self.address, TAKEN, FREE)

    def renew(self) -> None:
        """Open the gate in a child process, where nothing runs that ran when the process forked."""
        self._word[0] = FREE


def record(
    gate: Gate,
    step: int,
    table: int,
    block: Any,
    read: Sequence[tuple[np.dtype, tuple[int, ...], int]],
    written: Sequence[int],
    dicts: Sequence[tuple[int, int]],
    held: Sequence[tuple[np.ndarray, np.dtype, tuple[int, ...]]] = (),
) -> np.ndarray:
    """A record, int64; `read` holds (dtype, shape, entry of the table) of each array, `written` the entries.

    dicts: the address and the version of each; held: the donated arrays, with their dtypes and shapes. Whoever makes a
    record keeps the gate, the dtypes, `block`, the dicts and the donated arrays alive.
    """
    words = [1, gate.address, step, table, id(np.ndarray), 0 if block is None else id(block)]
    words += [len(dicts), len(held), len(read), len(written)]
    for dtype, shape, entry in read:
        words += [id(dtype), len(shape), *shape, entry]
    words += written
    for address_and_version in dicts:
        words += address_and_version
    for array, dtype, shape in held:
        words += [id(array), array.__array_interface__["data"][0], id(dtype), len(shape), *shape]
    return np.array(words, np.int64)


def versions(dicts: Iterable[dict]) -> list[tuple[int, int]] | None:
    """The address and the version of each dict; None where the interpreter keeps no versions."""
    return [(id(d), _version(d)) for d in dicts] if _versions_are_kept() else None


@functools.cache
def entries() -> tuple[Enter, Change] | None:
    """`guarded_call` and `change` as Python calls them past Numba's dispatch; None where objects are otherwise."""
    if config.DISABLE_JIT or not _objects_are_as_expected():
        return None
    return guarded_call.compile((types.int64, REFERENCE)), change.compile((types.int64,) * 3)


def _objects_are_as_expected() -> bool:
    """Whether this interpreter and NumPy keep in their objects what `guarded_call` reads, where it reads it."""
    if sys.implementation.name != "cpython" or sys.byteorder != "little" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    if object.__basicsize__ != 2 * 8 or tuple.__basicsize__ != _ITEMS or np.ndarray.__basicsize__ < _FLAGS + 8:
        return False
    whole = np.zeros((3, 5), np.float32)
    part = whole[1:, 1:]
    part.flags.writeable = False
    pair = (whole, part)
    items = (ctypes.c_int64 * 2).from_address(id(pair) + _ITEMS)
    return list(items) == [id(whole), id(part)] and all(_is_as_expected(array) for array in pair)


def _is_as_expected(array: np.ndarray) -> bool:
    words = (ctypes.c_int64 * 8).from_address(id(array))
    rank = ctypes.c_int32.from_address(id(array) + _RANK).value
    flags = ctypes.c_int32.from_address(id(array) + _FLAGS).value
    found = words[_TYPE], words[_DATA], words[_BASE], words[_DTYPE], rank, flags & _USABLE == _USABLE
    base = 0 if array.base is None else id(array.base)
    address = array.__array_interface__["data"][0]
    if found != (id(np.ndarray), address, base, id(array.dtype), array.ndim, array.flags.carray):
        return False
    return tuple((ctypes.c_int64 * rank).from_address(words[_SIZES])) == array.shape


def _version(d: dict) -> int:
    return ctypes.c_int64.from_address(id(d) + _VERSION).value


@functools.cache
def _versions_are_kept() -> bool:
    """Whether a dict's version changes with every change of the dict, and with nothing else."""
    changes: list[Callable[[dict], Any]] = [
        lambda d: d.__setitem__("a", np.zeros(1)),
        lambda d: d.__setitem__("b", d["a"]),
        lambda d: d.update(b=2, c=3),
        lambda d: d.setdefault("d", 4),
        lambda d: d.pop("b"),
        lambda d: d.__delitem__("d"),
        lambda d: d.__ior__({"e": 5}),
        lambda d: d.popitem(),
        lambda d: d.clear(),
    ]
    for d in ({"a": None}, OrderedDict(a=None)):
        seen = [_version(d)]
        for change in changes:
            change(d)
            seen.append(_version(d))
            _ = d.get("a"), len(d), list(d.items()), "b" in d, d == {}, repr(d), d.copy()
            if _version(d) != seen[-1]:
                return False
        if len(set(seen)) != len(seen):
            return False
    return True
