"""What models do with data: compile, fit, evaluate, predict."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fnet import losses, tree
from fnet.errors import FileError, StructureError
from fnet.io import models, weights
from fnet.keras import optimizers
from fnet.keras.callbacks import Adapted, History, adapted, as_list
from fnet.keras.inference_hooks import HookedTrainer, InferenceHooks
from fnet.keras.losses import functional as loss_functions
from fnet.keras.metrics import functional as metric_functions
from fnet.keras.models.compilation import Compilation
from fnet.keras.models.data import ModelData
from fnet.keras.models.own_steps import OwnSteps
from fnet.keras.models.own_training import MAIN, OwnTrainer
from fnet.keras.progress import Bar, Count, Epochs, in_keras_order
from fnet.keras.seeds import next_key
from fnet.keras.unnamed import unnamed
from fnet.networks.layer import Layer as Functional
from fnet.networks.parameters import trainable
from fnet.optimizers import averaged_params
from fnet.train.checks import check_optimizer
from fnet.train.measures import Measures
from fnet.train.state import TrainState

_OWN_FUNCTIONS = ("make_train_function", "make_test_function", "make_predict_function")


class Trained(OwnSteps, ModelData):
    """The part of a model that is trained; the model itself says what is in it."""

    stop_training = False
    known_numbers: Sequence[str] = ()
    history: History | None = None
    _compiled: Compilation | None = None
    _trainer: HookedTrainer | OwnTrainer | None = None
    _ts: TrainState | None = None

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        loss_weights: Any = None,
        weighted_metrics: Any = None,
        **others: Any,
    ) -> None:
        """Say how the model is trained; the memory of an optimizer before is forgotten.

        optimizer: a name, an object or a class of `fnet.keras.optimizers`. loss, metrics: names, objects or functions
        ``(y_true, y_pred)``; several outputs have lists or dicts of them. Layers that are not `trainable` now stay as
        they are in `fit`. Options of how Keras executes (``run_eagerly``, ``jit_compile``, ``steps_per_execution``,
        ``auto_scale_loss``) have no meaning here. Source: Keras ``Model.compile``.
        """
        for option in others:
            if option not in ("run_eagerly", "jit_compile", "steps_per_execution", "auto_scale_loss"):
                raise TypeError(f"compile() got an unexpected argument '{option}'.")
        for function in _OWN_FUNCTIONS:
            if hasattr(type(self), function):
                raise StructureError(
                    f"{type(self).__name__}.{function}: fit of fnet.keras compiles steps itself. Override train_step, "
                    f"test_step, predict_step, compute_loss or compute_metrics."
                )
        own, watched = (
            optimizers.get(optimizer),
            (metric_functions(metrics or ()), metric_functions(weighted_metrics or ())),
        )
        self._compiled = Compilation(loss_functions(loss), own, watched[0], loss_weights, watched[1])
        self._trainer = self._ts = None
        self._given_loss = self._compiled.loss
        if self.has_own_steps:
            net = self.functional if self.built else Functional(_nothing, _nothing)
            measures = Measures(net, loss_functions(loss) or "mse", loss_weights, *watched)
            self.measured_by(measures, loss is not None, bool(watched[0] or watched[1]))

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._compiled is not None

    @property
    def optimizer(self) -> optimizers.Optimizer:
        return self._known().optimizer

    @property
    def optimizer_weights(self) -> list[Any]:
        """What the optimizer keeps, where it has been used: its step, its rate, and numbers for each weight."""
        if self._ts is None or self._compiled is None:
            return []
        kept = [np.asarray(leaf) for leaf in tree.leaves(self._ts.opt_state)]
        held = [leaf for leaf in kept if leaf.ndim]
        return [*held, np.zeros(()), np.zeros(())]

    @property
    def loss(self) -> Any:
        return self._known().loss

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
    ) -> History:
        """Train for the epochs `initial_epoch` to ``epochs - 1``; the record is returned, and kept as `history`.

        x, y: arrays, lists or dicts of them for several inputs or outputs, or batches in x. The arguments are those of
        `fnet.Trainer.fit`. In the end, the weights are the mean that an optimizer with ``use_ema=True`` has.
        Source: Keras ``Model.fit``.
        """
        if validation_freq != 1 or validation_batch_size not in (None, batch_size):
            raise StructureError(
                "fit: fnet validates after each epoch, in batches of batch_size. Leave validation_freq and "
                "validation_batch_size out, or call evaluate in a callback."
            )
        x = self._built_on(x, batch_size)
        x, y, sample_weight = self._arranged(x, y, sample_weight)
        if isinstance(validation_data, tuple | list):
            validation_data = tuple(self._arranged(*validation_data))[: len(validation_data)]
        elif validation_data is not None:
            validation_data = self.fed(validation_data)
        trainer, ts = self._training()
        self.stop_training = False
        steps: list[int | None] = []

        def shown(epochs: int, number: int | None) -> Epochs:
            steps.append(number)
            return Epochs(verbose, rates, epochs, number)

        show: Any = shown  # in place of a number
        called = adapted(callbacks, self)
        trainer.hooks = InferenceHooks.of("test", as_list(callbacks), self)
        rates = any(getattr(one, "changes_learning_rate", False) and not isinstance(one, Adapted) for one in called)
        try:
            ts, record = trainer.fit(
                ts, x, y, batch_size, epochs, validation_split, validation_data, shuffle,
                sample_weight, show, initial_epoch, called, class_weight, steps_per_epoch,
                validation_steps,
            )  # fmt: skip
            ts = self._averaged(ts)
        finally:
            trainer.hooks = None
            self._keep(ts)
        params = {"verbose": verbose, "epochs": epochs, "steps": steps[0]}
        self.known_numbers = [name for name in record.history if not name.startswith(("val_", "learning_rate"))]
        self.history = History(in_keras_order(record.history, rates), record.epoch, params, self)
        return self.history

    def _averaged(self, ts: TrainState) -> TrainState:
        """The state with the mean of the weights, of an optimizer that has one, as the weights."""
        assert self._compiled is not None
        if not self._compiled.optimizer.functional.config.get("use_ema"):
            return ts
        return ts._replace(params=tree.combine(averaged_params(self._memory(ts)), ts.params))

    def _memory(self, ts: TrainState) -> Any:
        """What the optimizer of `compile` remembers."""
        return ts.opt_state.get(MAIN, {}) if isinstance(self._trainer, OwnTrainer) else ts.opt_state

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """The loss, or a list of the loss and the metrics; with `return_dict` a dict by name.

        verbose: 0 prints nothing, 2 a line, anything else a line with a bar. Source: Keras ``Model.evaluate``.
        """
        x = self._built_on(x, batch_size)
        x, y, sample_weight = self._arranged(x, y, sample_weight)
        trainer, ts = self._training()
        count = Count(x, batch_size, steps)
        bar = Bar(verbose)
        trainer.hooks = InferenceHooks.of("test", as_list(callbacks), self)
        try:
            found = dict(trainer.evaluate(ts, count.data, y, batch_size, sample_weight, steps).items())
        finally:
            trainer.hooks = None
        self.draw_anew()
        bar.advance(count.batches, found)
        bar.end(in_keras_order(found))
        self.known_numbers = tuple(found)
        if return_dict:
            return in_keras_order(found)
        values = list(found.values())
        return values[0] if len(values) == 1 else values

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The outputs for the samples, in inference mode: an array, or a list or dict of them.

        verbose: 0 prints nothing, 2 a line, anything else a line with a bar. Source: Keras ``Model.predict``.
        """
        x, _, _ = self._arranged(self._built_on(x, batch_size))
        count = Count(x, batch_size, steps)
        bar = Bar(verbose)
        predictor = self._predictor()
        predictor.hooks = hooks = InferenceHooks.of("predict", as_list(callbacks), self)
        try:
            if hooks is not None:
                hooks.begin()
            made = predictor.predict(self._as_state(), count.data, batch_size, steps)
            if hooks is not None:
                hooks.end({})
        finally:
            predictor.hooks = None
        self.draw_anew()
        bar.advance(count.batches, {})
        bar.end({})
        return list(made) if isinstance(made, tuple) else made

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One step on one batch; the loss and the metrics of the batch before the step."""
        record = self.fit(
            x, y, _count(x), verbose=0, shuffle=False, sample_weight=sample_weight, class_weight=class_weight
        ).history
        return _results({name: record[name][-1] for name in self.known_numbers}, return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The loss and the metrics of one batch."""
        return self.evaluate(x, y, _count(x), 0, sample_weight, return_dict=return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch."""
        return self.predict(x, _count(x), verbose=0)

    # Files.

    def save(self, filepath: str | os.PathLike[str], overwrite: bool = True, include_optimizer: bool = True) -> None:
        """Write the model to a file that Keras opens, too: ``*.keras`` or ``*.h5``, see `fnet.save_model`.

        Raises `FileError` for a file that is there, unless it may be replaced (`overwrite`).
        """
        _check_free(filepath, overwrite)
        is_compiled = self._compiled is not None and self._compiled.loss is not None
        trained = self._saved_training() if include_optimizer and is_compiled else (None, None)
        net = self.with_frozen_parts(self.functional)
        models.save_model(filepath, net, self.params, self.state, *trained, shape=self._input_shapes())

    def save_weights(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Write the weights to a file, see `fnet.save_weights`."""
        _check_free(filepath, overwrite)
        net, params, state = unnamed(self.functional, self.params, self.state)
        weights.save_weights(filepath, net, params, state, nested=True)

    def load_weights(self, filepath: str | os.PathLike[str]) -> None:
        """Take the weights from a file of fnet or of Keras, see `fnet.load_weights`."""
        own = self.params, self.state
        net, params, state = unnamed(self.functional, *own)
        found = weights.load_weights(filepath, net, params, state)
        self.take(*(tree.unflatten(tree.structure(o), tree.leaves(f)) for o, f in zip(own, found, strict=True)))

    def go_on(self, ts: TrainState) -> None:
        """Take a state of a training from elsewhere: the next `fit` goes on from there."""
        self._training()
        self._keep(ts)

    def draw_anew(self) -> None:
        """Let what draws random numbers in inference draw others from now on."""

    def _input_shapes(self) -> Any:
        """The shapes of the inputs, where the functional network does not know them."""
        return None

    # What a `Trainer` needs.

    def _known(self) -> Compilation:
        if self._compiled is None:
            raise StructureError(
                f"{self.name} is not compiled: model.compile(optimizer='adam', loss='mse') says how it is trained."
            )
        return self._compiled

    def _training(self) -> tuple[HookedTrainer | OwnTrainer, TrainState]:
        """The trainer, and the state of the training with the weights as they are now."""
        known = self._known()
        if known.loss is None and not self.has_own_steps:
            raise StructureError(f"{self.name} was compiled without a loss: model.compile(optimizer, loss='mse').")
        if self._trainer is None and self.has_own_steps:
            self._trainer = OwnTrainer(self)
        elif self._trainer is None:
            self._trainer = self._plain_trainer()
        if self._ts is None:
            self._ts = self._trainer.init_from(next_key(), *self.trained_values())
        params, state = self.trained_values()
        ts = self._ts._replace(params=params, state=state)
        rate = known.optimizer.chosen_rate
        if rate is not None:
            ts = self._trainer.with_learning_rate(ts, rate)
        return self._trainer, ts

    def _saved_training(self) -> tuple[HookedTrainer, TrainState]:
        """The trainer and the state of the training as files have them: steps of the user's own are in none.

        What is trained is what is `trainable` now, as in Keras; where that was otherwise in the last `fit`, the file
        has the optimizer as `compile` makes it.
        """
        trainer, ts = self._training()
        if not isinstance(trainer, OwnTrainer):
            now, then = self.with_frozen_parts(self.trained_net), trainer.arguments[0]
            if trainable(now, ts.params) == trainable(then, ts.params):
                return trainer, ts
            plain = self._plain_trainer()
            return plain, plain.init_from(ts.key, ts.params, ts.state)._replace(step=ts.step)
        plain, memory = self._plain_trainer(), self._memory(ts)
        fresh = plain.init_from(ts.key, ts.params, ts.state)._replace(step=ts.step)
        try:
            check_optimizer(plain.arguments[2].init, ts.params, memory)
        except StructureError:  # of other weights than a file has
            return plain, fresh
        return plain, fresh._replace(opt_state=memory)

    def _plain_trainer(self) -> HookedTrainer:
        known = self._known()
        return HookedTrainer(
            self.with_frozen_parts(self.trained_net), known.loss, known.optimizer.functional, known.metrics,
            known.loss_weights, known.weighted_metrics,
        )  # fmt: skip

    def _keep(self, ts: TrainState) -> None:
        """Hold what a training has made."""
        self._ts = ts
        self.hold_trained(ts.params, ts.state)
        optimizer = self._known().optimizer
        optimizer.iterations = int(ts.step)
        if isinstance(self._trainer, OwnTrainer):
            for one in self._trainer.optimizers.values():
                one.iterations = int(ts.step)
        known = optimizer.learning_rate
        if isinstance(known, float | int):
            assert self._trainer is not None
            now = self._trainer.learning_rate(ts)
            if now != known:
                optimizer.learning_rate = now

    def _predictor(self) -> HookedTrainer | OwnTrainer:
        """A trainer to predict with, whether or not the model is compiled."""
        if type(self).predict_step is not OwnSteps.predict_step:
            return OwnTrainer(self)
        if self._trainer is not None and not isinstance(self._trainer, OwnTrainer):
            return self._trainer
        if self.__dict__.get("_only_predicts") is None:
            self._only_predicts = HookedTrainer(self.trained_net, losses.mean_squared_error, "sgd")
        return self._only_predicts

    def _as_state(self) -> TrainState:
        return TrainState(*self.trained_values(), {}, next_key(), np.zeros((), np.int64))


def _nothing(*args: Any, **options: Any) -> tuple[Any, Any]:
    """A network of which nothing is known."""
    return {}, {}


def _check_free(path: str | os.PathLike[str], overwrite: bool) -> None:
    if not overwrite and os.path.exists(path):
        raise FileError(f"{os.fspath(path)} is there already. Pass overwrite=True to replace it.")


def _count(x: Any) -> int:
    return len(tree.leaves(x)[0]) if isinstance(x, list | tuple | dict) else len(x)


def _results(found: dict[str, Any], return_dict: bool) -> Any:
    values = list(found.values())
    return in_keras_order(found) if return_dict else values[0] if len(values) == 1 else values
