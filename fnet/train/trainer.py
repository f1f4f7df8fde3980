"""The `Trainer`: fit, evaluate and predict as functions of a `TrainState`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fnet import losses, metrics, optimizers, random, tree
from fnet.errors import NonFiniteError, ShapeError, StructureError
from fnet.layer import Layer
from fnet.train import steps
from fnet.train.checks import check_network, check_optimizer, check_state, check_targets, floating_dtype
from fnet.train.data import as_arrays, as_pair, count, epoch_order, require_count, split
from fnet.train.history import History
from fnet.train.interrupt import Interrupt
from fnet.train.loop import Pass
from fnet.train.progress import Progress
from fnet.train.state import TrainState, copied
from fnet.transforms.jit import Jitted, jit
from fnet.transforms.stage import eval_shape

Callback = Callable[[int, dict[str, float], TrainState], Any]
"""Called as ``callback(epoch, logs, ts)`` after each epoch; returning "stop" ends the training."""


class Trainer:
    """Trains a network towards a loss: pure functions of a `TrainState`, which they never change.

    net: a `fnet.layer.Layer`; loss: a name or ``loss(y_true, y_pred, *, sample_weight=None)``, for options e.g.
    ``functools.partial(fnet.losses.sparse_categorical_crossentropy, from_logits=True)``; optimizer: a name or an
    `fnet.optimizers.Optimizer`; metrics: names, functions or `fnet.metrics.Metric`, not weighted by sample weights.
    Raises `ValueRangeError` for an unknown name. Source: Keras ``Model.compile``, ``fit``, ``evaluate``, ``predict``.

    >>> import numpy as np, fnet
    >>> from fnet.layers import Dense
    >>> trainer = Trainer(Dense(1), loss="mse", optimizer=fnet.optimizers.sgd(0.5))
    >>> ts = trainer.init(fnet.random.key(0), (1,))
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
            raise StructureError(f"Trainer: net is a Layer, received a {type(net).__name__}. Wrap it: Layer(init, apply).")
        self._recipe = steps.Recipe(net, losses.get(loss), optimizers.get(optimizer), _metrics(metrics))
        self._names = _distinct(metric.name for metric in self._recipe.metrics)
        self._compiled: dict[Any, Jitted] = {}

    def init(self, key: np.ndarray, shape: Any, dtype: Any = "float32") -> TrainState:
        """A fresh state for inputs of `shape`, without the batch axis; a tuple of shapes for several inputs.

        >>> from fnet.layers import Dense
        >>> ts = Trainer(Dense(3), "mse").init(random.key(0), (2,))
        >>> ts.params["kernel"].shape, int(ts.step)
        ((2, 3), 0)
        """
        random.check_key(key)
        key_of_net, own_key = random.split(key)
        params, state = copied(self._recipe.net.init(key_of_net, shape, dtype))
        opt_state = copied(self._recipe.optimizer.init(params))
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
        the epoch and in inference mode, the same under ``val_`` names.

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
        data = self._data(ts, x, y, sample_weight)
        n, validation = count(data), None
        if validation_data is not None:
            validation = self._data(ts, *as_pair(validation_data), prefix="validation ")
        elif validation_split != 0:
            data, validation = split(data, n, validation_split)
            n = count(data)
        check_optimizer(self._recipe.optimizer.init, ts)
        for part in (data, validation):
            if part is not None:
                self._check(ts, part)
        run = _Fit(self, ts, data, n, batch_size, shuffle)
        validate = None if validation is None else self._evaluator(ts, validation, batch_size)
        history = History()
        progress = Progress(verbose, epochs, run.steps)
        callbacks = tuple(callbacks)
        with Interrupt() as interrupt:
            try:
                for epoch in range(initial_epoch, epochs):
                    progress.begin(epoch)
                    for done in run.epoch(epoch):
                        progress.advance(done, run.mean_loss())
                        if interrupt.requested:
                            raise KeyboardInterrupt
                    logs = self._logs(run.carry.totals)
                    if validate is not None:
                        values = validate(run.carry.ts.params, run.carry.ts.state, interrupt)
                        logs |= {f"val_{name}": value for name, value in values.items()}
                    history.append(epoch, logs)
                    progress.end(epoch, logs)
                    if callbacks and "stop" in [call(epoch, dict(logs), copied(run.carry.ts)) for call in callbacks]:
                        break
                    if interrupt.requested:
                        raise KeyboardInterrupt
            except KeyboardInterrupt:
                history.interrupted = True
            finally:
                progress.close()
        return copied(run.carry.ts), history
