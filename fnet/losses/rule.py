"""What is behind a loss: its formula, and how targets, predictions, masks and weights reach it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from fnet.losses.leave_out import counted
from fnet.losses.values import OutputsCheck, TargetsCheck
from fnet.ops.promotion import lift
from fnet.ops.shape import expand_dims, moveaxis
from fnet.transforms.primitive import spec_of

Formula = Callable[..., Any]
Per = Literal["element", "term", "row"]
Align = Callable[[str, Any, Any], tuple[Any, Any]]
Axes = Callable[[int, Mapping[str, Any]], Sequence[int]]
Reduction = Literal["mean", "sum_over_batch_size", "sum", "none", "mean_with_sample_weight"] | None


def rows(ndim: int, options: Mapping[str, Any]) -> Sequence[int]:
    """The axes that a loss with one value for each row keeps, of predictions with `ndim` axes."""
    return range(ndim - 1)


@dataclass(frozen=True)
class LossRule:
    """What is behind a loss, however it is configured: `face` has its name, signature and docstring."""

    face: Formula
    formula: Formula
    constructor: str
    per: Per
    align: Align
    options: dict[str, inspect.Parameter]
    """The keywords of `face`, without what all losses take."""
    along_axis: bool = False
    activation: str | None = None
    targets: TargetsCheck | None = None
    outputs: OutputsCheck | None = None
    axes: Axes | None = rows
    takes: frozenset[str] = frozenset()
    ranges: Mapping[str, str] = field(default_factory=dict)

    @property
    def leaves_out(self) -> bool:
        """Whether elements of weight 0 are replaced before the formula, or by it, so that their values are finite."""
        return self.constructor != "from_function" and self.axes is not None

    @property
    def kind(self) -> str:
        return getattr(self.face, "__name__", type(self.face).__name__)


def counts_of(rule: LossRule, y_pred: Any, mask: Any, sample_weight: Any, options: Mapping[str, Any]) -> Any:
    """Which predictions count, as `counted` says; None where all do, or weights run over other axes."""
    if (mask is None and sample_weight is None) or rule.axes is None or not hasattr(y_pred, "shape"):
        return None
    shape = spec_of(y_pred).shape
    return counted(shape, rule.axes(len(shape), options), mask, sample_weight)


def with_features(x: Any, mask: Any) -> Any:
    """`x` with a last axis of size 1, if it has no axis but those of the mask (B, T): each step is a value."""
    return expand_dims(x, -1) if spec_of(x).ndim == spec_of(mask).ndim else x


def axis_last(y_true: Any, y_pred: Any, axis: int) -> tuple[Any, Any]:
    """Targets and predictions with this axis of the predictions as the last one; labels do not have it."""
    y_true, y_pred = lift(y_true), lift(y_pred)
    same = spec_of(y_true).ndim == spec_of(y_pred).ndim
    return moveaxis(y_true, axis, -1) if same else y_true, moveaxis(y_pred, axis, -1)
