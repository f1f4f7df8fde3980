"""What is in force where a function runs, beside its arguments: all hidden values of fnet.

| value | what it is | set by | read by |
|---|---|---|---|
| `precision` | the level of products of float32 | `fnet.precision` | `fnet.ops`, for products; `fnet.jit` |
| `position` | the place of the layer that runs; frozen, shared layers | `Layer`, containers | layers, containers |
| `watcher` | what is told of every call of a layer | `networks.watching.watching` | containers |
| `penalties` | the list that takes the penalties of outputs | `reported_penalties` | `regularizers.report` |
| `counted_samples` | which samples of a batch count | `TimeDistributed` | `BatchNormalization`, `TimeDistributed` |
| `rates_in_state` | new states of optimizers hold the learning rates | `optimizers.rates` | optimizers, for `init` |
| `running` | where layers of `fnet.keras` have their values in a call | `keras.running` | such layers |

A value holds until the end of a ``with`` statement, in one thread or one task of asyncio: a new thread begins with
those of `Context`, a new task with those of the task that made it. Settings of the whole process are not in it:
`fnet.set_num_threads`, `fnet.set_program_limit`, and the variables of the environment that the README lists.

The precision holds for all functions, the other values for a network or an optimizer at work. A program that
`fnet.jit` keeps would not see them. Where one of them is in force, a jitted function that reads hidden values is
therefore a part of its caller, as within a trace. A trace runs in an `Observed` context, which tells whether the
function reads any.
"""

from __future__ import annotations

from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from fnet.networks.position import Position
    from fnet.networks.watching import Watcher

Level = Literal["highest", "high", "medium"]
LEVELS: tuple[Level, ...] = ("highest", "high", "medium")


class Context:
    """All hidden values at one point of a program; never changed, see `replaced`.

    jit_level: the precision for which functions that read hidden values are compiled, always one of the objects in
    `LEVELS`; None where they are parts of their caller.
    """

    __slots__ = (
        "counted_samples", "jit_level", "penalties", "position", "precision", "rates_in_state", "running", "watcher",
    )  # fmt: skip

    def __init__(
        self,
        precision: Level = LEVELS[0],
        position: Position | None = None,
        watcher: Watcher | None = None,
        penalties: list[Any] | None = None,
        counted_samples: Any = None,
        rates_in_state: bool = False,
        running: Any = None,
    ) -> None:
        self.precision, self.position, self.watcher = precision, position, watcher
        self.penalties, self.counted_samples, self.rates_in_state = penalties, counted_samples, rates_in_state
        self.running = running
        is_alone = watcher is None and penalties is None and counted_samples is None and not rates_in_state
        is_alone = is_alone and running is None
        is_plain = is_alone and (position is None or position.is_plain)
        self.jit_level: Level | None = precision if is_plain else None

    def at(self, position: Position) -> Context:
        """The context of the layer there: what `replaced` gives, faster."""
        return Context(
            self.precision, position, self.watcher, self.penalties, self.counted_samples, self.rates_in_state,
            self.running,
        )  # fmt: skip

    def under(self, precision: Level) -> Context:
        """The context with this precision: what `replaced` gives, faster."""
        if self.position is None and self.jit_level is not None:
            return _OF_LEVELS[precision]
        return Context(
            precision, self.position, self.watcher, self.penalties, self.counted_samples, self.rates_in_state,
            self.running,
        )  # fmt: skip

    def replaced(self, **values: Any) -> Context:
        """The context with these values in place of its own."""
        return Context(**{name: getattr(self, name) for name in VALUES} | values)


class Observed(Context):
    """A context that notes in `is_read` whether anything in it but the precision is read."""

    __slots__ = ("is_read",)

    def __init__(self, precision: Level, position: Position | None) -> None:
        super().__init__(precision, position)
        self.is_read = False

    def __getattribute__(self, name: str) -> Any:
        if name in _READ:
            self.is_read = True
        return super().__getattribute__(name)


VALUES = ("precision", "position", "watcher", "penalties", "counted_samples", "rates_in_state", "running")

_READ = {*VALUES[1:], "jit_level"}
_OF_LEVELS = {level: Context(level) for level in LEVELS}  # outside of all layers
_CONTEXT: ContextVar[Context] = ContextVar("context", default=_OF_LEVELS[LEVELS[0]])

in_force = _CONTEXT.get
"""The context in force."""
put_in_force = _CONTEXT.set


class within:  # noqa: N801  (used as a function; a generator would cost more than all else around a call)
    """A context for a ``with`` statement; what it changes has the value of before afterwards."""

    __slots__ = ("inside", "outside")

    def __init__(self, context: Context) -> None:
        self.inside = context

    def __enter__(self) -> None:
        self.outside = in_force()
        put_in_force(self.inside)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        inside, outside, now = self.inside, self.outside, in_force()
        if now is inside:
            put_in_force(outside)
        else:  # a setting was made inside, or a generator left its own behind
            values = {name: getattr(outside, name) for name in VALUES}
            put_in_force(now.replaced(**{k: v for k, v in values.items() if v is not getattr(inside, k)}))
