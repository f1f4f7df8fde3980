"""One loss for a network with several outputs: the weighted sum of the losses of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fnet.arguments import is_number
from fnet.errors import StructureError, ValueRangeError, did_you_mean, scope
from fnet.losses.names import get

Key = str | int


class CombinedLoss:
    """``loss(y_true, y_pred, *, sample_weight=None)``, made by `combine`.

    `values` gives the losses of the outputs one by one, and `total` their weighted sum, so that a training step can
    report both: ``loss(y, p) == loss.total(loss.values(y, p))``.
    """

    name = "combined"

    def __init__(self, losses: Any, weights: Any = None, names: Sequence[str] | None = None) -> None:
        self.names = None if names is None else tuple(names)
        self._losses = _each(lambda loss: None if loss is None else get(loss), losses)
        self._weights = _each(_checked_weight, weights)
        if self.names is not None:
            self._of_outputs("losses", self._losses, self.names)
            self._of_outputs("weights", weights, self.names)

    def __call__(self, y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> Any:
        return self.total(self.values(y_true, y_pred, sample_weight=sample_weight))

    def values(self, y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> dict[Key, Any]:
        """The loss of each output that has one, not yet weighted: by name, or by position where there are no names."""
        if not isinstance(y_pred, Mapping | list | tuple):
            y_true, y_pred = [y_true], [y_pred]
        keys: tuple[Key, ...] = self.names or tuple(y_pred if isinstance(y_pred, Mapping) else range(len(y_pred)))
        named = self.names is not None or isinstance(y_pred, Mapping)
        losses = self._of_outputs("losses", self._losses, keys, named)
        self._of_outputs("weights", self._weights, keys, named)
        outputs = _by_key("y_pred", y_pred, keys)
        targets = _by_key("y_true", y_true, keys)
        several = isinstance(sample_weight, Mapping | list | tuple)
        weights = _by_key("sample_weight", sample_weight, keys) if several else dict.fromkeys(keys, sample_weight)
        values = {}
        for key, loss in losses.items():
            if loss is None:
                continue
            for what, given in (("y_true", targets), ("y_pred", outputs)):
                if key not in given:
                    raise StructureError(f"combine: output {key!r} has a loss, but {what} has no entry for it.")
            options = {} if weights.get(key) is None else {"sample_weight": weights[key]}
            with scope(f"output {key}"):
                values[key] = loss(targets[key], outputs[key], **options)
        if not values:
            raise StructureError("combine: no output has a loss. Give at least one of them a loss that is not None.")
        return values

    def losses_of(self, outputs: Sequence[Key]) -> dict[Key, Any]:
        """The loss of each of these outputs, None for one without a loss."""
        return self._of_outputs("losses", self._losses, outputs, all(isinstance(key, str) for key in outputs))

    def total(self, values: Mapping[Key, Any]) -> Any:
        """The sum of what `values` gives, each times the weight of its output."""
        terms = [self._weighted(key, value) for key, value in values.items()]
        return sum(terms[1:], start=terms[0])

    def _weighted(self, key: Key, value: Any) -> Any:
        weight = 1.0 if self._weights is None else self._weights
        if isinstance(weight, Mapping):
            weight = weight.get(key, 1.0)
        elif isinstance(weight, list | tuple):
            weight = weight[key if isinstance(key, int) else (self.names or ()).index(key)]
        return value if weight is None or weight == 1 else value * float(weight)

    def _of_outputs(self, what: str, given: Any, keys: Sequence[Key], named: bool = True) -> dict[Key, Any]:
        """Losses or weights for each output; one is replicated, and outputs that a dict leaves out get None."""
        if isinstance(given, Mapping):
            if not named:
                raise StructureError(
                    f"combine: {what} are given by name, but the outputs have no names. "
                    f"Give a list, {len(keys)} for as many outputs, or name the outputs with names=."
                )
            _refuse_unknown(what, given, keys)
            return {key: given.get(key) for key in keys}
        if not isinstance(given, list | tuple):
            return dict.fromkeys(keys, given)
        if named and self.names is None:
            raise StructureError(f"combine: the outputs are named. Give the {what} by name: {_example(keys)}.")
        _refuse_other_count(what, given, keys)
        return dict(zip(keys, given, strict=True))

    def __repr__(self) -> str:
        return f"combine({self._losses!r}, weights={self._weights!r}, names={self.names!r})"


def combine(losses: Any, weights: Any = None, names: Sequence[str] | None = None) -> CombinedLoss:
    """The loss of several outputs, ``sum(weight * loss(y_true, y_pred))``, as a function of trees.

    losses: one for all outputs, a list with one for each, or a dict by name of output; each a name, a loss, a function,
    or None for an output without a loss. weights: a number, a list or a dict of them, 1 where not given. names: of the
    outputs of a network that returns a list. The loss takes y_true and y_pred as lists (tuples) or dicts, and
    sample_weight as one for all outputs, a list or a dict. Raises `StructureError` for names that no output has and for
    wrong counts.
    Source: Keras ``compile(loss=..., loss_weights=...)``.

    >>> loss = combine({"price": "mse", "kind": None, "rooms": "mae"}, weights={"price": 0.5})
    >>> outputs = {name: [[3.0]] for name in ("price", "kind", "rooms")}
    >>> targets = {"price": [[1.0]], "rooms": [[2.0]]}
    >>> loss.values(targets, outputs)
    {'price': array(4.), 'rooms': array(1.)}
    >>> float(loss(targets, outputs))
    3.0
    """
    return CombinedLoss(losses, weights, names)


def _checked_weight(weight: Any) -> Any:
    if weight is not None and not (is_number(weight) and np.isfinite(weight)):
        raise ValueRangeError(f"combine: expected finite numbers as weights of losses, received {weight!r}.")
    return weight


def _each(f: Any, given: Any) -> Any:
    if isinstance(given, Mapping):
        return {key: f(x) for key, x in given.items()}
    return [f(x) for x in given] if isinstance(given, list | tuple) else f(given)


def _by_key(what: str, given: Any, keys: Sequence[Key]) -> dict[Key, Any]:
    """Targets, predictions or weights for each output, from a dict, or from a list in the order of the outputs."""
    if isinstance(given, Mapping):
        _refuse_unknown(what, given, keys)
        return dict(given)
    if not isinstance(given, list | tuple):
        raise StructureError(
            f"combine: expected {what} as a list or dict with an entry for each of {len(keys)} outputs, received one "
            f"array of shape {getattr(given, 'shape', ())}."
        )
    _refuse_other_count(what, given, keys)
    return dict(zip(keys, given, strict=True))


def _refuse_unknown(what: str, given: Iterable[Key], keys: Sequence[Key]) -> None:
    for key in given:
        if key not in keys:
            hint = did_you_mean(key, [str(k) for k in keys])
            raise StructureError(f"combine: {what} has an entry for {key!r}, which is no output.{hint}")


def _refuse_other_count(what: str, given: Sequence[Any], keys: Sequence[Key]) -> None:
    if len(given) != len(keys):
        raise StructureError(
            f"combine: expected {len(keys)} entries in {what}, one for each output, received {len(given)}."
        )


def _example(keys: Sequence[Key]) -> str:
    return "{" + ", ".join(f"{key!r}: ..." for key in keys) + "}"
