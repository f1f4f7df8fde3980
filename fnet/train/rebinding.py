"""The state that `fit` returns, and a warning where the one from before training is used in its place."""

from __future__ import annotations

import warnings
import weakref
from typing import Any, NoReturn

from fnet import tree
from fnet.train.history import History
from fnet.train.state import TrainState
from fnet.transforms.operand import is_operand


class _Token:
    """Lives as long as the `Fitted` that holds it. There are no weak references to a tuple, so they refer to this."""


class _Record:
    """Weak references to the parameters that a `fit` was given and to those that it returned."""

    def __init__(self, given: list[Any], returned: list[Any], token: _Token) -> None:
        self.given, self.returned = _references(given), _references(returned)
        self.token = weakref.ref(token)
        self.taken = False

    @property
    def dropped(self) -> bool:
        """Whether the result of `fit` is gone without a look at it."""
        return not self.taken and self.token() is None

    @property
    def lost(self) -> bool:
        """Whether nobody can use the new parameters: the result was never unpacked, or they are gone."""
        return not self.taken or all(reference() is None for reference in self.returned)


class Fitted(tuple[TrainState, History]):
    """The pair ``(ts, history)``, to be unpacked; it knows whether it was."""

    _record: _Record
    _token: _Token

    def __iter__(self) -> Any:
        self._take()
        return super().__iter__()

    def __getitem__(self, index: Any) -> Any:
        self._take()
        return super().__getitem__(index)

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"fit returns a pair, which has no attribute '{name}': write ts, history = trainer.fit(ts, ...)."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (tuple(self),)

    def _take(self) -> None:
        if "_record" in self.__dict__:
            self._record.taken = True


class Rebinding:
    """What became of the state that the latest `fit` returned."""

    def __init__(self) -> None:
        self._latest: _Record | None = None

    def returned(self, given: TrainState, ts: TrainState, history: History) -> Fitted:
        """The result of a `fit` that was given the state `given`."""
        fitted, token = Fitted((ts, history)), _Token()
        record = _Record(tree.leaves(given.params), tree.leaves(ts.params), token)
        fitted.__dict__.update(_record=record, _token=token)
        self._latest = record
        return fitted

    def check(self, method: str, ts: TrainState) -> None:
        """Warn where `method` is given the state from before the latest `fit`, and the one after it is not in use."""
        record = self._latest
        if record is None or not (record.dropped if method == "fit" else record.lost):
            return
        leaves = tree.leaves(ts.params)
        if not leaves or len(leaves) != len(record.given):
            return
        if all(reference() is leaf for reference, leaf in zip(record.given, leaves, strict=True)):
            warnings.warn(
                f"{method} was given the state from before the last fit, which does not change it, and the trained one "
                f"is not in use. Keep what fit returns: ts, history = trainer.fit(ts, ...).",
                stacklevel=3,
            )


def _references(leaves: list[Any]) -> list[weakref.ref]:
    return [weakref.ref(leaf) for leaf in leaves if is_operand(leaf)]
