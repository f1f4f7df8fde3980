"""The `Trainer`: fit, evaluate and predict as functions of a `TrainState`."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import numpy as np

from fnet import optimizers, random, tree
from fnet.arguments import number
from fnet.device import device_of
from fnet.errors import StructureError
from fnet.losses.names import LossLike
from fnet.masking import unmasked
from fnet.metrics.names import MetricLike
from fnet.networks.layer import Layer
from fnet.networks.samples import ShapeLike
from fnet.optimizers import Optimizer
from fnet.optimizers.rates import Rates
from fnet.train.callbacks import CallbackLike, Callbacks
from fnet.train.checks import check_optimizer, check_state
from fnet.train.diagnosis import cause
from fnet.train.examine import Examiner, specs
from fnet.train.fit import Fit
from fnet.train.given import GivenData, batch_size_of, count_of, steps_of
from fnet.train.history import History
from fnet.train.measures import Measures
from fnet.train.position import identity
from fnet.train.programs import Programs
from fnet.train.progress import verbosity
from fnet.train.rebinding import Rebinding
from fnet.train.results import Results
from fnet.train.sources.collected import Collected
from fnet.train.sources.source import Source
from fnet.train.state import TrainState, copied
from fnet.train.steps import Training, numbers, split_trained

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

MetricsLike = MetricLike | Sequence[MetricLike] | None
"""The metrics of one output."""


class Trainer:
    """Trains a network towards a loss: pure functions of a `TrainState`, which they never change.

    net: a `fnet.Layer`; loss: a name, a configured loss (``fnet.losses.Huber(delta=2.0)``) or a function
    ``loss(y_true, y_pred, *, sample_weight=None)``; optimizer: a name or an `fnet.optimizers.Optimizer`; metrics:
    names, functions or `fnet.metrics.Metric`, not weighted by sample weights, `weighted_metrics` the same, weighted.

    A network with several outputs has one loss for all, or a list or a dict by output (None for an output without
    one); the loss to be minimised is their sum, weighted by `loss_weights`, a list or dict of numbers. Metrics are
    given likewise, one or a list for each output. Outputs are called as `fnet.graph` calls them, else output_0, ...;
    their losses and metrics are recorded as ``<output>_loss`` and ``<output>_<metric>``. The loss includes the
    penalties of the layers' regularizers, also in evaluation; constraints are applied after each update; parameters of
    layers that are not trainable stay as they are (`fnet.freeze`).
    Raises `ValueRangeError` for an unknown name. Source: Keras ``Model.compile``, ``fit``, ``evaluate``, ``predict``.

    >>> import numpy as np
    >>> from fnet.layers import Dense
    >>> trainer = Trainer(Dense(1), loss="mse", optimizer=optimizers.sgd(0.5))
    >>> ts = trainer.init(random.key(0), (1,))
    >>> x = np.linspace(-1, 1, 8).reshape(8, 1)
    >>> ts, history = trainer.fit(ts, x, 2 * x + 1, batch_size=4, epochs=50, verbose=False)
    >>> trainer.predict(ts, [[3.0]]).round(2)
    array([[7.]], dtype=float32)
    """

    def __init__(
        self,
        net: Layer,
        loss: LossLike | Sequence[LossLike | None] | Mapping[str, LossLike | None],
        optimizer: str | Optimizer | Callable[[], Optimizer] = "adam",
        metrics: MetricLike | Sequence[MetricsLike] | Mapping[str, MetricsLike] | None = (),
        loss_weights: Sequence[float] | Mapping[str, float] | None = None,
        weighted_metrics: MetricLike | Sequence[MetricsLike] | Mapping[str, MetricsLike] | None = (),
    ) -> None:
        if not isinstance(net, Layer):
            raise StructureError(
                f"Trainer: net is a Layer, received a {type(net).__name__}. Wrap it: Layer(init, apply)."
            )
        self._given = (net, loss, optimizer, metrics, loss_weights, weighted_metrics)
        self._net, self._optimizer = net, optimizers.get(optimizer)
        self._measures = Measures(net, loss, loss_weights, metrics, weighted_metrics)
        self._examiner = Examiner(net, self._measures)
        self._data = GivenData(net, self._measures, self._examiner)
        self._programs = Programs(net, self._optimizer)
        self._rebinding = Rebinding()

    def __reduce__(self) -> tuple[Any, ...]:
        """A trainer is pickled by its arguments, and compiles anew where it is loaded."""
        return type(self), self._given

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What it was made with: net, loss, optimizer, metrics, loss_weights, weighted_metrics."""
        return self._given

    def init(self, key: np.ndarray, shape: ShapeLike | None = None, dtype: DTypeLike = "float32") -> TrainState:
        """A fresh state for inputs of `shape`, without the batch axis; a tuple of shapes for several inputs.

        A graph knows its own shapes.

        >>> from fnet.layers import Dense
        >>> ts = Trainer(Dense(3), "mse").init(random.key(0), (2,))
        >>> ts.params["kernel"].shape, int(ts.step)
        ((2, 3), 0)
        """
        key_of_net, own_key = random.split(key)
        return self.init_from(own_key, *self._net.init(key_of_net, shape, dtype))

    def init_from(self, key: np.ndarray, params: Any, state: Any) -> TrainState:
        """A fresh state that begins with these parameters and this state of the network, which it copies.

        >>> import fnet
        >>> net = fnet.layers.Dense(3)
        >>> params, state = net.init(random.key(0), (2,))  # or of fnet.load_model
        >>> ts = Trainer(net, "mse").init_from(random.key(1), params, state)
        """
        params, state = copied((params, state))
        opt_state = copied(self._optimizer.init(split_trained(self._net, params)[0]))
        return TrainState(params, state, opt_state, copied(key), np.zeros((), np.int64))

    def learning_rate(self, ts: TrainState) -> float:
        """The learning rate of the next step. Raises `StructureError` where the optimizer has a schedule, or none."""
        return self._rates(ts).now(ts.opt_state)

    def with_learning_rate(self, ts: TrainState, rate: float) -> TrainState:
        """The state with another learning rate for the steps to come; several rates keep their ratios.

        >>> import fnet
        >>> trainer = Trainer(fnet.layers.Dense(3), "mse", "adam")
        >>> ts = trainer.with_learning_rate(trainer.init(random.key(0), (2,)), 0.5)
        >>> trainer.learning_rate(ts)
        0.5
        """
        number("learning_rate", "rate", rate, "[0, inf)")
        rates = self._rates(ts)
        return ts._replace(opt_state=rates.changed(rates.held(ts.opt_state), float(rate)))

    def fit(
        self,
        ts: TrainState,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        validation_split: float = 0.0,
        validation_data: tuple[Any, ...] | Iterable[Any] | None = None,
        shuffle: bool = True,
        sample_weight: Any = None,
        verbose: bool | int | str = "auto",
        initial_epoch: int = 0,
        callbacks: CallbackLike | Iterable[CallbackLike | None] | None = (),
        class_weight: Mapping[int, float] | None = None,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
    ) -> tuple[TrainState, History]:
        """Train for the epochs `initial_epoch` to ``epochs - 1`` and return the new state and the record.

        x, y: arrays, or trees of arrays, with the samples first; floats are converted to the dtype of the parameters.
        batch_size: 32 by default. The last batch of an epoch may be smaller. `validation_split` sets the last part of
        the samples aside, before any shuffling; `validation_data`, (x, y) or (x, y, sample_weight), takes its place.
        The record has the mean loss and the metrics over each epoch, in training mode and before each update, and for
        validation, after the epoch and in inference mode, the same under ``val_`` names. verbose: 0 shows nothing, 1 or
        "auto" a bar on a terminal or in a notebook and lines, 2 a line for each epoch.

        The result depends on the arguments alone, to the bit. The order of samples derives from ``ts.key`` and the
        number of updates at which the epoch begins, the randomness of a step from ``ts.key`` and its number: so two
        calls with one epoch each do what one call with two epochs does.

        An optimizer's mean of the parameters (``use_ema=True``) stays beside them in ``ts.opt_state``, so that a call
        can go on where one ended; Keras writes it over the parameters at the end of ``fit``, which here is
        ``ts._replace(params=tree.combine(optimizers.averaged_params(ts.opt_state), ts.params))``.

        callbacks: objects of `fnet.callbacks`, and functions ``(epoch, logs, ts)``, called after each epoch; one that
        returns "stop" or True ends the training. A learning rate that a callback changes is kept in ``ts.opt_state``,
        and recorded as ``learning_rate``. As in Keras it is a part of the optimizer's state: the next `fit` goes on
        with it, that of another trainer, too, whatever rate its optimizer was given. `with_learning_rate` sets another
        one; `init_from` begins with a fresh optimizer and its own rate, as Keras' ``compile`` does.
        class_weight: weights of the samples by their class, in training only.

        Frames and series of pandas and polars are the arrays of their columns. An index does not count, and what the
        library calls missing is an error, which names the column.

        x, y and sample_weight, or leaves of them, may be data sets that stay in a file, as those of h5py, `np.memmap`,
        or whatever has a shape, a dtype and slices. Where they have more than 32 MB, they are read in windows of that
        size, the next one in a thread while the present one trains. Samples are shuffled by blocks of 1 MB, or what the
        file keeps together, and then within a window; the order derives from ``ts.key`` and the number of updates. A
        file that became shorter is a `FileError`; an `np.memmap` of one that is cut off while it is read ends the
        process, which Python cannot catch.

        x may also be batches, a generator or an iterable of (x, y) or (x, y, sample_weight), and `validation_data` too:
        each is made ready in a thread while the one before trains, in the order in which they come, and may have a
        shape of its own. An iterable begins anew in every epoch; a generator goes on, so `steps_per_epoch` says where
        an epoch ends, and for validation `validation_steps`. Both also shorten the epochs over arrays.

        A first Ctrl-C ends the running chunk of steps (about 50 ms) and returns the last completed step, with the
        finished epochs in the record and ``history.interrupted`` set; a second one raises.
        Raises `NonFiniteError` for a NaN or infinite loss, with the state of the last good step as ``error.ts`` and the
        record as ``error.history``. Errors leave `ts` as it was.
        """
        check_state(ts)
        self._rebinding.check("fit", ts)
        size = batch_size_of(batch_size, (x, y, sample_weight), validation_data)
        epochs = count_of("epochs", epochs)
        initial_epoch = count_of("initial_epoch", initial_epoch, least=0)
        verbose, called = verbosity(verbose), Callbacks(callbacks)
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
        data = source.sample
        held = self._holds_rates(ts)
        measures, empty = self._examiner.measures(ts, data)
        carry = Training(ts, np.zeros((), np.int64), empty, np.full((), -1, np.int64))
        results, explain = functools.partial(numbers, measures), functools.partial(cause, self._net, measures)
        rates, directions = functools.cache(functools.partial(self._rates, ts)), measures.directions
        schedule = self._optimizer.config.get("learning_rate")
        arguments = {
            "batch_size": size,
            "shuffle": shuffle,
            "initial_epoch": initial_epoch,
            "steps_per_epoch": steps_per_epoch,
            "validation_steps": validation_steps,
            "callbacks": called.kinds,
        }
        of = functools.partial(self._identity, ts, source, validation, arguments)
        with ExitStack() as used:
            run = Fit(
                self._net,
                self,
                self._programs.training(measures, data, used),
                carry,
                source,
                shuffle,
                empty,
                results,
                None if validation is None else self._evaluation(ts, validation, used),
                explain,
                rates,
                schedule if callable(schedule) else None,
                directions,
                called,
                held,
                functools.cache(of),
            )
            return self._rebinding.returned(ts, *run.epochs(initial_epoch, epochs, verbose))

    def evaluate(
        self,
        ts: TrainState,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        sample_weight: Any = None,
        steps: int | None = None,
    ) -> Results:
        """The mean loss and the metrics over the samples, in inference mode, by name: a dict that unpacks into numbers.

        x may be data sets of a file, or batches of (x, y) or (x, y, sample_weight), as in `fit`; steps: how many
        batches, None for all.
        Batches follow each other, so what a layer keeps from one (``LSTM(stateful=True)``) reaches the next; `ts` stays
        as it is.
        """
        check_state(ts)
        self._rebinding.check("evaluate", ts)
        given = x, y, sample_weight
        source = self._data.source(ts, given, batch_size_of(batch_size, given), steps_of("steps", steps))
        with ExitStack() as used:
            values = self._evaluation(ts, source, used)(ts.params, ts.state)
        assert values is not None
        if math.isnan(values["loss"]):
            self._data.look_again(ts, *given)
        return Results(values)

    def gradients(self, ts: TrainState, x: Any, y: Any, sample_weight: Any = None) -> Any:
        """The gradient of the loss for one batch, a tree like ``ts.params`` with None for what is not trained.

        It is the one that a training step on this batch would use: in training mode, with the penalties, before the
        optimizer clips or scales it. `ts` stays as it is.

        >>> import numpy as np
        >>> from fnet.layers import Dense
        >>> trainer = Trainer(Dense(1, kernel_initializer="ones"), "mse")
        >>> trainer.gradients(trainer.init(random.key(0), (1,)), np.array([[1.0]]), np.array([[3.0]]))
        {'kernel': array([[-4.]], dtype=float32), 'bias': array([-4.], dtype=float32)}
        """
        check_state(ts)
        self._rebinding.check("gradients", ts)
        data = self._data.arrays(ts, 1, x, y, sample_weight)
        measures, _ = self._examiner.measures(ts, data)
        return self._programs.gradient(measures, data)(ts, *tree.leaves(data))

    def predict(self, ts: TrainState, x: Any, batch_size: int | None = None, steps: int | None = None) -> Any:
        """The outputs for the samples, in their order, in inference mode; a tree of arrays for a tree of outputs.

        x may be data sets of a file, or batches of x, (x,), (x, y) or (x, y, sample_weight); steps: how many batches,
        None for all.
        Batches follow each other as in `evaluate`.
        """
        check_state(ts)
        self._rebinding.check("predict", ts)
        steps = steps_of("steps", steps)
        source = self._data.inputs(ts, x, batch_size_of(batch_size, (x, None, None)), steps)
        like, outputs = tree.flatten(unmasked(self._data.forward(ts, source.sample["x"], "x").output))
        predict = self._programs.prediction(source.sample["x"])
        collected = Collected(device_of(tree.leaves(ts.params)), source.count, like)
        network = (ts.params, ts.state)
        with closing(source.batches()) as batches:
            for batch in batches:
                network, *parts = predict(network, *tree.leaves(batch))
                collected.add(parts)
        return tree.unflatten(outputs, collected.arrays())

    def _holds_rates(self, ts: TrainState) -> bool:
        """Whether the state of the optimizer holds its learning rates; refuse one of another optimizer."""

        def find() -> bool:
            trained, _ = split_trained(self._net, ts.params)
            return check_optimizer(self._optimizer.init, trained, ts.opt_state)

        return self._examiner.once(("optimizer", specs((ts.params, ts.opt_state))), find)

    def _rates(self, ts: TrainState) -> Rates:
        """Where the state of the optimizer holds its learning rates."""

        def find() -> Rates:
            trained, _ = split_trained(self._net, ts.params)
            return Rates(self._optimizer.init, self._optimizer.name, trained)

        return self._examiner.once(("rates", specs(ts.params)), find)

    def _evaluation(self, ts: TrainState, source: Source, used: ExitStack) -> Callable[..., dict[str, float] | None]:
        """See `Programs.evaluation`."""
        return self._programs.evaluation(self._examiner.measures(ts, source.sample), ts, source, used)

    def _identity(
        self, ts: TrainState, source: Source, validation: Source | None, arguments: dict[str, Any]
    ) -> dict[str, str]:
        """What a call of `fit` depends on, as texts."""
        words = ("net", "loss", "optimizer", "metrics", "loss_weights", "weighted_metrics")
        held_out = None if validation is None else validation.content
        arrays = source.content | {"ts": ts._asdict(), "validation": held_out}
        return identity(dict(zip(words, self._given, strict=True)) | arguments, arrays)
