"""Callbacks under Keras' names: those of `fnet.callbacks`, and classes of the user's own with Keras' hooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fnet import callbacks, tree
from fnet.errors import StructureError, did_you_mean
from fnet.keras.progress import in_keras_order
from fnet.train.callback import Callback as Functional
from fnet.train.run import Run

if TYPE_CHECKING:
    from fnet.keras.models.trained import Trained

_HOOKS = (
    "on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "on_train_batch_begin", "on_train_batch_end",
)  # fmt: skip


class Callback:
    """Hooks that do nothing; a callback of your own overrides some of them. `model` is the model that is trained.

    In a hook the weights of the model are those of the moment; `model.stop_training`, weights that are set, and
    ``model.optimizer.learning_rate`` have effect after it. Source: Keras ``Callback``.

    >>> class StopBelow(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         if logs["loss"] < 0.1:
    ...             self.model.stop_training = True
    """

    model: Any = None
    params: Mapping[str, Any] = MappingProxyType({})

    def set_model(self, model: Any) -> None:
        """Called before the training."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Called before the training, with the numbers of epochs and steps."""
        self.params = params

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """After the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Before the first step of an epoch."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """After an epoch and its validation; `logs` are its numbers."""

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Before a step."""

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """After a step; `logs` are the means over the epoch so far."""

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Before `evaluate`, and before the validation in `fit`."""

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """After it; `logs` are its numbers."""

    def on_test_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Before a batch of it."""

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """After a batch of it; `logs` are the numbers over the batches so far."""

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Before `predict`."""

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        """After `predict`."""

    def on_predict_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Before a batch of it."""

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """After a batch of it; ``logs["outputs"]`` are the outputs for the batch."""

    def on_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """As `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """As `on_train_batch_end`."""


@dataclass
class History(Callback):
    """The record of a training, which `fit` returns: a list of numbers, one for each epoch, by their names."""

    history: dict[str, list[float]] = field(default_factory=dict)
    epoch: list[int] = field(default_factory=list)
    params: Mapping[str, Any] = field(default_factory=dict)
    model: Any = field(default=None, repr=False)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


class CallbackList:
    """The hooks of several callbacks at once, for a loop of your own: ``callbacks.on_epoch_end(0, {"loss": 0.5})``.

    Each hook of `Callback` is a function that calls those of all. add_history: with a `History` as the last one.
    params: keywords, handed on by `set_params`. Source: Keras ``CallbackList``.

    >>> several = CallbackList([], add_history=True, epochs=1)
    >>> several.on_epoch_end(0, {"loss": 0.5})
    >>> several.callbacks[-1].history
    {'loss': [0.5]}
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        if add_progbar:
            raise StructureError("CallbackList: only fit prints a bar. Leave add_progbar out, and print in a hook.")
        self.callbacks: list[Callback] = []
        for one in [*as_list(callbacks), *([History()] if add_history else [])]:
            self.append(one)
        if model is not None:
            self.set_model(model)
        if params:
            self.set_params(params)

    def append(self, callback: Callback) -> None:
        """Call this one, too, after the others."""
        if not isinstance(callback, Callback):
            raise StructureError(
                f"CallbackList: expected callbacks of your own classes, received {type(callback).__name__}, whose "
                f"hooks are those of fit. Give it to fit(callbacks=[...])."
            )
        self.callbacks.append(callback)

    def set_model(self, model: Any) -> None:
        """Tell all the model."""
        for one in self.callbacks:
            one.set_model(model)

    def set_params(self, params: dict[str, Any]) -> None:
        """Tell all the numbers of epochs and steps."""
        for one in self.callbacks:
            one.set_params(params)

    def __getattr__(self, hook: str) -> Callable[..., None]:
        if not hook.startswith("on_") or not hasattr(Callback, hook):
            raise AttributeError(f"CallbackList has no attribute {hook!r}.{did_you_mean(hook, dir(Callback))}")
        hooks = (hook, hook.replace("train_", "")) if hook.startswith("on_train_batch") else (hook,)

        def call(*args: Any, **options: Any) -> None:
            for one in self.callbacks:
                for name in hooks:
                    getattr(one, name)(*args, **options)

        return call


class Adapted(Functional):
    """A callback of Keras' kind as `fit` of `fnet.Trainer` calls it."""

    changes_learning_rate = True

    def __init__(self, callback: Callback, model: Trained, rates: bool = False) -> None:
        self._callback, self._model, self._rates = callback, model, rates

    @property
    def batch_interval(self) -> int | None:
        own = type(self._callback)
        hooks = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
        return 1 if any(getattr(own, hook) is not getattr(Callback, hook) for hook in hooks) else None

    def on_train_begin(self, run: Run) -> None:
        self._callback.set_model(self._model)
        self._callback.set_params({"epochs": run.last, "steps": run.steps, "verbose": 0})
        self._call(run, ("on_train_begin",), ())

    def on_train_end(self, run: Run) -> None:
        self._call(run, ("on_train_end",), (), run.logs)

    def on_epoch_begin(self, run: Run) -> None:
        self._call(run, ("on_epoch_begin",), (run.epoch,))

    def on_epoch_end(self, run: Run) -> None:
        self._call(run, ("on_epoch_end",), (run.epoch,), run.logs)

    def on_train_batch_begin(self, run: Run) -> None:
        self._call(run, ("on_train_batch_begin", "on_batch_begin"), (run.batch,))

    def on_train_batch_end(self, run: Run) -> None:
        self._call(run, ("on_train_batch_end", "on_batch_end"), (run.batch - 1,), run.logs)

    def _call(
        self, run: Run, hooks: tuple[str, ...], args: tuple[Any, ...], logs: dict[str, Any] | None = None
    ) -> None:
        """Call hooks that are overridden, with the model as it is now, and do what they ask for."""
        own = [hook for hook in hooks if getattr(type(self._callback), hook) is not getattr(Callback, hook)]
        if not own:
            return
        model = self._model
        weights = run.weights
        model.hold_trained(*weights)
        model.optimizer.held_by(run)
        before = model.stop_training
        shown = in_keras_order(logs or {}, self._rates)
        try:
            for hook in own:
                getattr(self._callback, hook)(*args, shown)
        finally:
            model.optimizer.held_by(None)
        if logs is not None:
            logs |= shown
        now = model.trained_values()
        same = all(a is b for a, b in zip(tree.leaves(now), tree.leaves(weights), strict=True))
        if not same:
            run.replace(run.ts._replace(params=now[0], state=now[1]))
        if model.stop_training and not before:
            run.stop()


def adapted(given: Any, model: Trained) -> list[Any]:
    """The callbacks as `fnet.Trainer` takes them."""
    several = as_list(given)
    for one in several:
        if isinstance(one, Functional) and hasattr(one, "model"):
            one.model = model
    rates = any(isinstance(one, Functional) and one.changes_learning_rate for one in several)
    return [Adapted(one, model, rates) if isinstance(one, Callback) else one for one in several]


def as_list(given: Any) -> list[Any]:
    """Callbacks as a list: none, one or several."""
    if isinstance(given, CallbackList):
        return list(given.callbacks)
    return [] if given is None else list(given) if isinstance(given, list | tuple) else [given]


def __getattr__(name: str) -> Any:
    if name == "ModelCheckpoint":
        from fnet.keras.model_checkpoint import ModelCheckpoint

        return ModelCheckpoint
    return getattr(callbacks, name)
