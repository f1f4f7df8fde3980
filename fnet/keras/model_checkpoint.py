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

    def write(self, path: Path, run: Run) -> None:
        """Write the model, or its weights, as they are now."""
        self.model.go_on(run.ts._replace(params=run.weights[0], state=run.weights[1]))
        (self.model.save_weights if self.save_weights_only else self.model.save)(path)
