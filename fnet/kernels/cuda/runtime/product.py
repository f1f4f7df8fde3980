"""A stack of products of matrices for a library of NVIDIA's, in the place of a launch of a kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

import numpy as np

from fnet.errors import StructureError


class Operand(NamedTuple):
    """How a stack of matrices lies in memory, in elements.

    by_columns: whether the elements of a column follow one another, not those of a row; leading: from one row, or
    column, to the next; step: from one matrix to the next, 0 where there is one for all.
    """

    by_columns: bool
    leading: int
    step: int


@dataclass(frozen=True, slots=True)
class Product:
    """``C[i] = A[i] B[i] + bias`` for matrices (m, k) and (k, n); C is row-major without gaps.

    Its arguments are A, B, C, the bias of n elements, and scratch memory; where `has_bias` is False, any array stands
    in the place of the bias. level: that of `fnet.precision`; workspace: the bytes of the scratch memory.
    """

    m: int
    k: int
    n: int
    count: int
    left: Operand
    right: Operand
    dtype: np.dtype
    level: str
    has_bias: bool
    workspace: int

    def __hash__(self) -> int:
        """Of what tells most products apart: a launch begins with it."""
        return hash((self.m, self.k, self.n, self.left, self.right))

    @property
    def __name__(self) -> str:
        return "product"

    def __str__(self) -> str:
        """What is multiplied, for errors."""
        stack = f"{self.count} x " if self.count > 1 else ""
        bias = f" + [{self.n}]" if self.has_bias else ""
        return f"{stack}{self.dtype}[{self.m}, {self.k}] @ [{self.k}, {self.n}]{bias}"

    def __call__(self, *args: Any) -> NoReturn:
        raise StructureError("a product is computed by a library of the card's, which only its driver can call.")
