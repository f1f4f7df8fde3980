"""The `Trainer`: fit, evaluate and predict as functions of a `TrainState`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from fnet import optimizers, random, tree
from fnet.errors import BatchSizeError, ShapeError, StructureError
from fnet.layer import Layer
from fnet.masking import unmasked
from fnet.spec import ArraySpec
from fnet.train import steps
from fnet.train.checks import check_network, check_optimizer, check_state, floating_dtype, weights_of_classes
from fnet.train.data import as_arrays, as_triple, count, require_count, split
from fnet.train.fit import Callback, Run
from fnet.train.history import History
from fnet.train.interrupt import Interrupt
from fnet.train.loop import Pass
from fnet.train.objective import Bound, Objective
from fnet.train.state import TrainState, copied
from fnet.transforms.jit import Jitted, jit
from fnet.transforms.stage import eval_shape

Data = dict[str, Any]
"""The trees x, y and sample_weight, with None where there is none."""


class Trainer:
    """Trains a network towards a loss: pure functions of a `TrainState`, which they never change.

    net: a `fnet.layer.Layer`; loss: a name, a configured loss (``fnet.losses.Huber(delta=2.0)``) or a function
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
        loss: Any,
        optimizer: Any = "adam",
        metrics: Any = (),
        loss_weights: Any = None,
        weighted_metrics: Any = (),
    ) -> None:
        if not isinstance(net, Layer):
            raise StructureError(
                f"Trainer: net is a Layer, received a {type(net).__name__}. Wrap it: Layer(init, apply)."
            )
        self._net, self._optimizer = net, optimizers.get(optimizer)
        self._objective = Objective(net, loss, loss_weights, metrics, weighted_metrics)
        self._compiled: dict[Any, Jitted] = {}

    def init(self, key: np.ndarray, shape: Any, dtype: Any = "float32") -> TrainState:
        """A fresh state for inputs of `shape`, without the batch axis; a tuple of shapes for several inputs.

        >>> from fnet.layers import Dense
        >>> ts = Trainer(Dense(3), "mse").init(random.key(0), (2,))
        >>> ts.params["kernel"].shape, int(ts.step)
        ((2, 3), 0)
        """
        key_of_net, own_key = random.split(key)
        params, state = copied(self._net.init(key_of_net, shape, dtype))
        opt_state = copied(self._optimizer.init(steps.split_trained(self._net, params)[0]))
        return TrainState(params, state, opt_state, np.array(own_key), np.zeros((), np.int64))

    def fit(
        self,
        ts: TrainState,
        x: Any,
        y: Any,
        batch_size: int = 32,
        epochs: int = 1,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        sample_weight: Any = None,
        verbose: bool = True,
        initial_epoch: int = 0,
        callbacks: Callback | Iterable[Callback] = (),
        class_weight: Mapping[int, float] | None = None,
    ) -> tuple[TrainState, History]:
        """Train for the epochs `initial_epoch` to ``epochs - 1`` and return the new state and the record.

        x, y: arrays, or trees of arrays, with the samples first; floats are converted to the dtype of the parameters.
        The last batch of an epoch may be smaller. `validation_split` sets the last part of the samples aside, before
        any shuffling; `validation_data`, (x, y) or (x, y, sample_weight), takes its place. The record has the mean
        loss and the metrics over each epoch, in training mode and before each update, and for validation, after
        the epoch and in inference mode, the same under ``val_`` names. `verbose` shows progress.

        The result depends on the arguments alone, to the bit. The order of samples derives from ``ts.key`` and the
        number of updates at which the epoch begins, the randomness of a step from ``ts.key`` and its number: so two
        calls with one epoch each do what one call with two epochs does.

        An optimizer's mean of the parameters (``use_ema=True``) stays beside them in ``ts.opt_state``, so that a call
        can go on where one ended; Keras writes it over the parameters at the end of ``fit``, which here is
        ``ts._replace(params=tree.combine(optimizers.averaged_params(ts.opt_state), ts.params))``.

        A first Ctrl-C ends the running chunk of steps (about 50 ms) and returns the last completed step, with the
        finished epochs in the record and ``history.interrupted`` set; a second one raises.
        Raises `NonFiniteError` for a NaN or infinite loss. Errors leave `ts` as it was.
        """
        check_state(ts)
        batch_size, epochs = require_count("batch_size", batch_size), require_count("epochs", epochs)
        initial_epoch = require_count("initial_epoch", initial_epoch, least=0)
        sample_weight = sample_weight if class_weight is None else weights_of_classes(class_weight, y, sample_weight)
        data, validation = self._data(ts, x, y, sample_weight), None
        if validation_data is not None:
            validation = self._data(ts, *as_triple(validation_data), "validation_data ")
        elif validation_split != 0:
            data, validation = split(data, count(data), validation_split)
        check_optimizer(self._optimizer.init, steps.split_trained(self._net, ts.params)[0], ts.opt_state)
        objective, empty = self._start(ts, data)
        n = count(data)
        carry = steps.Training(ts, np.zeros((), np.int64), empty, np.full((), -1, np.int64))
        structure = tree.structure(data)
        passes = Pass(lambda size: self._step(steps.training_step, objective, size, structure), n, batch_size)
        validate = None if validation is None else self._evaluation(ts, validation, batch_size)
        run = Run(passes, carry, data, n, shuffle, empty, functools.partial(_results, objective), validate)
        history = run.epochs(initial_epoch, epochs, verbose, (callbacks,) if callable(callbacks) else tuple(callbacks))
        return copied(run.carry.ts), history

    def evaluate(
        self, ts: TrainState, x: Any, y: Any, batch_size: int = 32, sample_weight: Any = None
    ) -> dict[str, float]:
        """The mean loss and the metrics over the samples, in inference mode, by name.

        Batches follow each other, so what a layer keeps from one (``LSTM(stateful=True)``) reaches the next; `ts` stays
        as it is.
        """
        check_state(ts)
        batch_size = require_count("batch_size", batch_size)
        values = self._evaluation(ts, self._data(ts, x, y, sample_weight), batch_size)(ts.params, ts.state)
        assert values is not None
        return values

    def predict(self, ts: TrainState, x: Any, batch_size: int = 32) -> Any:
        """The outputs for the samples, in their order, in inference mode; a tree of arrays for a tree of outputs.

        Batches follow each other as in `evaluate`.
        """
        check_state(ts)
        batch_size = require_count("batch_size", batch_size)
        x = as_arrays("x", x, floating_dtype(ts.params))
        n = count({"x": x})
        check_network(self._net, ts, x)
        leaves, structure = tree.flatten(x)
        specs, outputs = tree.flatten(self._output(ts, x))
        results = [np.empty((n, *spec.shape[1:]), spec.dtype) for spec in specs]
        predict = self._jitted(("predict", structure), lambda: steps.prediction(self._net, structure))
        network = (ts.params, ts.state)
        for start in range(0, n, batch_size):
            stop = min(start + batch_size, n)
            network, *parts = predict(network, *(leaf[start:stop] for leaf in leaves))
            for result, part in zip(results, parts, strict=True):
                result[start:stop] = part
        return tree.unflatten(outputs, results)

    def _data(self, ts: TrainState, x: Any, y: Any, sample_weight: Any, prefix: str = "") -> Data:
        """The arguments as arrays, checked against each other, the network and the loss."""
        dtype = floating_dtype(ts.params)
        given = {"x": x, "y": y, "sample_weight": sample_weight}
        data = {
            name: None if value is None else as_arrays(prefix + name, value, dtype) for name, value in given.items()
        }
        count({prefix + name: value for name, value in data.items()})
        check_network(self._net, ts, data["x"])
        output = self._output(ts, data["x"])
        self._objective.bind(self._objective.outputs(output)).check(data["y"], output)
        return data

    def _start(self, ts: TrainState, data: Data) -> tuple[Bound, steps.Totals]:
        """The objective for the outputs of the network, and the totals before the first batch."""
        output = self._output(ts, data["x"])
        objective = self._objective.bind(self._objective.outputs(output))
        return objective, steps.no_totals(objective, data, output)

    def _output(self, ts: TrainState, x: Any) -> Any:
        """The specs of the output for all of `x`."""
        n = len(tree.leaves(x)[0])
        try:
            return self._output_of(ts, x, n)
        except BatchSizeError as error:  # of a layer for batches of one size
            output = self._output_of(ts, x, error.expected)
            return tree.map(lambda spec: ArraySpec((n, *spec.shape[1:]), spec.dtype), output)

    def _output_of(self, ts: TrainState, x: Any, n: int) -> Any:
        """The specs of the output for `n` samples like those of `x`."""
        apply, samples = self._net.apply, tree.map(lambda leaf: ArraySpec((n, *leaf.shape[1:]), leaf.dtype), x)
        output = eval_shape(lambda params, state, x: unmasked(apply(params, state, x)[0]), ts.params, ts.state, samples)
        for spec in tree.leaves(output):
            if spec.shape[:1] != (n,):
                raise ShapeError(
                    f"the network must keep the batch as its first axis: {n} samples gave the shape {spec.shape}."
                )
        return output

    def _evaluation(self, ts: TrainState, data: Data, batch_size: int) -> Callable[..., dict[str, float] | None]:
        """The function ``(params, state, interrupt=None) -> results`` over `data`, None where it was interrupted."""
        leaves, structure = tree.flatten(data)
        objective, empty = self._start(ts, data)
        start = steps.Evaluation(ts.params, ts.state, np.zeros((), np.int64), empty)
        passes = Pass(
            lambda size: self._step(steps.evaluation_step, objective, size, structure), count(data), batch_size
        )

        def evaluate(params: Any, state: Any, interrupt: Interrupt | None = None) -> dict[str, float] | None:
            totals = start.totals
            for _, carry in passes.run(start._replace(params=params, state=state), *leaves):
                totals = carry.totals
                if interrupt is not None and interrupt.requested:
                    return None
            return _results(objective, totals)

        return evaluate

    def _step(self, make: Callable[..., Any], objective: Bound, size: int, structure: tree.TreeDef) -> Jitted:
        recipe = steps.Recipe(self._net, objective, self._optimizer)
        return self._jitted((make, objective.outputs, size, structure), lambda: make(recipe, size, structure))

    def _jitted(self, key: Any, make: Callable[[], Callable[..., Any]]) -> Jitted:
        """The compiled function of this key; its first argument is carried."""
        if key not in self._compiled:
            self._compiled[key] = jit(make(), donate=0)
        return self._compiled[key]


def _results(objective: Bound, totals: steps.Totals) -> dict[str, Any]:
    """Losses and metrics by name, from the sums over an epoch; a metric of several numbers gives an array."""
    results: dict[str, Any] = {"loss": float(totals.loss / totals.count)}
    for output, total in totals.parts.items():
        results[f"{output}_loss"] = float(total / totals.count)
    for watched, state in zip(objective.watched, totals.metrics, strict=True):
        value = np.asarray(watched.metric.result(state))
        results[watched.name] = float(value) if value.ndim == 0 else value
    return results
