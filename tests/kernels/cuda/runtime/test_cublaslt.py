"""NVIDIA's library of products: where it is found, what it is told, which algorithm is kept, errors.

A stand-in on memory of the host computes what the header says of the descriptions that it gets. The library itself
makes descriptions without a card, where it is installed.
"""

from __future__ import annotations

import ctypes
import gc
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fnet.errors import DeviceError, StructureError
from fnet.kernels.cuda.runtime import algorithms, cublaslt
from fnet.kernels.cuda.runtime.product import Operand
from tests.devices.cuda.products import multiply
from tests.devices.cuda.unloaded import aligned
from tests.kernels.cuda.runtime.stand_in import (
    CHECK,
    CREATE,
    HEURISTIC,
    MATMUL,
    StandIn,
    arguments,
    built,
    needs_compiler,
    product,
)

F8 = np.dtype(np.float64)


class Host:
    """Memory of the host as that of a card."""

    def allocate(self, nbytes: int) -> int:
        self.held = aligned((nbytes,), np.uint8)
        return self.held.ctypes.data

    def copy_in(self, address: int, host: np.ndarray, stream: int) -> None:
        ctypes.memmove(address, host.ctypes.data, host.nbytes)

    def copy_out(self, host: np.ndarray, address: int, stream: int) -> None:
        ctypes.memmove(host.ctypes.data, address, host.nbytes)

    def synchronize(self, stream: int) -> None:
        pass

    def free(self, address: int) -> None:
        del self.held


