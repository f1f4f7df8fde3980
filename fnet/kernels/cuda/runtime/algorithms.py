"""Products of matrices by cuBLASLt on one card: how each is described, and the algorithms that are kept for it.

The library's matrices are column-major. A row-major C is the column-major ``C' = B' A'``: B is the first operand, and
a row-major matrix is one that is not transposed.

Every run gives the same bits. An algorithm may sum parts of k in a step of their own, in their order, and must not add
them to C as they come. A product with a bias, or of matrices with gaps, has the algorithm of the plain one of its
sizes where that can compute it, so that it has the same bits with and without `fnet.jit`.
"""

from __future__ import annotations

import ctypes
import math
import threading
import weakref
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fnet.errors import DeviceError
from fnet.kernels.cuda.runtime import cublaslt
from fnet.kernels.cuda.runtime.cublaslt import Algorithm, Found, Library
from fnet.kernels.cuda.runtime.product import Operand, Product

MOST = 2048  # products whose descriptions are kept
ASKED = 8  # algorithms
_SINGLE, _DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
_NUMBERS = {_SINGLE: ctypes.c_float, _DOUBLE: ctypes.c_double}
_KINDS = {_SINGLE: cublaslt.R_32F, _DOUBLE: cublaslt.R_64F}
_COMPUTED = {
    (_SINGLE, "highest"): cublaslt.COMPUTE_32F,
    (_SINGLE, "medium"): cublaslt.COMPUTE_32F_FAST_16BF,
    (_DOUBLE, "highest"): cublaslt.COMPUTE_64F,
}
_FACTORS = {kind: tuple(map(ctypes.byref, map(number, (1, 0)))) for kind, number in _NUMBERS.items()}  # of A B, of C

Alignments = tuple[int, int, int, int]
"""At multiples of how many bytes A, B, C and the bias begin."""


def started(card: Any) -> Algorithms | None:
    """What computes products on a card, whose context is entered; None where no library does.

    A library is in use once it has computed a first product rightly. card: see `fnet.devices.cuda.driver.Driver`.
    """
    while (library := cublaslt.library()[0]) is not None:
        handle = library.start()
        algorithms = Algorithms(library, handle) if handle else None
        if algorithms is not None and not (why := _why_wrong(algorithms, card)):
            return algorithms
        library.refused = library.refused or f"{library.version} of {library.path}: {why}"
    return None


def _why_wrong(algorithms: Algorithms, card: Any) -> str:
    """What is wrong with a first product, of small integers, which is exact; empty where nothing is."""
    n, scratch = 32, 1 << 16
    product = Product(n, n, n, 1, Operand(False, n, 0), Operand(True, n, 0), _SINGLE, "highest", True, scratch)
    numbers = (np.arange(4 * n * n) % 7).astype(np.float32).reshape(4, n, n)  # A, B, C, and the bias in front
    a, b, c, bias = numbers
    expected, nbytes = a @ b.T + bias[0], a.nbytes
    if not (address := card.allocate(numbers.nbytes + scratch)):
        return "no room for a first product"
    places = [address + k * nbytes for k in range(5)]
    try:
        if not algorithms.supports(product):
            return "no algorithm for a first product"
        card.copy_in(address, numbers, 0)
        algorithms.run(product, [(place, n * n, _SINGLE) for place in places], 0)
        card.copy_out(c, places[2], 0)
        card.synchronize(0)
    except DeviceError as error:
        return str(error).partition("\n")[0]
    finally:
        card.free(address)
    return "" if np.array_equal(c, expected) else "a first product came out wrong"


