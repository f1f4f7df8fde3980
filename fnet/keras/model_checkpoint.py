"""A callback that saves a model of `fnet.keras`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fnet import callbacks
from fnet.train.run import Run


class ModelCheckpoint(callbacks.ModelCheckpoint):
    """Save the model as `Model.save` does, with its training, or its weights as `Model.save_weights` does.

    The arguments are those of `fnet.callbacks.ModelCheckpoint`. Source: Keras ``ModelCheckpoint``.

    >>> ModelCheckpoint("best.weights.h5", save_best_only=True, save_weights_only=True)
    ModelCheckpoint(filepath='best.weights.h5', save_best_only=True, save_weights_only=True)
    """

    model: Any = None  # set where `fit` begins

    def write_model(self, path: Path, run: Run, trained: bool) -> None:
        self.model.go_on(run.ts)
        self.model.save(path, include_optimizer=trained)

    def write_weights(self, path: Path, run: Run) -> None:
        self.model.go_on(run.ts)
        self.model.save_weights(path)
