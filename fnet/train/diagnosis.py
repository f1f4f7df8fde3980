"""Why a loss is not finite: the step runs again, eagerly, and each layer's output is checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fnet import random, tree
from fnet.errors import FnetError
from fnet.masking import Masked, split_mask
from fnet.networks.layer import Layer
from fnet.networks.watching import watching
from fnet.train.data import STEP
from fnet.train.measures import BoundMeasures
from fnet.train.state import TrainState

ADVICE = "Lower the learning rate, or clip gradients with fnet.optimizers.clip_by_global_norm."


def cause(net: Layer, measures: BoundMeasures, data: Mapping[str, Any], ts: TrainState, samples: np.ndarray) -> str:
    """What in the training step at `ts` on these samples of the data is wrong, and what to do about it."""
    batch = tree.map(lambda leaf: leaf[samples], dict(data))
    for path, leaf in tree.leaves_with_path(batch):
        if not np.isfinite(leaf).all():
            whole = np.isfinite(dict(tree.leaves_with_path(dict(data)))[path])
            sample = int(np.argmin(whole.reshape(len(whole), -1).all(axis=1)))
            return f"{path} holds NaN or infinities ({int(np.sum(~whole))}), first in sample {sample}: clean the data."
    key = random.fold_in(random.fold_in(ts.key, STEP), ts.step)
    watch = _Watch()
    try:
        with watching(watch), np.errstate(all="ignore"):
            y, _ = net.apply(ts.params, ts.state, batch["x"], key=key, train=True)
            value, _ = measures.value(batch, y)
    except FnetError as error:
        return f"In the batch of the samples {_shown(samples)}: {error}"
    if watch.found is not None:
        return f"The output of '{watch.found}' is the first that is not finite. {ADVICE}"
    where = "" if np.isfinite(value) else f"The outputs of the batch (samples {_shown(samples)}) are finite. "
    return f"{where}{ADVICE}"


class _Watch:
    """Finds the first layer, by its path, whose output has a NaN or an infinity that counts."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self.found: str | None = None

    def enter(self, name: str, layer: Layer, x: Any) -> None:
        self._path.append(name)

    def leave(self, y: Any) -> Any:
        if self.found is None and not _is_finite(y):
            self.found = "/".join(self._path)
        self._path.pop()
        return y


def _is_finite(y: Any) -> bool:
    parts = [split_mask(part) for part in tree.leaves(y, is_leaf=lambda part: isinstance(part, Masked))]
    return all(np.isfinite(values if mask is None else values[mask]).all() for values, mask in parts)


def _shown(samples: np.ndarray) -> str:
    return ", ".join(map(str, samples[:5].tolist())) + (", ..." if len(samples) > 5 else "")