CARD = Host()


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Where the library is looked for."""
    places: list[str] = []
    monkeypatch.setattr(cublaslt, "_candidates", lambda: places)
    monkeypatch.delenv(cublaslt.VARIABLE, raising=False)
    cublaslt._loaded.cache_clear()
    yield places
    cublaslt._loaded.cache_clear()


def said() -> str:
    cublaslt._loaded.cache_clear()
    return cublaslt.said()


def test_why_it_is_not_in_use(searched: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert said() == "not in use: not found: pip install nvidia-cublas"
    searched += [str(tmp_path / "libcublasLt.so.13"), "libc.so.6"]
    assert said().startswith("not in use: libc.so.6 is not cuBLASLt 12 or later: ")
    monkeypatch.setenv(cublaslt.VARIABLE, "0")
    assert said() == "not in use: off by FNET_CUBLASLT in the environment"
    assert algorithms.started(CARD) is None


@needs_compiler
def test_which_one_is_in_use(searched: list[str]):
    searched.append(built(110503))
    old = f"{built(110503)} is of version 11.5.3; 12 or later is needed"
    assert said() == f"not in use: {old}"
    searched += [built(120804), built()]
    assert said() == f"12.8.4 of {built(120804)}"


@needs_compiler
def test_one_that_does_not_start_leaves_its_place_to_the_next(searched: list[str]):
    searched += [built(), built(120804)]
    new, old = cublaslt.Library(built()), cublaslt.Library(built(120804))
    failing = [(ctypes.c_int * 4).in_dll(each._functions, "failing") for each in (new, old)]
    failing[0][CREATE] = 1  # as if the driver were older than it
    assert cublaslt.said() == f"13.1.0 of {built()}"
    assert algorithms.started(CARD) is not None and cublaslt.said() == f"12.8.4 of {built(120804)}"
    cublaslt._loaded.cache_clear()
    failing[1][CREATE] = 1
    assert algorithms.started(CARD) is None
    refused = (f"starting {each.version} of {each.path}: cuBLASLt says not initialized." for each in (new, old))
    assert cublaslt.said() == f"not in use: {'; '.join(refused)}"
    failing[0][CREATE] = failing[1][CREATE] = 0


def test_where_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for folder in ("nvidia/cu13/lib", "nvidia/cublas/lib", "nvidia/cudnn/lib", "conda/lib", "toolkit/lib64"):
        (tmp_path / folder).mkdir(parents=True)
    files = [
        tmp_path / "nvidia/cu13/lib/libcublasLt.so.13",
        tmp_path / "nvidia/cublas/lib/libcublasLt.so.12",
        tmp_path / "conda/lib/libcublasLt.so.12",
        tmp_path / "toolkit/lib64/libcublasLt.so.13",
    ]
    for file in files:
        file.touch()
    package = SimpleNamespace(submodule_search_locations=[str(tmp_path / "nvidia")])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: package)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path / "conda"))
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "toolkit"))
    monkeypatch.delenv("CUDA_PATH", raising=False)
    found = list(cublaslt._candidates())
    assert found[:2] == ["libcublasLt.so.13", "libcublasLt.so.12"]
    assert [path for path in found if str(tmp_path) in path] == list(map(str, files))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert str(files[0]) not in cublaslt._candidates()


def numbers(*shape: int, dtype: Any = np.float32, seed: int = 0) -> np.ndarray:
    made = aligned(shape, dtype)
    made[...] = np.random.default_rng(seed).normal(size=shape)
    return made


CASES = {
    "rows": product((3, 5, 7), Operand(False, 5, 0), Operand(False, 7, 0)),
    "left by columns": product((3, 5, 7), Operand(True, 3, 0), Operand(False, 7, 0)),
    "right by columns": product((3, 5, 7), Operand(False, 5, 0), Operand(True, 5, 0)),
    "both by columns": product((3, 5, 7), Operand(True, 3, 0), Operand(True, 5, 0), has_bias=True),
    "gaps": product((3, 5, 7), Operand(False, 9, 0), Operand(True, 8, 0), has_bias=True),
    "one row, one column": product((1, 6, 1), Operand(False, 6, 0), Operand(False, 1, 0)),
    "a stack": product((3, 5, 4), Operand(False, 5, 20), Operand(True, 5, 20), count=3),
    "one matrix for all": product((3, 5, 4), Operand(False, 5, 0), Operand(False, 4, 20), count=3, has_bias=True),
    "float64": product((3, 5, 7), Operand(True, 4, 0), Operand(False, 7, 0), dtype=F8, has_bias=True),
    "bfloat16": product((3, 5, 7), Operand(False, 5, 0), Operand(False, 7, 0), level="medium", has_bias=True),
}


@needs_compiler
@pytest.mark.parametrize("case", CASES)
def test_what_the_library_is_told(case: str):
    of = CASES[case]
    a, b = (
        numbers(_extent(operand, of.count, *sizes), dtype=of.dtype, seed=seed)
        for seed, (operand, sizes) in enumerate(((of.left, (of.m, of.k)), (of.right, (of.k, of.n))))
    )
    c, bias = numbers(of.count * of.m * of.n, dtype=of.dtype), numbers(of.n, dtype=of.dtype, seed=2)
    given = (bias if of.has_bias else c, aligned((of.workspace,), np.uint8))
    stand_in, expected = StandIn(), c.copy()
    stand_in.algorithms().run(of, arguments((a, b, c, *given)), 7)
    multiply(of, a, b, expected, bias if of.has_bias else expected, given[1])
    np.testing.assert_allclose(c, expected, rtol=1e-13 if of.dtype == F8 else 1e-5, atol=1e-6)
    assert stand_in.number("last_stream", ctypes.c_int64) == 7
    assert stand_in.number("last_reductions", ctypes.c_uint32) == 2  # parts of k in a step of their own
    assert stand_in.number("last_workspace", ctypes.c_uint64) == of.workspace


def _extent(operand: Operand, count: int, rows: int, columns: int) -> int:
    lines, length = (columns, rows) if operand.by_columns else (rows, columns)
    return (count - 1) * operand.step + (lines - 1) * operand.leading + length


def square(begin: int, **options: Any) -> tuple[Any, list[np.ndarray]]:
    """A product of matrices (4, 4), and arrays for it, the first of which begins so many elements late."""
    of = product((4, 4, 4), Operand(False, 4, 0), Operand(False, 4, 0), **options)
    bias = numbers(4) if of.has_bias else numbers(16)
    return of, [numbers(begin + 16)[begin:], numbers(16, seed=1), numbers(16), bias, aligned((1024,), np.uint8)]


@needs_compiler
def test_an_algorithm_is_chosen_once_for_where_operands_begin():
    stand_in = StandIn()
    computing = stand_in.algorithms()
    of, arrays = square(0)
    computing.prepare(of, arguments(arrays))
    asked = list(stand_in.called)
    assert (asked[HEURISTIC], asked[CHECK], asked[MATMUL]) == (1, 0, 0)
    for _ in range(3):
        computing.run(of, arguments(arrays), 0)
    assert stand_in.called[HEURISTIC] == 1 and stand_in.called[MATMUL] == 3
    for late, calls in ((64, 1), (1, 2), (2, 2), (3, 2), (4, 3), (12, 3)):
        arrays = square(late)[1]
        computing.run(of, arguments(arrays), 0)
        assert stand_in.called[HEURISTIC] == calls


@needs_compiler
def test_a_bias_is_added_by_the_algorithm_of_the_product_without():
    stand_in = StandIn()
    computing = stand_in.algorithms()
    of, arrays = square(0, has_bias=True)
    for shift in (0, 2):
        arrays[3] += np.float32(shift)
        computing.run(of, arguments(arrays), 0)
        np.testing.assert_allclose(arrays[2], (_matrix(arrays[0]) @ _matrix(arrays[1]) + arrays[3]).ravel(), rtol=1e-4)
    assert (stand_in.called[HEURISTIC], stand_in.called[CHECK]) == (1, 1)
    for status, workspace in ((15, 1024 + 1), (0, 256)):  # it cannot, or takes more memory than there is
        of, arrays = square(0, has_bias=True, workspace=workspace)
        stand_in.failing[CHECK] = status
        before = stand_in.called[HEURISTIC]
        computing.prepare(of, arguments(arrays))
        assert stand_in.called[HEURISTIC] == before + 2


@needs_compiler
def test_matrices_with_gaps_have_the_algorithm_of_those_without():
    for leading, checks in ((8, 1), (6, 0), (4, 0)):  # lines that begin at no multiple of 16 bytes are another thing
        for operands in ((leading, 4), (4, leading)):
            stand_in = StandIn()
            of = product((4, 4, 4), *(Operand(False, each, 0) for each in operands))
            assert stand_in.algorithms().supports(of)
            assert (stand_in.called[HEURISTIC], stand_in.called[CHECK]) == (1, checks)


def _matrix(flat: np.ndarray) -> np.ndarray:
    return flat.reshape(4, 4)


@needs_compiler
def test_what_medium_cannot_compute_is_float32():
    computing = StandIn().algorithms()
    for late, digits in ((0, 2e-2), (1, 1e-6)):
        of, arrays = square(late, level="medium")
        computing.run(of, arguments(arrays), 0)
        error = np.abs(_matrix(arrays[2]) - _matrix(arrays[0]) @ _matrix(arrays[1])).max()
        assert digits / 100 < error < digits if late == 0 else error < digits
    assert computing.supports(of)


@needs_compiler
def test_what_it_cannot_compute(monkeypatch: pytest.MonkeyPatch):
    stand_in = StandIn()
    computing = stand_in.algorithms()
    of, arrays = square(0)
    for status in (15, 7):
        stand_in.failing[HEURISTIC] = status
        assert not stand_in.algorithms().supports(of)
    with pytest.raises(DeviceError, match=r"^float32.* @ \[4, 4\]: cuBLASLt has no algorithm. Set FNET_CUBLASLT=0"):
        computing.run(of, arguments(arrays), 0)
    stand_in.failing[HEURISTIC] = 14
    with pytest.raises(DeviceError, match=r"internal error.\nThe card takes no more work from this process: start it"):
        stand_in.algorithms().supports(of)


@needs_compiler
@pytest.mark.parametrize(
    ("status", "words"),
    [
        (3, "no room for what it allocates.\nFNET_CUBLASLT=0 in the environment keeps to fnet's own kernels."),
        (8, "the card is of another kind than what it has code for.\nFNET_CUBLASLT=0"),
        (13, "execution failed.\nThe card takes no more work from this process: start it again."),
        (99, "status 99.\nFNET_CUBLASLT=0"),
    ],
)
def test_errors_say_what_was_multiplied(status: int, words: str):
    stand_in = StandIn()
    of, arrays = square(0, has_bias=True)
    stand_in.failing[MATMUL] = status
    with pytest.raises(DeviceError) as caught:
        stand_in.algorithms().run(of, arguments(arrays), 0)
    assert str(caught.value).startswith(f"float32[4, 4] @ [4, 4] + [4]: cuBLASLt says {words}")
    stack = product((2, 3, 4), Operand(False, 3, 6), Operand(True, 3, 12), count=5, dtype=F8)
    assert str(stack) == "5 x float64[2, 3] @ [3, 4]"
    with pytest.raises(StructureError, match="computed by a library of the card's, which only its driver can call"):
        stack(1)


@needs_compiler
def test_descriptions_end_with_what_they_are_for(monkeypatch: pytest.MonkeyPatch):
    gc.collect()  # what other tests have left
    stand_in = StandIn()
    before = stand_in.number("alive")
    computing = stand_in.algorithms()
    assert all(computing.supports(square(0, workspace=1024 + k)[0]) for k in range(3))
    assert stand_in.number("alive") == before + 3 * 4
    monkeypatch.setattr(algorithms, "MOST", 3)
    assert computing.supports(square(0, workspace=4096)[0])  # one too many
    assert stand_in.number("alive") == before + 4
    del computing
    assert stand_in.number("alive") == before


FOUND, WHERE = cublaslt.library()


@pytest.mark.skipif(FOUND is None, reason=f"cuBLASLt: {WHERE}")
def test_the_library_takes_our_descriptions():
    of = product((3, 5, 7), Operand(False, 9, 45), Operand(True, 8, 56), count=4, dtype=F8, has_bias=True)
    assert FOUND is not None and FOUND.number >= 120000
    described = algorithms._Described(FOUND, of)
    described._describe(cublaslt.DESC_EPILOGUE, ctypes.c_uint32(cublaslt.EPILOGUE_BIAS))
    described._add_bias(4096)
    given = "cublasLtMatmulDescGetAttribute", described._description
    expected = [(0, 4, 70), (1, 4, 1), (2, 4, 0), (3, 4, 1), (4, 4, 0), (5, 4, 0), (7, 4, 4), (8, 8, 4096)]
    assert [(k, size, asked(*given, k, size)) for k, size, _ in expected] == expected
    # kind, order, rows, columns, from column to column, matrices, from one to the next
    right, left, result = (
        [asked("cublasLtMatrixLayoutGetAttribute", layout, k, size) for k, size in enumerate((4, 4, 8, 8, 8, 4, 8))]
        for layout in described._layouts
    )
    assert (right, left, result) == ([1, 0, 5, 7, 8, 4, 56], [1, 0, 5, 3, 9, 4, 45], [1, 0, 7, 3, 7, 4, 21])


@pytest.mark.skipif(FOUND is None, reason=f"cuBLASLt: {WHERE}")
def test_the_library_takes_our_preferences():
    assert FOUND is not None
    made, attributes = FOUND.made("a preference", "cublasLtMatmulPreferenceCreate"), [(1, ctypes.c_uint64(1 << 25))]
    attributes += [(cublaslt.PREFERENCE_REDUCTIONS, ctypes.c_uint32(cublaslt.REDUCTION_COMPUTE_TYPE))]
    attributes += [(k, ctypes.c_uint32(16 * k)) for k in cublaslt.PREFERENCE_ALIGNMENTS]
    for attribute, number in attributes:
        FOUND.set("cublasLtMatmulPreferenceSetAttribute", made, attribute, number)
        name = "cublasLtMatmulPreferenceGetAttribute"
        assert asked(name, made, attribute, ctypes.sizeof(number)) == number.value
    with pytest.raises(DeviceError, match="describing a product: cuBLASLt says invalid value"):
        FOUND.set("cublasLtMatmulPreferenceSetAttribute", made, 1, ctypes.c_uint32(1))
    FOUND.call("ending it", "cublasLtMatmulPreferenceDestroy", made)


def asked(name: str, made: int, attribute: int, size: int) -> int:
    """An attribute of what was made, as a number."""
    assert FOUND is not None
    value, written = ctypes.c_uint64(), ctypes.c_size_t()
    given = ctypes.c_void_p(made), attribute, ctypes.byref(value), ctypes.c_size_t(size), ctypes.byref(written)
    FOUND.call(name, name, *given)
    assert written.value == size
    return value.value