class Algorithms:
    """Computes products by a library with a handle for one card, whose context is entered by those who call."""

    def __init__(self, library: Library, handle: int) -> None:
        self._library, self._handle = library, handle
        self._known: dict[Product, _Described] = {}

    def supports(self, product: Product) -> bool:
        """Whether there is an algorithm, wherever the operands begin."""
        return self._found(product, (product.dtype.itemsize,) * 4) is not None

    def prepare(self, product: Product, arguments: Sequence[Any]) -> None:
        """Choose the algorithm for operands that begin where these do: that cannot be done while work is recorded."""
        self._found(product, _alignments(product, arguments))

    def run(self, product: Product, arguments: Sequence[Any], stream: int) -> None:
        """Begin a product in a stream. arguments: those of a `Product`, as a driver takes them."""
        found = self._found(product, _alignments(product, arguments))
        if found is None:
            raise DeviceError(f"{product}: cuBLASLt has no algorithm. Set {cublaslt.VARIABLE}=0 in the environment.")
        described, algorithm = found
        described.run(self._handle, algorithm, [address for address, _, _ in arguments], stream)

    def _found(self, product: Product, alignments: Alignments) -> tuple[_Described, Algorithm] | None:
        """An algorithm, and what it is for: a level is a permission, so float32 is what there is beside "medium"."""
        described = self._described(product)
        if alignments not in described.algorithms:
            plain = _plain(product)
            usual = None if plain == product else self._found(plain, alignments)
            described.choose(self._handle, alignments, usual and usual[1])
        algorithm = described.algorithms[alignments]
        if algorithm is not None:
            return described, algorithm
        return None if product.level == "highest" else self._found(replace(product, level="highest"), alignments)

    def _described(self, product: Product) -> _Described:
        described = self._known.get(product)
        if described is None:
            if len(self._known) >= MOST:
                self._known.clear()
            described = self._known[product] = _Described(self._library, product)
        return described


