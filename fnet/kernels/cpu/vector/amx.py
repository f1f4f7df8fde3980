"""Tiles of AMX: eight registers of 16 rows of 64 bytes, and products of such tiles of pairs of bfloat16.

`Tiles` writes the operations on them in one of two ways. The instructions need a processor with amx_tile and amx_bf16
and a process that Linux permits to use them (`permitted`). The emulation does the same, bit for bit, with plain
instructions on memory, so tests of tiles run on every processor. The type of a kernel's argument `state` decides, when
the kernel is compiled: bytes are a configuration of the registers, numbers of float32 stand for the registers.

An instruction sums the even products of a row and a column, and the odd ones, in their order. It adds both sums, and
adds the result to the tile. Each addition rounds to nearest, and numbers below the smallest normal one count as zero.
"""

from __future__ import annotations

import ctypes
import functools
import platform
import sys
from collections.abc import Sequence
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

from fnet.kernels.cpu.vector.simd import INSTRUCTION_SET, INT, Loop, Vectors, at, vector_code
from fnet.kernels.policy import kernel

ROWS, WORDS = 16, 16  # of a tile; a word is a number of float32 or two of bfloat16
TILE = ROWS * WORDS
REGISTERS = 8
_BYTE, _WORD = ir.IntType(8), ir.IntType(32)
_ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA = 158, 0x1023, 18  # of Linux on x86-64


@functools.cache
def permitted() -> bool:
    """Whether the host has the instructions, and Linux lets this process use the registers: it is asked once."""
    features = llvm.get_host_cpu_features()
    has = features.get("amx-tile") and features.get("amx-bf16")
    if not has or INSTRUCTION_SET != "avx512" or config.DISABLE_JIT or config.CPU_NAME == "generic":
        return False
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return False
    return ctypes.CDLL(None).syscall(_ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA) == 0


def configuration() -> np.ndarray:
    """The `state` of tiles that are registers: eight of 16 rows of 64 bytes, in the form that the processor takes."""
    state = np.zeros(64, np.uint8)
    state[0] = 1
    state[16 : 16 + 2 * REGISTERS : 2] = 64
    state[48 : 48 + REGISTERS] = ROWS
    return state


def emulation(tasks: int) -> np.ndarray:
    """The `state` of emulated tiles of so many tasks, one behind the other."""
    return np.zeros(tasks * REGISTERS * TILE, np.float32)


def state(tasks: int) -> np.ndarray:
    """What kernels are given for tiles here, in so many tasks."""
    return configuration() if permitted() else emulation(tasks)


