"""What a layer learns from data: a state, by a pass over the data that no gradient takes part in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Learning(NamedTuple):
    """How `fnet.adapt` makes the state of a layer: as a metric is made, batch by batch.

    begin: ``begin() -> summary``, of no data. update: ``update(summary, x) -> summary``, where x is a batch of inputs
    on the host. finish: ``finish(summary, state) -> state``; the state that is given is the one of before. The summary
    may be anything. Of the same samples in other batches comes the same state, up to rounding.
    """

    begin: Callable[[], Any]
    update: Callable[[Any, Any], Any]
    finish: Callable[[Any, Any], Any]
