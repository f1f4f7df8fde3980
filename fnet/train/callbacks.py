"""The callbacks of a run: objects with hooks, and plain functions that are called after each epoch."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from fnet.arguments import described, integer
from fnet.errors import DtypeError, NonFiniteError, StructureError
from fnet.train.callback import Callback
from fnet.train.run import Run
from fnet.train.state import TrainState

Function = Callable[[int, dict[str, float], TrainState], Any]
"""Called as ``callback(epoch, logs, ts)`` after each epoch; returning "stop" or True ends the training."""
CallbackLike = Callback | Function

_HOOKS = ("on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "validation_params", "on_non_finite")


class Callbacks:
    """The callbacks of one run; None stands for none.

    Raises `DtypeError` for what cannot be called, `StructureError` for what takes other arguments, before any is.
    """

    def __init__(self, given: CallbackLike | Iterable[CallbackLike | None] | None) -> None:
        several: Any = () if given is None else (given,) if _is_one(given) else given
        self._callbacks = [_checked(callback) for callback in several if callback is not None]
        self._hooks = {
            name: [
                getattr(callback, name)
                for callback in self._callbacks
                if getattr(type(callback), name) is not getattr(Callback, name)
            ]
            for name in _HOOKS
        }
        intervals = [(callback, callback.batch_interval) for callback in self._callbacks]
        self._batches = [
            (callback, integer(type(callback).__name__, "batch_interval", interval))
            for callback, interval in intervals
            if interval is not None
        ]

    @property
    def change_learning_rate(self) -> bool:
        """Whether one of them says that it changes the learning rate."""
        return any(callback.changes_learning_rate for callback in self._callbacks)

    @property
    def see_batches(self) -> bool:
        """Whether one of them has hooks for batches."""
        return bool(self._batches)

    def call(self, hook: str, run: Run) -> None:
        """Call a hook of train or epoch of those that have it."""
        if hook == "on_train_end":
            self._end(run)
            return
        for bound in self._hooks[hook]:
            bound(run)

    def _end(self, run: Run) -> None:
        """Call all last hooks, which close files and give back locks; an error of one is raised after the others."""
        first: BaseException | None = None
        for bound in self._hooks["on_train_end"]:
            try:
                bound(run)
            except BaseException as error:
                first = first or error
                run.error = run.error or error
        if first is not None:
            raise first

    def steps_to_batch_hooks(self, done: int) -> int:
        """After `done` steps of the run: how many may be done before a hook is to be called."""
        return min(interval - done % interval for _, interval in self._batches)

    def batch_begins(self, run: Run, done: int) -> None:
        """Call those whose steps begin after `done` steps of the run."""
        for callback, interval in self._batches:
            if done % interval == 0:
                callback.on_train_batch_begin(run)

    def batch_ended(self, run: Run, done: int) -> None:
        """Call those whose steps end after `done` steps of the run."""
        for callback, interval in self._batches:
            if done % interval == 0:
                callback.on_train_batch_end(run)

    @property
    def kinds(self) -> list[str]:
        """The names of their classes."""
        return [type(callback).__name__ for callback in self._callbacks]

    def memories(self) -> dict[str, dict[str, Any]]:
        """What each of them remembers."""
        return {f"{i} {type(c).__name__}": dict(c.memory()) for i, c in enumerate(self._callbacks)}

    def remember(self, memories: Mapping[str, dict[str, Any]]) -> None:
        """Let each of them go on from what `memories` gave."""
        for i, callback in enumerate(self._callbacks):
            callback.remember(memories[f"{i} {type(callback).__name__}"])

    def validation_params(self, run: Run) -> Any:
        """The parameters that the first of them says for the validation, None where none does."""
        found = (hook(run) for hook in self._hooks["validation_params"])
        return next((params for params in found if params is not None), None)

    def end_at(self, run: Run, error: NonFiniteError) -> bool:
        """Whether one of them ends the run where there is a NaN or an infinity."""
        answers = [hook(run, error) for hook in self._hooks["on_non_finite"]]
        return any(answers)


class _AfterEpochs(Callback):
    """A function that is called after each epoch."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._is_odd = False

    def on_epoch_end(self, run: Run) -> None:
        if self._asks(self._function(run.epoch, run.logs, run.ts)):
            run.stop()

    def _asks(self, result: Any) -> bool:
        if result is None or isinstance(result, bool | np.bool_):
            return bool(result)
        if isinstance(result, str) and result == "stop":
            return True
        if not self._is_odd:
            self._is_odd = True
            warnings.warn(
                f"{_name(self._function)} returned {result!r:.40}, which says nothing: a callback returns "
                f'"stop" or True to end the training, None or False to go on.',
                stacklevel=8,  # at the call of fit
            )
        return False


def _is_one(given: Any) -> bool:
    return callable(given) or isinstance(given, Callback | str) or not isinstance(given, Iterable)


def _checked(callback: Any) -> Callback:
    if isinstance(callback, Callback):
        return callback
    if isinstance(callback, type) and issubclass(callback, Callback):
        raise DtypeError(
            f"callbacks has the class {callback.__name__}, expected an object of it. Write {callback.__name__}()."
        )
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
    return _AfterEpochs(callback)


def _name(callback: Any) -> str:
    return f"the callback {getattr(callback, '__name__', type(callback).__name__)}"
