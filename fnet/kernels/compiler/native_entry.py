"""Calls of kernels from Python: one native function calls all of them, instead of a wrapper for each.

A wrapper takes as long to compile as a small kernel. So a kernel has an *entry* of a few instructions in its place. The
entry takes 64-bit words, the arguments in their order. An integer is one word, an array is two: its address and its
size. The native function `_call` fills the words from Python's objects. It is the same for all kernels; the kernel's
`_Description` tells it what to expect.

Some kernels have Numba's wrappers: those that take anything but flat arrays and 64-bit integers, those that return
something, those that raise errors, and all of them where bounds are checked.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core import ir as numba_ir
from numba.core.codegen import JITCodeLibrary
from numba.core.registry import cpu_target
from numba.np.numpy_support import as_dtype

_SUFFIX = ".entry"
_INTEGER = 0  # describes an argument that is no array
_NUMBERS = 64  # of dtypes that Numba knows are below
_INT, _WORD, _BYTE = ir.IntType(32), ir.IntType(64), ir.IntType(8).as_pointer()
_ENTRY = ir.FunctionType(_INT, [_WORD.as_pointer()])
_NOTHING = _BYTE.as_pointer()  # where what a function returns would be
_CALL = ir.FunctionType(_BYTE, [_BYTE] * 3)

# Bytes from the beginning of an object to its parts, as the headers of CPython and NumPy compile them into other code.
_HEADER = object.__basicsize__
_TYPE = _HEADER - 8
_CONTENT, _ITEMS = bytes.__basicsize__ - 1, tuple.__basicsize__
_DATA, _RANK, _SIZES, _DTYPE, _FLAGS = (_HEADER + offset for offset in (0, 8, 16, 40, 48))
_ORDER, _NUMBER = _HEADER + 10, _HEADER + 12
_ROW_MAJOR = 1


def add_entry(module: ir.Module, kinds: Sequence[types.Type], blocks: Iterable[Any]) -> bool:
    """Give the function that Numba has made in a module an entry; returns whether Python can call it through one.

    kinds: the types of its arguments; blocks: its code, as Numba represents it.
    """
    if config.BOUNDSCHECK or not all(map(_is_simple, kinds)) or any(map(_raises, blocks)):
        return False
    parts = [part for kind in kinds for part in _parts(kind)]
    function = next(function for function in module.functions if not function.is_declaration)
    result, error, *taken = function.function_type.args
    if result != _NOTHING or taken != parts:
        return False
    entry = ir.Function(module, _ENTRY, function.name + _SUFFIX)
    builder = ir.IRBuilder(entry.append_basic_block())
    places = iter(range(2 * len(kinds)))

    def word() -> ir.Value:
        return builder.load(builder.gep(entry.args[0], [_WORD(next(places))]))

    arguments = [builder.alloca(place.pointee) for place in (result, error)]
    for kind in kinds:
        if isinstance(kind, types.Array):
            data, size, itemsize = word(), word(), _WORD(as_dtype(kind.dtype).itemsize)
            owner = [_BYTE(None)] * 2
            arguments += [*owner, size, itemsize, builder.inttoptr(data, _parts(kind)[4]), size, itemsize]
        else:
            arguments.append(word())
    builder.ret(builder.call(function, arguments, attrs=["noinline"]))
    return True


def entered(compiled: Any) -> Any:
    """Return a kernel that Numba has compiled or loaded; Python calls it through its entry if it has one."""
    address = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name + _SUFFIX)
    if not address:
        return compiled
    description = _Description.of(address, compiled.signature.args)
    description.owner = compiled.library
    return compiled._replace(entry_point=_function_of()(_METHOD, description, None))


class _Description(bytes):
    """A kernel as `_call` sees it: words, the address of its entry, the number of arguments, and what each has to be.

    An array is described by the bits of NumPy's numbers of its dtype, which has several where C has several names for
    it. owner: what keeps the machine code alive.
    """

    owner: Any

    @classmethod
    def of(cls, address: int, kinds: Sequence[types.Type]) -> _Description:
        """Return the kernel with this entry."""
        codes = [_numbers(as_dtype(kind.dtype)) if isinstance(kind, types.Array) else _INTEGER for kind in kinds]
        return cls(np.array([address, len(codes), *codes], np.int64).tobytes())


def _numbers(dtype: np.dtype) -> int:
    return sum({1 << same.num for same in map(np.dtype, np.typecodes["All"]) if same == dtype})


def _is_simple(kind: types.Type) -> bool:
    if isinstance(kind, types.Array):
        return kind.ndim == 1 and kind.layout == "C" and isinstance(kind.dtype, types.Number | types.Boolean)
    return kind == types.int64


def _raises(block: Any) -> bool:
    errors = numba_ir.Raise, numba_ir.StaticRaise, numba_ir.DynamicRaise
    return any(isinstance(line, errors) for line in block.body)


def _parts(kind: types.Type) -> list[ir.Type]:
    """Return the values that Numba hands over for an argument."""
    if not isinstance(kind, types.Array):
        return [_WORD]
    data = cpu_target.target_context.get_data_type(kind.dtype).as_pointer()
    return [_BYTE, _BYTE, _WORD, _WORD, data, _WORD, _WORD]


class _Method(ctypes.Structure):
    """The structure that CPython calls PyMethodDef."""

    _fields_ = (("name", ctypes.c_char_p), ("code", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p))


_TUPLE_AND_DICT = 1 | 2  # METH_VARARGS | METH_KEYWORDS
_METHOD = _Method(b"kernel", None, _TUPLE_AND_DICT, None)


class _Library(JITCodeLibrary):
    """Machine code whose functions are optimised one by one."""

    def _optimize_final_module(self) -> None:
        pass


@functools.cache
def _function_of() -> Callable[..., Any]:
    """Makes Python functions that are called as `_call`, from (method, description, None)."""
    context = cpu_target.target_context
    module = context.create_module("fnet.call")
    _write_call(context, ir.Function(module, _CALL, "fnet.call"))
    library = _Library(context.codegen(), "fnet.call")
    library.add_ir_module(module)
    library.finalize()
    _METHOD.code = library.get_pointer_to_function("fnet.call")
    _METHOD.library = library
    # Of our own: the types of ``ctypes.pythonapi.PyCFunction_NewEx`` are those of whoever set them last.
    make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.POINTER(_Method), ctypes.py_object, ctypes.c_void_p)
    return make(("PyCFunction_NewEx", ctypes.pythonapi))


def _write_call(context: Any, function: ir.Function) -> None:
    """`_call(description, tuple, dict)`: looks at what is in the tuple, and calls the entry without Python's lock."""
    builder = ir.IRBuilder(function.append_basic_block())
    python = context.get_python_api(builder)
    subtype = ir.Function(function.module, ir.FunctionType(_INT, [_BYTE, _BYTE]), "PyType_IsSubtype")
    failed = function.append_basic_block("failed")
    with builder.goto_block(failed):
        builder.ret(_BYTE(None))
    refused = function.append_basic_block("refused")
    with builder.goto_block(refused):
        python.err_set_string("PyExc_TypeError", "a compiled kernel was called with arguments that it is not made for")
        builder.branch(failed)

    def start(thing: ir.Value, offset: int, kind: ir.Type) -> ir.Value:
        place = builder.gep(thing, [_WORD(offset)], source_etype=ir.IntType(8))
        return builder.bitcast(place, kind.as_pointer())

    def read(thing: ir.Value, offset: int, kind: ir.Type) -> ir.Value:
        return builder.load(start(thing, offset, kind))

    def go_on_if(condition: ir.Value, otherwise: ir.Block) -> None:
        going_on = function.append_basic_block()
        builder.cbranch(condition, going_on, otherwise)
        builder.position_at_end(going_on)

    description, items, _ = function.args
    described, given = start(description, _CONTENT, _WORD), start(items, _ITEMS, _BYTE)
    address, count = (builder.load(builder.gep(described, [_WORD(i)])) for i in range(2))
    go_on_if(builder.icmp_signed("==", python.tuple_size(items), count), refused)
    words = builder.alloca(_WORD, builder.shl(count, _WORD(1)))
    place = cgutils.alloca_once_value(builder, words)

    def put(word: ir.Value) -> None:
        target = builder.load(place)
        builder.store(word, target)
        builder.store(builder.gep(target, [_WORD(1)]), place)

    with cgutils.for_range(builder, count) as loop:
        item = builder.load(builder.gep(given, [loop.index]))
        code = builder.load(builder.gep(described, [builder.add(loop.index, _WORD(2))]))
        with builder.if_else(builder.icmp_signed("==", code, _WORD(_INTEGER))) as (is_integer, is_array):
            with is_integer:
                value = python.long_as_longlong(item)
                with builder.if_then(builder.icmp_signed("==", value, _WORD(-1)), likely=False):
                    go_on_if(cgutils.is_null(builder, python.err_occurred()), failed)
                put(value)
            with is_array:
                array = builder.inttoptr(_WORD(id(np.ndarray)), _BYTE)
                with builder.if_then(builder.icmp_unsigned("!=", read(item, _TYPE, _BYTE), array), likely=False):
                    derived = builder.call(subtype, [read(item, _TYPE, _BYTE), array])
                    go_on_if(cgutils.is_true(builder, derived), refused)
                dtype = read(item, _DTYPE, _BYTE)
                number = builder.zext(read(dtype, _NUMBER, _INT), _WORD)
                go_on_if(builder.icmp_unsigned("<", number, _WORD(_NUMBERS)), refused)
                fits = builder.trunc(builder.lshr(code, number), ir.IntType(1))
                order = read(dtype, _ORDER, ir.IntType(8))
                swapped = ir.IntType(8)(ord(">" if np.little_endian else "<"))
                fits = builder.and_(fits, builder.icmp_signed("!=", order, swapped))
                fits = builder.and_(fits, builder.icmp_signed("==", read(item, _RANK, _INT), _INT(1)))
                flags = builder.and_(read(item, _FLAGS, _INT), _INT(_ROW_MAJOR))
                go_on_if(builder.and_(fits, cgutils.is_true(builder, flags)), refused)
                put(read(item, _DATA, _WORD))
                put(builder.load(read(item, _SIZES, _WORD.as_pointer())))
    lock = python.save_thread()
    status = builder.call(builder.inttoptr(address, _ENTRY.as_pointer()), [words])
    python.restore_thread(lock)
    with builder.if_then(cgutils.is_true(builder, status), likely=False):
        python.err_set_string("PyExc_SystemError", "a kernel has failed")
        builder.branch(failed)
    builder.ret(python.make_none())
