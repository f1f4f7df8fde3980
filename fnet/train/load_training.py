"""Training that goes on from a file, of fnet or of Keras."""

from __future__ import annotations

import os

from fnet.io.models import read_training_file
from fnet.train.state import TrainState
from fnet.train.trainer import Trainer


def load_training(path: str | os.PathLike[str]) -> tuple[Trainer, TrainState]:
    """``(trainer, ts)`` of a file with a compiled model: ``trainer.fit(ts, ...)`` goes on where it ended.

    path: a file of ``fnet.save_model(..., trainer=, train_state=)``, or a compiled model that Keras saved. The key and
    the number of steps of fnet's files come back; those of Keras have none, so that the key is ``fnet.random.key(0)``.
    Raises `FileError` for what fnet does not have, as `fnet.load_model`, or where nothing was compiled, and `OSError`
    where there is no file that may be read. Source: Keras ``load_model(compile=True)``.

    >>> import tempfile
    >>> import fnet
    >>> trainer = fnet.Trainer(fnet.layers.Dense(1), "mse", "adam", ["mae"])
    >>> ts = trainer.init(fnet.random.key(0), (2,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = f"{folder}/training.keras"
    ...     fnet.save_model(path, fnet.layers.Dense(1), ts.params, ts.state, trainer=trainer, train_state=ts)
    ...     trainer, loaded = load_training(path)
    >>> bool((loaded.key == ts.key).all())
    True
    """
    net, params, state, training = read_training_file(path)
    trainer = Trainer(net, *training.compiled)
    return trainer, TrainState(params, state, training.opt_state, training.key, training.step)
