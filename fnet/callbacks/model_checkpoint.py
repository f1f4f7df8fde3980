"""Files with a training, or the weights of its network, while it is trained."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any, Literal

from fnet import tree
from fnet.arguments import integer, number
from fnet.callbacks.constructor import CALLBACKS, known_arguments
from fnet.callbacks.monitor import Mode, Monitor
from fnet.errors import StructureError, ValueRangeError
from fnet.io.keras.input_shape import input_samples
from fnet.io.models import save_model
from fnet.io.weights import save_weights
from fnet.train.run import Run


@CALLBACKS.named()
class ModelCheckpoint(Monitor):
    """Save the training, or the weights of its network, after every epoch, or after every `save_freq` steps of the run.

    filepath: the name of a file, ``*.keras`` or ``*.h5`` for trainings, ``*.weights.h5`` for weights; ``{epoch}``
    and ``{batch}``, counted from 1, and the names of the logs are replaced, as in
    ``"{epoch:02d}-{val_loss:.2f}.weights.h5"``. Folders are made. A file takes its place only when it is complete.
    save_best_only: only where `monitor` is better than before, in an earlier run of this callback, too;
    `initial_value_threshold` is the value to be better than at first. mode: "min" or "max" is better; "auto" as the
    metric says. verbose: 1 prints what it does. save_weights_only: weights, to be read by `fnet.load_weights`;
    otherwise the network, what the trainer was made with and the state of the optimizer, for `fnet.load_training`,
    whose next epoch has the bits that this run's has, and for `fnet.load_model`. Where Keras has no word for the loss,
    a metric or the optimizer, it warns and saves the network alone: `fnet.register` gives it a name.
    Raises `ValueRangeError` for a name, mode or frequency that is not allowed, and warns of a monitor that is not
    there: then it saves all the same. Source: Keras ``ModelCheckpoint``.

    >>> ModelCheckpoint("best.weights.h5", save_best_only=True, save_weights_only=True)
    ModelCheckpoint(filepath='best.weights.h5', save_best_only=True, save_weights_only=True)
    """

    remembered = ("best",)
    without = "it saves all the same"

    @known_arguments
    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: Mode = "auto",
        save_freq: Literal["epoch"] | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self._has_told = False
        self.filepath, self.verbose, self.save_best_only = os.fspath(filepath), verbose, save_best_only
        self.save_weights_only = save_weights_only
        if save_weights_only and not self.filepath.endswith(".weights.h5"):
            raise ValueRangeError(
                f"ModelCheckpoint: a file of weights ends in .weights.h5, received filepath={self.filepath!r}. "
                f"Add the ending."
            )
        if not save_weights_only and (
            self.filepath.endswith(".weights.h5") or not self.filepath.endswith((".keras", ".h5", ".hdf5"))
        ):
            raise ValueRangeError(
                f"ModelCheckpoint: a file of a model ends in .keras or .h5, received filepath={self.filepath!r}. For "
                f"weights alone give save_weights_only=True."
            )
        self.save_freq = "epoch" if save_freq == "epoch" else integer(
            "ModelCheckpoint", "save_freq", save_freq, 1, "expected {argument} to be 'epoch' or a number of steps"
        )  # fmt: skip
        if initial_value_threshold is not None:
            number("ModelCheckpoint", "initial_value_threshold", initial_value_threshold, "(-inf, inf)")
        self.forget(initial_value_threshold)

    @property
    def batch_interval(self) -> int | None:
        return None if isinstance(self.save_freq, str) else self.save_freq

    def on_train_begin(self, run: Run) -> None:
        self.forget(self.best)  # a call of `fit` that goes on does not replace the best file by a worse one
        if self.save_best_only:
            self.check_direction(run)

    def on_train_batch_end(self, run: Run) -> None:
        self._save(run)

    def on_epoch_end(self, run: Run) -> None:
        if self.save_freq == "epoch":
            self._save(run)

    def _save(self, run: Run) -> None:
        if self.save_best_only and not self._is_best(run):
            return
        path = self._path(run)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.write(path, run)
        if self.verbose:
            print(f"epoch {run.epoch + 1}: saved {path}")

    def write(self, path: Path, run: Run) -> None:
        """Write the training, or the weights, as they are now."""
        if self.save_weights_only:
            self.write_weights(path, run)
            return
        try:
            self.write_model(path, run, trained=True)
        except StructureError as error:
            self.write_model(path, run, trained=False)  # raises where the network is what cannot be written
            if not self._has_told:
                self._has_told = True
                warnings.warn(
                    f"{type(self).__name__} saves the network without its training: {error}",
                    stacklevel=9,  # at the call of fit
                )

    def write_model(self, path: Path, run: Run, trained: bool) -> None:
        """Write the network, and its training where that is asked for."""
        ts = run.ts
        training = (run.trainer, ts) if trained else ()
        save_model(path, run.net, ts.params, ts.state, *training, shape=_untold_shape(run))

    def write_weights(self, path: Path, run: Run) -> None:
        """Write the weights of the network."""
        save_weights(path, run.net, *run.weights)

    def _is_best(self, run: Run) -> bool:
        value = self.watched(run, depth=10)
        if value is None:
            return True
        if not self.is_better(run, value, self.best):
            return False
        self.best = value
        return True

    def _path(self, run: Run) -> Path:
        numbers = {"batch": run.batch} | run.logs | {"epoch": run.epoch + 1}
        try:
            return Path(self.filepath.format(**numbers))
        except (KeyError, ValueError, IndexError) as error:
            raise ValueRangeError(
                f"ModelCheckpoint: filepath={self.filepath!r} cannot be filled in ({error}); there are "
                f"{', '.join(numbers)}."
            ) from None


def _untold_shape(run: Run) -> Any:
    """The shape of the inputs, where neither the network nor its parameters tell it; else None."""
    try:
        input_samples(run.net, run.ts.params, run.ts.state, None)
    except StructureError:
        return tree.map(lambda samples: samples.shape, run.inputs)
    return None
