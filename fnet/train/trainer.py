"""The `Trainer`: fit, evaluate and predict as functions of a `TrainState`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fnet import losses, optimizers, random, tree
from fnet import metrics as metric_functions
from fnet.errors import ShapeError, StructureError
from fnet.layer import Layer
from fnet.masking import unmasked
from fnet.train import steps
from fnet.train.checks import check_network, check_optimizer, check_state, check_targets, floating_dtype
from fnet.train.data import as_arrays, as_triple, count, require_count, split
from fnet.train.fit import Callback, Run
from fnet.train.history import History
from fnet.train.interrupt import Interrupt
from fnet.train.loop import Pass
from fnet.train.state import TrainState, copied
from fnet.transforms.jit import Jitted, jit
from fnet.transforms.stage import eval_shape

Data = dict[str, Any]
"""The trees x, y and sample_weight, with None where there is none."""


class Trainer:
    """Trains a network towards a loss: pure functions of a `TrainState`, which they never change.

    net: a `fnet.layer.Layer`; loss: a name or ``loss(y_true, y_pred, *, sample_weight=None)``, for options e.g.
    ``functools.partial(fnet.losses.sparse_categorical_crossentropy, from_logits=True)``; optimizer: a name or an
    `fnet.optimizers.Optimizer`; metrics: names, functions or `fnet.metrics.Metric`, not weighted by sample weights.
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
        loss: str | Callable[..., Any],
        optimizer: str | optimizers.Optimizer = "adam",
        metrics: Any = (),
    ) -> None:
        if not isinstance(net, Layer):
            raise StructureError(
                f"Trainer: net is a Layer, received a {type(net).__name__}. Wrap it: Layer(init, apply)."
            )
        several = isinstance(metrics, list | tuple) and not isinstance(metrics, metric_functions.Metric)
        watched = tuple(map(metric_functions.get, metrics if several else (metrics,)))
        self._recipe = steps.Recipe(net, losses.get(loss), optimizers.get(optimizer), watched)
        self._names = _numbered(metric.name for metric in watched)
        self._compiled: dict[Any, Jitted] = {}

    def init(self, key: np.ndarray, shape: Any, dtype: Any = "float32") -> TrainState:
        """A fresh state for inputs of `shape`, without the batch axis; a tuple of shapes for several inputs.

        >>> from fnet.layers import Dense
        >>> ts = Trainer(Dense(3), "mse").init(random.key(0), (2,))
        >>> ts.params["kernel"].shape, int(ts.step)
        ((2, 3), 0)
        """
        key_of_net, own_key = random.split(key)
        params, state = copied(self._recipe.net.init(key_of_net, shape, dtype))
        opt_state = copied(self._recipe.optimizer.init(steps.split_trained(self._recipe.net, params)[0]))
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
        callbacks: Iterable[Callback] = (),
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

        A first Ctrl-C ends the running chunk of steps (about 50 ms) and returns the last completed step, with the
        finished epochs in the record and ``history.interrupted`` set; a second one raises.
        Raises `NonFiniteError` for a NaN or infinite loss. Errors leave `ts` as it was.
        """
        check_state(ts)
        batch_size, epochs = require_count("batch_size", batch_size), require_count("epochs", epochs)
        initial_epoch = require_count("initial_epoch", initial_epoch, least=0)
        data, validation = self._data(ts, x, y, sample_weight), None
        if validation_data is not None:
            validation = self._data(ts, *as_triple(validation_data), "validation_data ")
        elif validation_split != 0:
            data, validation = split(data, count(data), validation_split)
        check_optimizer(self._recipe.optimizer.init, steps.split_trained(self._recipe.net, ts.params)[0], ts.opt_state)
        n, empty = count(data), steps.no_totals(self._recipe.metrics)
        carry = steps.Training(ts, np.zeros((), np.int64), empty, np.full((), -1, np.int64))
        structure = tree.structure(data)
        passes = Pass(lambda size: self._step(steps.training_step, size, structure), n, batch_size)
        validate = None if validation is None else self._evaluation(ts, validation, batch_size)
        run = Run(passes, carry, data, n, shuffle, empty, self._results, validate)
        history = run.epochs(initial_epoch, epochs, verbose, tuple(callbacks))
        return copied(run.carry.ts), history

    def evaluate(
        self, ts: TrainState, x: Any, y: Any, batch_size: int = 32, sample_weight: Any = None
    ) -> dict[str, float]:
        """The mean loss and the metrics over the samples, in inference mode, by name."""
        check_state(ts)
        batch_size = require_count("batch_size", batch_size)
        values = self._evaluation(ts, self._data(ts, x, y, sample_weight), batch_size)(ts.params, ts.state)
        assert values is not None
        return values

    def predict(self, ts: TrainState, x: Any, batch_size: int = 32) -> Any:
        """The outputs for the samples, in their order, in inference mode; a tree of arrays for a tree of outputs."""
        check_state(ts)
        batch_size = require_count("batch_size", batch_size)
        x = as_arrays("x", x, floating_dtype(ts.params))
        n = count({"x": x})
        check_network(self._recipe.net, ts, x)
        leaves, structure = tree.flatten(x)
        specs, outputs = tree.flatten(self._output(ts, x))
        results = [np.empty((n, *spec.shape[1:]), spec.dtype) for spec in specs]
        predict = self._jitted(("predict", structure), lambda: steps.prediction(self._recipe.net, structure))
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
        check_network(self._recipe.net, ts, data["x"])
        check_targets(self._recipe.loss, data["y"], self._output(ts, data["x"]))
        return data

    def _output(self, ts: TrainState, x: Any) -> Any:
        """The specs of the output for all of `x`."""
        apply = self._recipe.net.apply
        output = eval_shape(lambda params, state, x: unmasked(apply(params, state, x)[0]), ts.params, ts.state, x)
        n = len(tree.leaves(x)[0])
        for spec in tree.leaves(output):
            if spec.shape[:1] != (n,):
                raise ShapeError(
                    f"the network must keep the batch as its first axis: {n} samples gave the shape {spec.shape}."
                )
        return output

    def _evaluation(self, ts: TrainState, data: Data, batch_size: int) -> Callable[..., dict[str, float] | None]:
        """The function ``(params, state, interrupt=None) -> results`` over `data`, None where it was interrupted."""
        leaves, structure = tree.flatten(data)
        start = steps.Evaluation(ts.params, ts.state, np.zeros((), np.int64), steps.no_totals(self._recipe.metrics))
        passes = Pass(lambda size: self._step(steps.evaluation_step, size, structure), count(data), batch_size)

        def evaluate(params: Any, state: Any, interrupt: Interrupt | None = None) -> dict[str, float] | None:
            totals = start.totals
            for _, carry in passes.run(start._replace(params=params, state=state), *leaves):
                totals = carry.totals
                if interrupt is not None and interrupt.requested:
                    return None
            return self._results(totals)

        return evaluate

    def _step(self, make: Callable[..., Any], size: int, structure: tree.TreeDef) -> Jitted:
        return self._jitted((make, size, structure), lambda: make(self._recipe, size, structure))

    def _jitted(self, key: Any, make: Callable[[], Callable[..., Any]]) -> Jitted:
        """The compiled function of this key; its first argument is carried."""
        if key not in self._compiled:
            self._compiled[key] = jit(make(), donate=0)
        return self._compiled[key]

    def _results(self, totals: steps.Totals) -> dict[str, float]:
        """Loss and metrics by name, from the sums over an epoch."""
        results = {"loss": float(totals.loss / totals.count)}
        for name, metric, state in zip(self._names, self._recipe.metrics, totals.metrics, strict=True):
            results[name] = float(metric.result(state))
        return results


def _numbered(names: Iterable[str]) -> tuple[str, ...]:
    """The names, distinct among each other and from "loss": the second of a name gets _1, as in Keras."""
    taken = ["loss"]
    for name in names:
        distinct, number = name, 0
        while distinct in taken:
            number += 1
            distinct = f"{name}_{number}"
        taken.append(distinct)
    return tuple(taken[1:])
