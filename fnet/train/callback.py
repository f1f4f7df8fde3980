"""What a callback is: an object with hooks, which are called while a network is trained."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fnet.configured import is_default
from fnet.errors import NonFiniteError
from fnet.train.run import Run


class Callback:
    """Hooks that do nothing; a callback of your own overrides some of them.

    A hook takes the `Run`: epoch, step, numbers, state, and what may be asked for: ``run.stop()``,
    ``run.replace(ts)``, ``run.learning_rate = 0.01``. Only the batch hooks, where they are overridden, cost more than
    a call in an epoch: steps run in native code up to the next batch for which a hook is called.

    remembered: the names of the attributes that later hooks depend on, for a run that goes on in another process.
    config: the arguments of the constructor by name, of those of `fnet.callbacks`.
    changes_learning_rate: whether hooks set ``run.learning_rate``. The step is then compiled for rates that change.

    >>> class StopBelow(Callback):
    ...     def on_epoch_end(self, run):
    ...         if run.logs["loss"] < 0.5:
    ...             run.stop()
    """

    remembered: tuple[str, ...] = ()
    changes_learning_rate: bool = False
    config: Mapping[str, Any] = MappingProxyType({})

    @property
    def batch_interval(self) -> int | None:
        """The batch hooks are called before and after every so many steps of the run; None for no calls."""
        own = type(self)
        hooks = ("on_train_batch_begin", "on_train_batch_end")
        return 1 if any(getattr(own, hook) is not getattr(Callback, hook) for hook in hooks) else None

    def on_train_begin(self, run: Run) -> None:
        """Before the first epoch. What the callback remembers of an earlier run is to be forgotten."""

    def on_train_end(self, run: Run) -> None:
        """After the last epoch, also where Ctrl-C (``run.interrupted``) or an error (``run.error``) ends the run."""

    def on_epoch_begin(self, run: Run) -> None:
        """Before the first step of an epoch."""

    def on_epoch_end(self, run: Run) -> None:
        """After the steps of an epoch and its validation; ``run.logs`` are its numbers."""

    def on_train_batch_begin(self, run: Run) -> None:
        """Before the step on the batch number ``run.batch``, counted from 0 in each epoch."""

    def on_train_batch_end(self, run: Run) -> None:
        """After a step: ``run.batch`` steps of the epoch are done, ``run.logs`` are the means over them."""

    def validation_params(self, run: Run) -> Any:
        """The parameters with which an epoch is validated, in place of those that are trained; None for these."""
        return None

    def on_non_finite(self, run: Run, error: NonFiniteError) -> bool:
        """Where a loss or a parameter is not finite: True ends the run with ``error.ts``, else the error is raised."""
        return False

    def memory(self) -> dict[str, Any]:
        """What the callback remembers, a tree: `remember` gives it to another one of its kind."""
        return {name: getattr(self, name) for name in self.remembered}

    def remember(self, memory: dict[str, Any]) -> None:
        """Go on from what `memory` gave, after `on_train_begin`."""
        for name in self.remembered:
            setattr(self, name, memory[name])

    def __repr__(self) -> str:
        defaults = {name: p.default for name, p in inspect.signature(type(self)).parameters.items()}
        given = [f"{k}={v!r}" for k, v in self.config.items() if not is_default(v, defaults.get(k, inspect._empty))]
        return f"{type(self).__name__}({', '.join(given)})"