class _Described:
    """A product in the words of the library.

    algorithms: those that were chosen for operands that begin there, None where there is none.
    """

    def __init__(self, library: Library, product: Product) -> None:
        self._library, self._product = library, product
        self._lock = threading.Lock()  # the address of the bias is a part of the description
        self.algorithms: dict[Alignments, Algorithm | None] = {}
        m, k, n, kind = product.m, product.k, product.n, _KINDS[product.dtype]
        self._description = self._made("cublasLtMatmulDesc", _COMPUTED[product.dtype, product.level], kind)
        for attribute, operand in (
            (cublaslt.DESC_TRANSPOSED_A, product.right),
            (cublaslt.DESC_TRANSPOSED_B, product.left),
        ):
            self._describe(attribute, ctypes.c_int32(cublaslt.OP_T if operand.by_columns else cublaslt.OP_N))
        epilogue = cublaslt.EPILOGUE_BIAS if product.has_bias else cublaslt.EPILOGUE_DEFAULT
        self._describe(cublaslt.DESC_EPILOGUE, ctypes.c_uint32(epilogue))
        layouts = self._layout(k, n, product.right), self._layout(m, k, product.left)
        self._layouts = (*layouts, self._layout(m, n, Operand(False, n, m * n)))

    def choose(self, handle: int, alignments: Alignments, usual: Algorithm | None) -> None:
        """Choose the algorithm for operands that begin there: the usual one where it can be."""
        with self._lock:
            if self._product.has_bias:
                self._add_bias(alignments[3])  # which is not an address, and is only looked at for its alignment
            takes_usual = usual is not None and self._suits(handle, usual)
            self.algorithms[alignments] = usual if takes_usual else self._asked(handle, alignments)

    def run(self, handle: int, algorithm: Algorithm, addresses: Sequence[int], stream: int) -> None:
        """Begin it. addresses: of A, B, C, the bias and the scratch memory."""
        a, b, c, bias, scratch = addresses
        right, left, result = self._layouts
        one, zero = _FACTORS[self._product.dtype]
        with self._lock:
            if self._product.has_bias:
                self._add_bias(bias)
            self._library.call(
                self._product, "cublasLtMatmul", handle, self._description, one, b, right, a, left, zero,
                c, result, c, result, ctypes.byref(algorithm), scratch, self._product.workspace, stream,
            )  # fmt: skip

    def _asked(self, handle: int, alignments: Alignments) -> Algorithm | None:
        """The library's first choice."""
        library, (a, b, c, _) = self._library, alignments
        preference = library.made(self._product, "cublasLtMatmulPreferenceCreate")
        numbers: list[tuple[int, Any]] = [
            (cublaslt.PREFERENCE_WORKSPACE, ctypes.c_uint64(self._product.workspace)),
            (cublaslt.PREFERENCE_REDUCTIONS, ctypes.c_uint32(cublaslt.REDUCTION_COMPUTE_TYPE)),
            *zip(cublaslt.PREFERENCE_ALIGNMENTS, map(ctypes.c_uint32, (b, a, c, c)), strict=True),
        ]
        found, count = (Found * ASKED)(), ctypes.c_int()
        try:
            for attribute, number in numbers:
                library.set("cublasLtMatmulPreferenceSetAttribute", preference, attribute, number)
            status = library.status(
                "cublasLtMatmulAlgoGetHeuristic", handle, self._description, *self._layouts, self._layouts[2],
                preference, ASKED, found, ctypes.byref(count),
            )  # fmt: skip
        finally:
            library.status("cublasLtMatmulPreferenceDestroy", preference)
        if status not in (cublaslt.SUCCESS, *cublaslt.UNKNOWN):
            library.check(self._product, status)
        fitting = (one for one in found[: count.value] if one.state == cublaslt.SUCCESS)
        return next((one.algorithm for one in fitting), None)

    def _suits(self, handle: int, algorithm: Algorithm) -> bool:
        """Whether an algorithm computes what is described."""
        found = Found()
        status = self._library.status(
            "cublasLtMatmulAlgoCheck", handle, self._description, *self._layouts, self._layouts[2],
            ctypes.byref(algorithm), ctypes.byref(found),
        )  # fmt: skip
        return status == cublaslt.SUCCESS and found.workspace <= self._product.workspace

    def _add_bias(self, address: int) -> None:
        self._describe(cublaslt.DESC_BIAS, ctypes.c_void_p(address))

    def _describe(self, attribute: int, value: Any) -> None:
        self._library.set("cublasLtMatmulDescSetAttribute", self._description, attribute, value)

    def _layout(self, rows: int, columns: int, operand: Operand) -> int:
        """The description of a stack of matrices."""
        sizes = (rows, columns) if operand.by_columns else (columns, rows)
        layout = self._made("cublasLtMatrixLayout", _KINDS[self._product.dtype], *sizes, operand.leading)
        if self._product.count > 1:
            for attribute, number in (
                (cublaslt.LAYOUT_COUNT, ctypes.c_int32(self._product.count)),
                (cublaslt.LAYOUT_STEP, ctypes.c_int64(operand.step)),
            ):
                self._library.set("cublasLtMatrixLayoutSetAttribute", layout, attribute, number)
        return layout

    def _made(self, kind: str, *args: int) -> int:
        """A description, which ends with this object."""
        made = self._library.made(self._product, f"{kind}Create", *args)
        weakref.finalize(self, self._library.status, f"{kind}Destroy", made).atexit = False
        return made


def _alignments(product: Product, arguments: Sequence[Any]) -> Alignments:
    item = product.dtype.itemsize
    a, b, c, bias = [256 if at % 256 == 0 else 16 if at % 16 == 0 else item for at, _, _ in arguments[:4]]
    return a, b, c, bias


def _plain(product: Product) -> Product:
    """The product of these sizes without a bias, of matrices without gaps where lines begin as well aligned."""
    left = _without_gaps(product.left, product.m, product.k)
    return replace(product, left=left, right=_without_gaps(product.right, product.k, product.n), has_bias=False)


def _without_gaps(operand: Operand, rows: int, columns: int) -> Operand:
    length = rows if operand.by_columns else columns
    plain = Operand(operand.by_columns, length, rows * columns if operand.step else 0)
    pairs = ((operand.leading, plain.leading), (operand.step, plain.step))
    return plain if all(math.gcd(one, 4) >= math.gcd(other, 4) for one, other in pairs) else operand
