"""Files of models and of their weights."""

from __future__ import annotations

import os

from fnet.io.keras.trained import NotTrainedError
from fnet.io.models import read_model_file
from fnet.keras.from_functional import from_functional
from fnet.keras.models.model import Model
from fnet.keras.optimizers import Optimizer
from fnet.networks.samples import Samples
from fnet.train.load_training import load_training


def save_model(
    model: Model, filepath: str | os.PathLike[str], overwrite: bool = True, include_optimizer: bool = True
) -> None:
    """Write a model, with what it was compiled with and the memory of its optimizer: see `fnet.save_model`."""
    model.save(filepath, overwrite, include_optimizer)


def load_model(filepath: str | os.PathLike[str], compile: bool = True) -> Model:
    """The model in a file of fnet or of Keras; one that was compiled goes on training, unless `compile` is False.

    Layers of your own are found by `fnet.register`. Raises what `fnet.load_model` raises.
    Source: Keras ``models.load_model``.
    """
    saved = read_model_file(filepath)
    shape = saved.samples.shape if isinstance(saved.samples, Samples) else None
    model = from_functional(saved.net, saved.params, saved.state, shape)
    if not compile:
        return model
    try:
        trainer, ts = load_training(filepath)
    except NotTrainedError:
        return model
    _, loss, optimizer, metrics, loss_weights, weighted = trainer.arguments
    model.compile(Optimizer(optimizer), loss, metrics, loss_weights, weighted)
    model.go_on(ts)
    return model
