"""The estimator whose outputs are the probabilities of classes."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from fnet import losses, ops
from fnet.errors import StructureError
from fnet.sklearn import trainers
from fnet.sklearn.estimator import FnetEstimator
from fnet.sklearn.library import ClassifierMixin, check_classification_targets, column_or_1d, validate_data


class FnetClassifier(ClassifierMixin, FnetEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A network as a classifier of scikit-learn.

    net: a Layer, a function ``net(features, outputs)`` that makes one, with an output for each class, or None for a
    hidden layer of 100 units. A network of two classes may have one output, of the second class. It may end with
    softmax or sigmoid or with logits. loss: by default the crossentropy that belongs to this. A loss of labels
    (``sparse_categorical_crossentropy``) and one of the user's own get the numbers of the classes, others of fnet get
    one-hot rows. optimizer, metrics: as for `fnet.Trainer`; epochs, batch_size, validation_split, callbacks, shuffle,
    verbose: as for its `fit`. random_state: an integer gives the same network on every run. Networks compute in the
    dtype of the samples, float64 unless these are float32.

    After `fit`: `classes_`, `n_features_in_`, `history_`, and the trained network as ``trainer_`` and ``ts_``.
    Weights of samples count as repeated samples do. Estimators with the same parameters share what is compiled.

    >>> import numpy as np
    >>> x, y = np.array([[-2.0], [-1.0], [1.0], [2.0]]), ["low", "low", "high", "high"]
    >>> FnetClassifier(random_state=0).fit(x, y).predict([[-3.0], [3.0]]).tolist()
    ['low', 'high']
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> FnetClassifier:  # noqa: N803  (scikit-learn's name)
        """Train a fresh network; X: (samples, features), y: (samples,) classes, sample_weight: (samples,) or None."""
        x, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        self.classes_, labels = np.unique(column_or_1d(y, warn=True), return_inverse=True)
        self._train(x, lambda size, last: self._targets(labels, size, last, x.dtype), self._count, sample_weight)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """The probabilities of the classes, in the order of `classes_`: (samples, classes)."""
        outputs = self._outputs(X)
        if len(self.classes_) == 1:
            return np.ones((len(outputs), 1), outputs.dtype)
        if outputs.shape[1] == 1:
            second = outputs if self._activation == "sigmoid" else np.asarray(ops.sigmoid(outputs))
            return np.concatenate([1 - second, second], axis=1)
        return outputs if self._activation == "softmax" else np.asarray(ops.softmax(outputs))

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The most probable classes: (samples,)."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    @property
    def _count(self) -> int:
        """How many outputs a network for these classes has."""
        return max(len(self.classes_), 2)

    def _targets(self, labels: np.ndarray, size: int, activation: str | None, dtype: Any) -> tuple[Any, np.ndarray]:
        """The loss for a network with outputs like these, and what it compares with."""
        if size not in ((1, 2) if self._count == 2 else (self._count,)):
            raise StructureError(
                f"FnetClassifier: there are {len(self.classes_)} classes, for which the network needs {self._count} "
                f"outputs, received one with {size}. Let net be a function: net(features, outputs)."
            )
        loss = self.loss or _crossentropy(size, activation)
        if size == 1:
            return loss, labels[:, None].astype(dtype)
        return loss, labels if trainers.takes_labels(loss) else np.eye(size, dtype=dtype)[labels]


@functools.cache
def _crossentropy(outputs: int, activation: str | None) -> losses.Loss:
    """The crossentropy of labels for outputs that this activation made; one object, so that trainers are shared."""
    if outputs == 1:
        return losses.BinaryCrossentropy(from_logits=activation != "sigmoid")
    return losses.SparseCategoricalCrossentropy(from_logits=activation != "softmax")
