"""What classifier and regressor share: parameters, training, outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from fnet import random
from fnet.errors import ValueRangeError
from fnet.losses.names import LossLike
from fnet.metrics.names import MetricLike
from fnet.optimizers import Optimizer
from fnet.sklearn import trainers
from fnet.sklearn.library import (
    BaseEstimator,
    check_is_fitted,
    check_random_state,
    checked_sample_weight,
    validate_data,
)
from fnet.train.callbacks import CallbackLike


class FnetEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A network as an estimator of scikit-learn; `FnetClassifier` and `FnetRegressor` say what its outputs are."""

    def __init__(
        self,
        net: trainers.NetLike = None,
        loss: LossLike | None = None,
        optimizer: str | Optimizer | Callable[[], Optimizer] = "adam",
        metrics: MetricLike | Sequence[MetricLike] = (),
        epochs: int = 200,
        batch_size: int = 200,
        validation_split: float = 0.0,
        callbacks: CallbackLike | Iterable[CallbackLike | None] | None = None,
        shuffle: bool = True,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.net = net
        self.loss = loss
        self.optimizer = optimizer
        self.metrics = metrics
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_split = validation_split
        self.callbacks = callbacks
        self.shuffle = shuffle
        self.random_state = random_state
        self.verbose = verbose

    def _train(self, x: np.ndarray, targets: Callable[[int, str | None], Any], outputs: int, weight: Any) -> None:
        """Make the network and train it.

        targets: gives the loss and the targets for the network, the size of its output and its last activation.
        """
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        net = trainers.network(self.net, x.shape[1], outputs)
        start = random.key(int(seed))
        params, state = net.init(start, x.shape[1:], x.dtype)
        size, activation = trainers.activation_of(net, params, state, x.shape[1], x.dtype)
        loss, y = targets(size, activation)
        trainer = trainers.trainer(net, loss, self.optimizer, self.metrics)
        ts, history = trainer.fit(
            trainer.init(start, x.shape[1:], x.dtype),
            x,
            y,
            batch_size=self.batch_size,
            epochs=self.epochs,
            validation_split=self.validation_split,
            shuffle=self.shuffle,
            sample_weight=None if weight is None else self._of_mean_one(weight, x),
            verbose=self.verbose,
            callbacks=self.callbacks,
        )
        self.ts_, self.history_, self._trainer, self._activation = ts, history, trainer, activation

    @property
    def trainer_(self) -> Any:
        """The `fnet.Trainer` that has trained the network ``ts_``."""
        check_is_fitted(self)
        return self._trainer

    @staticmethod
    def _of_mean_one(weight: Any, x: np.ndarray) -> np.ndarray:
        """The weights times a number, so that a sample with the weight 2 counts as two samples do.

        The mean of a batch is over its samples, whatever they weigh. So without this, training would be slower the
        smaller the weights are.
        """
        weight = checked_sample_weight(weight, x, dtype=x.dtype, ensure_non_negative=True)
        mean = weight.mean()
        if not mean > 0:
            raise ValueRangeError("sample_weight: expected a sum above 0, received weights that are all 0.")
        return weight / mean

    def _outputs(self, x: Any) -> np.ndarray:
        """The outputs of the network for samples: (samples, outputs)."""
        check_is_fitted(self)
        x = validate_data(self, x, reset=False, dtype=[np.float64, np.float32])
        return self._trainer.predict(self.ts_, x, batch_size=max(self.batch_size, 200))
