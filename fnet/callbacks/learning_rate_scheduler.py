"""Another learning rate for each epoch."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from fnet.arguments import described, is_number
from fnet.callbacks.constructor import CALLBACKS, known_arguments
from fnet.configured import Configured
from fnet.errors import DtypeError, ValueRangeError
from fnet.train.callback import Callback
from fnet.train.run import Run


@CALLBACKS.named()
class LearningRateScheduler(Callback):
    """The learning rate of an epoch is ``schedule(epoch, rate)``, with the rate of the epoch before.

    schedule: a function of the epoch, counted from 0, and of the rate, or of the epoch alone, as those of
    `fnet.schedules` are. verbose: 1 prints the rate. The history has the rate of each epoch as ``learning_rate``. A
    rate for each step is a schedule of the optimizer. Raises `DtypeError` for what is no function, `ValueRangeError`
    for a rate that is no number of at least 0, `StructureError` for an optimizer whose rate is a schedule.
    Source: Keras ``LearningRateScheduler``.

    >>> halved = LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else rate)
    """

    changes_learning_rate = True

    @known_arguments
    def __init__(self, schedule: Callable[[int, float], float] | Callable[[int], float], verbose: int = 0) -> None:
        if not callable(schedule):
            raise DtypeError(
                f"LearningRateScheduler: schedule is a function (epoch, rate), received a {described(schedule)}. "
                f"Write lambda epoch, rate: 0.95 * rate."
            )
        self.schedule, self.verbose = schedule, verbose
        self._takes_rate = _takes_two(schedule)

    def on_epoch_begin(self, run: Run) -> None:
        given = (run.epoch, run.learning_rate) if self._takes_rate else (run.epoch,)
        rate = self.schedule(*given)
        if not is_number(rate) or not 0 <= rate < float("inf"):
            raise ValueRangeError(
                f"LearningRateScheduler: the schedule gave {rate!r:.40} for epoch {run.epoch}, expected a number of at "
                f"least 0. Return the learning rate."
            )
        run.learning_rate = float(rate)
        if self.verbose:
            print(f"epoch {run.epoch + 1}: the learning rate is {run.learning_rate:g}")


def _takes_two(schedule: Callable[..., float]) -> bool:
    """Whether it takes the rate, too; a function that does not say so does."""
    try:
        inspect.signature(schedule.function if isinstance(schedule, Configured) else schedule).bind(0, 0.0)
    except TypeError:
        return False
    except ValueError:
        return True
    return True
