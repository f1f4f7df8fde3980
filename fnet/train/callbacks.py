"""What is called after each epoch of training, and what it may answer."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fnet.arguments import described
from fnet.errors import DtypeError, StructureError
from fnet.train.state import TrainState

Callback = Callable[[int, dict[str, float], TrainState], Any]
"""Called as ``callback(epoch, logs, ts)`` after each epoch; returning "stop" or True ends the training."""


class Callbacks:
    """The callbacks of one run; None stands for none.

    Raises `DtypeError` for what cannot be called, `StructureError` for what takes other arguments, before any is.
    """

    def __init__(self, given: Callback | Iterable[Callback | None] | None) -> None:
        several = () if given is None else (given,) if callable(given) or _is_no_list(given) else given
        self._callbacks = [_checked(callback) for callback in several if callback is not None]
        self._odd: set[int] = set()

    def __len__(self) -> int:
        return len(self._callbacks)

    def ask_to_stop(self, epoch: int, logs: dict[str, float], ts: TrainState) -> bool:
        """Call all of them; whether one asks to stop."""
        stop = False
        for position, callback in enumerate(self._callbacks):
            stop |= self._asks(position, callback(epoch, logs, ts))
        return stop

    def _asks(self, position: int, result: Any) -> bool:
        if result is None or isinstance(result, bool | np.bool_):
            return bool(result)
        if isinstance(result, str) and result == "stop":
            return True
        if position not in self._odd:
            self._odd.add(position)
            warnings.warn(
                f"{_name(self._callbacks[position])} returned {result!r:.40}, which says nothing: a callback returns "
                f'"stop" or True to end the training, None or False to go on.',
                stacklevel=5,  # at the call of fit
            )
        return False


def _is_no_list(given: Any) -> bool:
    return isinstance(given, str) or not isinstance(given, Iterable)


def _checked(callback: Any) -> Callback:
    if not callable(callback):
        hook = "on_epoch_end"
        fix = (
            f"Wrap its hook: lambda epoch, logs, ts: your_{type(callback).__name__.lower()}.{hook}(epoch, logs)."
            if callable(getattr(callback, hook, None))
            else "Write def callback(epoch, logs, ts)."
        )
        raise DtypeError(
            f"callbacks are functions (epoch, logs, ts), called after each epoch, received a "
            f"{described(callback)}. {fix}"
        )
    try:
        inspect.signature(callback).bind(0, {}, None)
    except TypeError as error:
        raise StructureError(
            f"{_name(callback)} is called as callback(epoch, logs, ts) after each epoch, but {error}. "
            f"Write def callback(epoch, logs, ts)."
        ) from None
    except ValueError:  # a built-in function that does not say what it takes
        pass
    return callback


def _name(callback: Any) -> str:
    return f"the callback {getattr(callback, '__name__', type(callback).__name__)}"