class Tiles:
    """Writes operations on tiles at the builder's position; `state` decides how."""

    def __init__(self, simd: Vectors, state: ir.Value) -> None:
        self.builder = simd.builder
        self._simd, self._state = simd, state
        self._emulated = not isinstance(state.type.pointee, ir.IntType)
        self._floats = ir.VectorType(ir.FloatType(), WORDS)
        self._ints = ir.VectorType(_WORD, WORDS)

    def configure(self) -> None:
        """Before the first use in a thread: what the registers hold is lost."""
        if not self._emulated:
            self._simd.call("llvm.x86.ldtilecfg", ir.VoidType(), [self._bytes(self._state)])

    def release(self) -> None:
        """After the last use."""
        if not self._emulated:
            self._simd.call("llvm.x86.tilerelease", ir.VoidType(), [])

    def zero(self, tile: int) -> None:
        """A tile of zeros."""
        if not self._emulated:
            self._simd.call("llvm.x86.tilezero", ir.VoidType(), [_BYTE(tile)])
            return
        loop = Loop(self.builder, INT(ROWS), [])
        self.builder.store(self._ints([0] * WORDS), self._row(tile, loop.index), align=4)
        loop.close([])

    def load(self, tile: int, address: ir.Value, row: ir.Value) -> None:
        """A tile from memory whose rows lie `row` words from each other."""
        if not self._emulated:
            arguments = [_BYTE(tile), self._bytes(address), self.builder.mul(row, INT(4))]
            self._simd.call("llvm.x86.tileloadd64", ir.VoidType(), arguments)
            return
        loop = Loop(self.builder, INT(ROWS), [])
        words = self.builder.load(self._words(address, self.builder.mul(loop.index, row)), align=4, typ=self._ints)
        self.builder.store(words, self._row(tile, loop.index), align=4)
        loop.close([])

    def store(self, tile: int, address: ir.Value, row: ir.Value) -> None:
        """A tile to memory whose rows lie `row` words from each other."""
        if not self._emulated:
            arguments = [_BYTE(tile), self._bytes(address), self.builder.mul(row, INT(4))]
            self._simd.call("llvm.x86.tilestored64", ir.VoidType(), arguments)
            return
        loop = Loop(self.builder, INT(ROWS), [])
        words = self.builder.load(self._row(tile, loop.index), align=4, typ=self._ints)
        self.builder.store(words, self._words(address, self.builder.mul(loop.index, row)), align=4)
        loop.close([])

    def multiply_add(self, c: int, a: int, b: int) -> None:
        """``C += A B``: of rows of pairs in A, and rows of B that hold pairs of its rows."""
        if not self._emulated:
            self._simd.call("llvm.x86.tdpbf16ps", ir.VoidType(), [_BYTE(c), _BYTE(a), _BYTE(b)])
            return
        builder, zeros = self.builder, self._floats([0.0] * WORDS)
        rows = Loop(builder, INT(ROWS), [])
        pairs = Loop(builder, INT(WORDS), [zeros, zeros])
        element = builder.gep(self._row(a, rows.index, _WORD), [pairs.index], source_etype=_WORD)
        word = builder.load(element, align=4, typ=_WORD)
        first = builder.insert_element(self._ints(ir.Undefined), word, _WORD(0))
        factor = builder.shuffle_vector(first, first, self._ints([0] * WORDS))
        others = builder.load(self._row(b, pairs.index), align=4, typ=self._ints)
        pairs.close(
            [
                self._added(total, builder.fmul(self._half(factor, odd), self._half(others, odd)))
                for odd, total in enumerate(pairs.values)
            ]
        )
        place = self._row(c, rows.index)
        total = builder.load(builder.bitcast(place, self._floats.as_pointer()), align=4, typ=self._floats)
        total = self._flushed(total)
        total = self._added(total, self._added(*pairs.values))
        builder.store(builder.bitcast(total, self._ints), place, align=4)
        rows.close([])

    def _added(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self._flushed(self.builder.fadd(x, y))

    def _half(self, words: ir.Value, odd: int) -> ir.Value:
        """The even or odd numbers of pairs."""
        if odd:
            bits = self.builder.and_(words, self._ints([0xFFFF0000] * WORDS))
        else:
            bits = self.builder.shl(words, self._ints([16] * WORDS))
        return self._flushed(self.builder.bitcast(bits, self._floats))

    def _flushed(self, x: ir.Value) -> ir.Value:
        """Zeros in place of numbers below the smallest normal one, with their sign."""
        bits = self.builder.bitcast(x, self._ints)
        exponent = self.builder.and_(bits, self._ints([0x7F800000] * WORDS))
        small = self.builder.icmp_unsigned("==", exponent, self._ints([0] * WORDS))
        sign = self.builder.and_(bits, self._ints([0x80000000] * WORDS))
        return self.builder.bitcast(self.builder.select(small, sign, bits), self._floats)

    def _row(self, tile: int, row: ir.Value, kind: ir.Type | None = None) -> ir.Value:
        """The address of a row of an emulated tile."""
        place = self.builder.add(self.builder.mul(row, INT(WORDS)), INT(tile * TILE))
        return self.builder.bitcast(self._words(self._state, place), (kind or self._ints).as_pointer())

    def _words(self, address: ir.Value, offset: ir.Value) -> ir.Value:
        place = self.builder.gep(address, [offset], source_etype=_WORD)
        return self.builder.bitcast(place, self._ints.as_pointer())

    def _bytes(self, address: ir.Value) -> ir.Value:
        return self.builder.bitcast(address, _BYTE.as_pointer())


def _write_configure(simd: Vectors, values: Sequence[ir.Value]) -> None:
    Tiles(simd, values[0]).configure()


def _write_release(simd: Vectors, values: Sequence[ir.Value]) -> None:
    Tiles(simd, values[0]).release()


def _nothing_in_python(state):
    """Without the JIT there are no registers."""


@intrinsic
def _state_size(typing, state):
    size = REGISTERS * TILE if isinstance(state.dtype, types.Float) else 0
    return types.int64(state), lambda context, builder, signature, values: INT(size)


@intrinsic
def _own_state(typing, words):
    """Signed words belong to registers, unsigned ones to emulated tiles, which live as long as the kernel's frame."""
    is_emulated = not words.dtype.signed

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        if is_emulated:
            place = cgutils.alloca_once(builder, ir.ArrayType(ir.FloatType(), REGISTERS * TILE))
            return builder.bitcast(place, ir.FloatType().as_pointer())
        content = bytearray(configuration().tobytes())
        place = cgutils.global_constant(builder, "tiles", ir.Constant(ir.ArrayType(_BYTE, len(content)), content))
        return builder.bitcast(place, _BYTE.as_pointer())

    return types.CPointer(types.float32 if is_emulated else types.uint8)(words), generate


# `own_state(words)` is a state that a kernel makes by itself, of the kind that the type of its words says.
own_state: Any = (lambda words: np.zeros(0, np.float32)) if config.DISABLE_JIT else _own_state
# `state_size(state)` is how far the states of tasks lie from each other: registers have one for all.
state_size: Any = (lambda state: 0) if config.DISABLE_JIT else _state_size
# `configure(state)` and `release(state)` enclose what a thread does with tiles.
configure: Any = vector_code(_write_configure, _nothing_in_python)
release: Any = vector_code(_write_release, _nothing_in_python)


# ------------------------------------------------------------------------------------------------------ speed


def multiply_adds(count: int) -> int:
    """The multiply-adds of so many steps of `multiply_add_tiles`."""
    return 4 * count * 2 * TILE * WORDS


def _write_products(simd: Vectors, values: Sequence[ir.Value]) -> None:
    state, count = values
    tiles = Tiles(simd, state)
    tiles.configure()
    for tile in range(REGISTERS):
        tiles.zero(tile)
    loop = Loop(simd.builder, count, [])
    for tile in range(4):
        tiles.multiply_add(tile, 4 + tile // 2, 6 + tile % 2)
    loop.close([])
    tiles.release()


_products: Any = vector_code(_write_products, lambda state, count: None)


@kernel
def multiply_add_tiles(state, count):
    """`count` times the four products of a block of four tiles, which are zeros."""
    _products(at(state, 0), count)
