"""Validate, and keep, the mean of the parameters that an optimizer has."""

from __future__ import annotations

from typing import Any

from fnet import tree
from fnet.arguments import flag
from fnet.callbacks.constructor import CALLBACKS, known_arguments
from fnet.optimizers import averaged_params
from fnet.train.callback import Callback
from fnet.train.run import Run
from fnet.train.state import TrainState


@CALLBACKS.named()
class SwapEMAWeights(Callback):
    """Epochs are validated with the mean of the parameters, of an optimizer with ``use_ema=True``.

    swap_on_epoch: the mean is also in the parameters that later callbacks of `on_epoch_end` see, such as
    `ModelCheckpoint`, and at the end of the training; between, the parameters are those that are trained.
    Raises `StructureError` for an optimizer that keeps no mean. Source: Keras ``SwapEMAWeights``.
    """

    remembered = ("trained",)

    @known_arguments
    def __init__(self, swap_on_epoch: bool = False) -> None:
        self.swap_on_epoch = flag("SwapEMAWeights", "swap_on_epoch", swap_on_epoch)
        self.trained: Any = None  # the parameters that the mean has taken the place of

    def on_train_begin(self, run: Run) -> None:
        self.trained = None
        _averaged(run.ts)

    def on_epoch_begin(self, run: Run) -> None:
        if self.trained is not None:
            run.replace(run.ts._replace(params=self.trained))
            self.trained = None

    def validation_params(self, run: Run) -> Any:
        return _averaged(run.ts)

    def on_epoch_end(self, run: Run) -> None:
        if self.swap_on_epoch:
            ts = run.ts
            self.trained = ts.params
            run.replace(ts._replace(params=_averaged(ts)))


def _averaged(ts: TrainState) -> Any:
    """The parameters, the mean for all that are trained."""
    return tree.combine(averaged_params(ts.opt_state), ts.params)
