"""Training by the steps of a model of the user's own, compiled: what `fnet.Trainer` is to other models."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from fnet import regularizers, tree
from fnet.device import device_of
from fnet.errors import StructureError
from fnet.keras.inference_hooks import InferenceHooks
from fnet.keras.models.own_programs import (
    OwnEvaluation,
    OwnTotals,
    evaluation_step,
    logs_of,
    numbers,
    packed,
    training_step,
)
from fnet.keras.optimizers import Optimizer
from fnet.keras.running import Counting, Running, outside, running
from fnet.keras.variable import Variable
from fnet.masking import unmasked
from fnet.networks.layer import Layer
from fnet.networks.parameters import constrain
from fnet.train.callbacks import Callbacks
from fnet.train.checks import floating_dtype
from fnet.train.data import as_arrays, count
from fnet.train.fit import Fit
from fnet.train.given import GivenData, batch_size_of, count_of, steps_of
from fnet.train.history import History
from fnet.train.interrupt import Interrupt
from fnet.train.loop import CompiledLoop, Pass
from fnet.train.progress import verbosity
from fnet.train.results import Results
from fnet.train.sources.collected import Collected
from fnet.train.sources.source import Data, Source
from fnet.train.state import TrainState, copied
from fnet.train.steps import Training
from fnet.transforms.jit import Jitted, jit
from fnet.transforms.stage import eval_shape

if TYPE_CHECKING:
    from fnet.keras.models.trained import Trained

MAIN = "optimizer"


class OwnData(GivenData):
    """Data whose meaning the steps know alone: arrays of as many samples."""

    def __init__(self) -> None:
        """Nothing is known of a network."""

    def arrays(
        self, ts: TrainState, batch_size: int, x: Any, y: Any, sample_weight: Any, of: str = "", *, fed: bool = False
    ) -> Data:
        given, dtype = {"x": x, "y": y, "sample_weight": sample_weight}, floating_dtype(ts.params)
        data = {name: None if part is None else as_arrays(of + name, part, dtype) for name, part in given.items()}
        count({of + name: part for name, part in data.items()})
        return data

    def _inputs(self, ts: TrainState, x: Any, of: str = "", fed: bool = False) -> Data:
        data = {"x": self._input_arrays(ts, x, f"{of}x")}
        count({f"{of}x": data["x"]})
        return data


class OwnTrainer:
    """Fits, evaluates and predicts by the steps of a model, functions of a `TrainState` as those of `fnet.Trainer`.

    ``ts.opt_state`` has the memory of each optimizer by the name of its attribute; that of `compile` is "optimizer".
    """

    hooks: InferenceHooks | None = None

    def __init__(self, model: Trained) -> None:
        self._model, self._data = model, OwnData()
        self._compiled: dict[Any, Jitted] = {}
        self._idle: dict[tuple[Any, int | None], CompiledLoop] = {}
        self._logs: dict[tuple[str, Any], dict[str, Any]] = {}

    @property
    def optimizers(self) -> dict[str, Optimizer]:
        """The optimizers that steps may use, by their names."""
        model = self._model
        own = {name: value for name, value in vars(model).items() if isinstance(value, Optimizer)}
        main = {MAIN: model.optimizer} if model.compiled else {}
        return main | {name: one for name, one in own.items() if one not in main.values()}

    def init_from(self, key: Any, params: Any, state: Any) -> TrainState:
        """A state that begins with these weights; what optimizers remember is made for the first batch."""
        return TrainState(copied(params), copied(state), {}, copied(key), np.zeros((), np.int64))

    def learning_rate(self, ts: TrainState) -> float:
        """The learning rate of the next step."""
        return self._rates(ts).now(ts.opt_state)

    def with_learning_rate(self, ts: TrainState, rate: float) -> TrainState:
        """The state with another learning rate for the steps to come."""
        if MAIN not in ts.opt_state:
            return ts
        return ts._replace(opt_state=self._rates(ts).changed(ts.opt_state, rate))

    def fit(
        self,
        ts: TrainState,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        sample_weight: Any = None,
        verbose: Any = "auto",
        initial_epoch: int = 0,
        callbacks: Any = (),
        class_weight: Mapping[int, float] | None = None,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
    ) -> tuple[TrainState, History]:
        """The new state and the record; the arguments are those of `fnet.Trainer.fit`."""
        size = batch_size_of(batch_size, (x, y, sample_weight), validation_data)
        source, validation = self._data.sources(
            ts,
            (x, y, sample_weight),
            size,
            steps_of("steps_per_epoch", steps_per_epoch),
            validation_data,
            validation_split,
            steps_of("validation_steps", validation_steps),
            class_weight,
        )
        ts = self._prepared(ts, source)
        empty = self._empty("train", ts, source)
        rates: Any = functools.partial(self._rates, ts)
        schedule = self._model.optimizer.functional.config.get("learning_rate")
        with ExitStack() as used:
            run = Fit(
                net=self._model.functional if self._model.built else Layer(_nothing, _nothing),
                trainer=self,
                passes=self._pass("train", source, used),
                carry=Training(ts, np.zeros((), np.int64), empty, np.full((), -1, np.int64)),
                source=source,
                shuffle=shuffle,
                empty=empty,
                results=numbers,
                validate=None if validation is None else self._evaluation(ts, validation, used),
                explain=lambda ts, batch: "Try a smaller learning rate.",
                rates=rates,
                schedule=schedule if callable(schedule) else None,
                directions=dict.fromkeys(empty.logs),
                callbacks=Callbacks(callbacks),
                held=True,
                identity=_no_position,
            )
            return run.epochs(
                count_of("initial_epoch", initial_epoch, 0), count_of("epochs", epochs), verbosity(verbose)
            )

    def evaluate(
        self,
        ts: TrainState,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        sample_weight: Any = None,
        steps: int | None = None,
    ) -> Results:
        """The numbers of the last step by their names; the arguments are those of `fnet.Trainer.evaluate`."""
        given = x, y, sample_weight
        source = self._data.source(ts, given, batch_size_of(batch_size, given), steps_of("steps", steps))
        with ExitStack() as used:
            found = self._evaluation(ts, source, used)(ts.params, ts.state)
        assert found is not None
        return Results(found)

    def predict(self, ts: TrainState, x: Any, batch_size: int | None = None, steps: int | None = None) -> Any:
        """The outputs for the samples, in their order; the arguments are those of `fnet.Trainer.predict`."""
        source = self._data.inputs(ts, x, batch_size_of(batch_size, (x, None, None)), steps_of("steps", steps))
        structure = tree.structure(source.sample["x"])

        def outputs(network: tuple[Any, Any], *leaves: Any) -> tuple[Any, ...]:
            y, params, state, _, _ = self._step(
                "predict", *network, {}, {}, None, tree.unflatten(structure, list(leaves))
            )
            return ((params, state), *tree.leaves(unmasked(y)))

        sample = tree.leaves(source.sample["x"])
        like = eval_shape(lambda *leaves: self._outputs(ts, structure, leaves), *sample)
        leaves, form = tree.flatten(like)
        key = ("predict", structure)
        if key not in self._compiled:
            self._compiled[key] = jit(outputs, donate=0)
        collected = Collected(device_of(tree.leaves(ts.params)), source.count, leaves)
        network = (ts.params, ts.state)
        hooks = self.hooks if self.hooks is not None and self.hooks.see_batches else None
        with closing(source.batches()) as batches:
            for batch in batches:
                if hooks is not None:
                    hooks.batch_begins()
                network, *parts = self._compiled[key](network, *tree.leaves(batch))
                collected.add(parts)
                if hooks is not None:
                    hooks.batch_ended({"outputs": tree.unflatten(form, parts)})
        return tree.unflatten(form, collected.arrays())

    def _outputs(self, ts: TrainState, structure: Any, leaves: Any) -> Any:
        return unmasked(
            self._step("predict", ts.params, ts.state, {}, {}, None, tree.unflatten(structure, list(leaves)))[0]
        )

    # One step as a pure function.

    def _step(
        self, kind: str, params: Any, state: Any, memories: Any, counted: Any, key: Any, data: Any
    ) -> tuple[Any, Any, Any, Any, Any]:
        """What the step of this kind returns; params, state, memories of optimizers and counts of metrics after it."""
        model = self._model
        counts: dict[str, Counting] = {**model.metrics_of_steps(), **self.optimizers}
        before = {name: one.kept_in_steps for name, one in counts.items()}
        run = Running(kind == "train", key, model, counts)
        run.bind(model, params, state)
        try:
            for name, one in counts.items():
                one.kept_in_steps = {**memories, **counted}.get(name, one.kept_in_steps)
            with outside(), running(run), regularizers.reported_penalties():
                made = getattr(model, f"{kind}_step")(data)
                own = model.functional if model.built else None
                params = constrain(own, model.params) if own is not None and kind == "train" else model.params
                after = {name: one.kept_in_steps for name, one in counts.items()}
                return (
                    made,
                    params,
                    model.state,
                    {name: after[name] for name in memories},
                    {name: after[name] for name in counted},
                )
        finally:
            for name, one in counts.items():
                one.kept_in_steps = before[name]

    def _prepared(self, ts: TrainState, source: Source) -> TrainState:
        """The state with what optimizers need to remember, which an abstract step finds out."""
        model = self._model
        if not ts.opt_state:
            for one in self.optimizers.values():
                one.variables_changed = None
            self._empty("train", ts, source)
            memories = {}
            run = Running(True, None, model)
            run.bind(model, ts.params, ts.state)
            with outside(), running(run):
                for name, one in self.optimizers.items():
                    if one.variables_changed is not None:
                        one.build(one.variables_changed)
                        memories[name] = one.kept_in_steps
                    one.kept_in_steps = None
            ts = ts._replace(opt_state=memories)
        for name, one in self.optimizers.items():
            if one.chosen_rate is not None and name in ts.opt_state:
                rates = one.rates(self._changed_by(one, ts))
                memory = rates.changed(ts.opt_state[name], one.chosen_rate)
                ts = ts._replace(opt_state={**ts.opt_state, name: memory})
        return ts

    def _empty(self, kind: str, ts: TrainState, source: Source) -> Any:
        """The totals before the first batch; the numbers of a step are found out without doing it."""
        structure = tree.structure(source.sample)
        sample = tree.leaves(source.sample)
        size = min(len(sample[0]), source.batch_size)
        key = (kind, (structure, tuple((leaf.shape[1:], leaf.dtype) for leaf in sample)))
        if key not in self._logs:

            def found_logs(ts: TrainState, *leaves: Any) -> Any:
                data = packed(tree.unflatten(structure, list(leaves)))
                memories = dict.fromkeys(self.optimizers) | ts.opt_state
                made = self._step(kind, ts.params, ts.state, memories, {}, ts.key, data)[0]
                return logs_of(kind, self._model, made)

            found = eval_shape(found_logs, ts, *(leaf[:size] for leaf in sample))
            self._logs[key] = {name: np.zeros(spec.shape) for name, spec in found.items()}
        counted = {name: copied(one.first_kept()) for name, one in self._model.metrics_of_steps().items()}
        return OwnTotals(np.zeros(()), np.zeros(()), counted, self._logs[key])

    # Compiled steps.

    def _pass(self, kind: str, source: Source, used: ExitStack) -> Pass:
        structure = tree.structure(source.sample)
        make = training_step if kind == "train" else evaluation_step

        def step(size: int | None) -> Jitted:
            key = (kind, size, structure)
            if key not in self._compiled:
                self._compiled[key] = jit(make(self._step, self._model, size, structure), donate=0)
            return self._compiled[key]

        return used.enter_context(closing(Pass(step, self._idle, (kind, structure))))

    def _evaluation(self, ts: TrainState, source: Source, used: ExitStack) -> Callable[..., dict[str, float] | None]:
        start = OwnEvaluation(ts.params, ts.state, np.zeros((), np.int64), self._empty("test", ts, source))
        passes = self._pass("test", source, used)

        def evaluate(
            params: Any, state: Any, interrupt: Interrupt | None = None, more: bool = False
        ) -> dict[str, float] | None:
            totals, chunks = start.totals, source.in_order(more).chunks(0, interrupt=interrupt)
            with closing(passes.run(start._replace(params=params, state=state), chunks)) as done:
                for _, carry in done:
                    totals = carry.totals
                    if interrupt is not None and interrupt.requested:
                        return None
            return numbers(totals)

        if self.hooks is None:
            return evaluate
        by_batches = self.hooks.by_batches(passes, start, source, numbers)
        return self.hooks.around(by_batches if self.hooks.see_batches else evaluate)

    # Learning rates.

    def _changed_by(self, optimizer: Optimizer, ts: TrainState) -> Any:
        """The tree of the weights that an optimizer changes."""
        variables: list[Variable] = optimizer.variables_changed or []
        run = Running(True, None, self._model)
        run.bind(self._model, ts.params, ts.state)
        with outside(), running(run):
            return optimizer.arranged(variables)

    def _rates(self, ts: TrainState) -> _MainRates:
        optimizer = self._model.optimizer
        used = MAIN in ts.opt_state
        return _MainRates(self._model, optimizer.rates(self._changed_by(optimizer, ts)) if used else None)


class _MainRates:
    """The learning rate of the optimizer of `compile` among the memories of all."""

    def __init__(self, model: Trained, rates: Any) -> None:
        self._model, self._rates = model, rates

    def held(self, memories: dict[str, Any]) -> dict[str, Any]:
        return memories

    def now(self, memories: dict[str, Any]) -> float:
        if self._rates is not None:
            return float(self._rates.now(memories[MAIN]))
        known = self._model.optimizer.functional.config.get("learning_rate")
        return float(known) if isinstance(known, float | int) else np.nan

    def changed(self, memories: dict[str, Any], rate: float) -> dict[str, Any]:
        if self._rates is None:
            raise StructureError(
                f"{self._model.name}: its steps do not use model.optimizer, whose learning rate is to be changed. Set "
                f"that of an optimizer of its own between two calls of fit."
            )
        return {**memories, MAIN: self._rates.changed(memories[MAIN], rate)}


def _nothing(*args: Any, **options: Any) -> tuple[Any, Any]:
    """A network of which nothing is known."""
    return {}, {}


def _no_position() -> NoReturn:
    raise StructureError(
        "BackupAndRestore: a training by steps of your own cannot go on from the middle. Save the model after epochs."
    )
