"""The estimator whose outputs are numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.errors import StructureError
from fnet.sklearn.estimator import FnetEstimator
from fnet.sklearn.library import MultiOutputMixin, RegressorMixin, validate_data


class FnetRegressor(RegressorMixin, MultiOutputMixin, FnetEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A network as a regressor of scikit-learn, for one target or several.

    net: a Layer, a function ``net(features, outputs)`` that makes one, or None for a hidden layer of 100 units.
    loss: the mean squared error by default. optimizer, metrics: as for `fnet.Trainer`; epochs, batch_size,
    validation_split, callbacks, shuffle, verbose: as for its `fit`. random_state: an integer gives the same network on
    every run. Networks compute in the dtype of the samples, float64 unless these are float32. Samples and targets are
    taken as they are: put a ``StandardScaler`` before, and a ``TransformedTargetRegressor`` around it.

    After `fit`: `n_features_in_`, `history_`, and the trained network as ``trainer_`` and ``ts_``.
    Weights of samples count as repeated samples do. Estimators with the same parameters share what is compiled.

    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> FnetRegressor(epochs=500, random_state=0).fit(x, 2 * x[:, 0]).score(x, 2 * x[:, 0]) > 0.99
    True
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> FnetRegressor:  # noqa: N803  (scikit-learn's name)
        """Train a fresh network; X: (samples, features), y: (samples,) or (samples, targets), weights: (samples,)."""
        x, y = validate_data(self, X, y, dtype=[np.float64, np.float32], multi_output=True, y_numeric=True)
        rows = np.asarray(y, x.dtype).reshape(len(x), -1)

        def targets(size: int, activation: str | None) -> tuple[Any, np.ndarray]:
            if size != rows.shape[1]:
                raise StructureError(
                    f"FnetRegressor: there are {rows.shape[1]} targets, received a network with {size} outputs. "
                    f"Let net be a function: net(features, outputs)."
                )
            return self.loss or "mse", rows

        self._train(x, targets, rows.shape[1], sample_weight)
        self._one_axis = y.ndim == 1
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The targets: (samples,), or (samples, targets) as they were given to `fit`."""
        outputs = self._outputs(X)
        return outputs[:, 0] if self._one_axis else outputs
