"""How exactly matrix products and convolutions of float32 are computed: a setting and a context manager.

| level | products of float32 | relative error of one product |
|---|---|---|
| ``"highest"`` | float32 | 6e-8 |
| ``"high"`` | float32, or three products of numbers split in two bfloat16 each, where tiles make that faster | 5e-6 |
| ``"medium"`` | float32, or operands rounded to bfloat16 and sums in float32, where that is faster | 8e-3 |

At "high" a single product of split numbers can be off by up to 5e-5; 5e-6 is what it comes to in the norm of a product
of matrices, 1e-5 in that of recurrent layers and attention, where products follow each other.

On a card both levels take tensor cores, with the same arithmetic: three products of split numbers, or one of rounded
ones, with sums in float32. Numbers of a split product that come out infinite or NaN are computed in float32; not those
of attention, where an infinite query, key or value gives NaN at "high".

It holds for matrix products, convolutions, the products of recurrent layers and those of attention; gates, states and
softmax stay in float32. Results of recurrent layers and attention, and their gradients, keep the bounds relative to
their norms.

A level is a permission, never a duty: where the faster arithmetic is missing or does not pay, a product is computed in
float32. float64 is always computed in float64. The level belongs to the key under which `fnet.jit` keeps compiled code.
"""

from __future__ import annotations

from types import TracebackType

from fnet.context import LEVELS, Context, Level, in_force, put_in_force
from fnet.errors import ValueRangeError, did_you_mean


def current_precision() -> Level:
    """The level in force in this thread, or in this task of asyncio."""
    return in_force().precision


class precision:  # noqa: N801  (used like a function)
    """Set the precision level from now on; in a ``with`` statement, until the end of its block.

    Every thread, and every task of asyncio, has its own level: a new thread begins at "highest", a new task at that of
    the task that made it. Raises `ValueRangeError` for an unknown level.

    >>> import fnet
    >>> with fnet.precision("medium"):
    ...     print(fnet.current_precision())
    medium
    >>> fnet.current_precision()
    'highest'
    """

    def __init__(self, level: Level) -> None:
        if level not in LEVELS:
            raise ValueRangeError(f"precision {level!r} is unknown.{did_you_mean(level, LEVELS)}")
        self.level = LEVELS[LEVELS.index(level)]
        self._entered: list[tuple[Context, Context]] = []  # what is in force inside, and what was outside
        self._fresh = True
        self._begin()

    def _begin(self) -> None:
        outside = in_force()
        inside = outside.under(self.level)
        self._entered.append((inside, outside))
        put_in_force(inside)

    def __enter__(self) -> precision:
        if not self._fresh:
            self._begin()
        self._fresh = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        (inside, outside), now = self._entered.pop(), in_force()
        put_in_force(outside if now is inside else now.under(outside.precision))

    def __repr__(self) -> str:
        return f"precision({self.level!r})"
