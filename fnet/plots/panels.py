"""The axes that a picture is drawn into: those that were given, or those of a new figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fnet.arguments import described
from fnet.errors import ShapeError, StructureError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def panels(
    who: str, count: int, given: Any, size: tuple[float, float] = (5.0, 3.5), columns: int | None = None
) -> tuple[Figure, list[Axes]]:
    """A figure and `count` axes in it.

    given: axes or an array of axes to draw into, or None for a new figure that pyplot does not know. size: of one of
    the new axes, in inches; columns: how many of them stand beside each other, by default all.
    Raises `ImportError` without matplotlib, `StructureError` for too few axes or none.
    """
    try:
        from matplotlib.axes import Axes
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            f"fnet.plots needs matplotlib ({error}). Install it: pip install 'matplotlib>=3.8'."
        ) from error
    if given is None:
        columns = max(min(columns or count, count), 1)
        rows = max(-(-count // columns), 1)
        figure = Figure(figsize=(size[0] * columns, size[1] * rows), layout="constrained")
        return figure, [figure.add_subplot(rows, columns, place + 1) for place in range(count)]
    axes = list(np.ravel(np.asarray(given, dtype=object)))
    for one in axes:
        if not isinstance(one, Axes):
            raise StructureError(
                f"{who}: draws into matplotlib axes, received {described(one)}. Pass figure.subplots()."
            )
    if len(axes) < count:
        raise StructureError(f"{who}: {count} axes are needed, received {len(axes)}. Pass figure.subplots(1, {count}).")
    figure = axes[0].get_figure() if axes else Figure()
    assert isinstance(figure, Figure)
    return figure, axes[:count]


def flat_pair(who: str, y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions of one shape, as rows of numbers; a last axis of size 1 may be missing in one of them.

    Raises `ShapeError` where the shapes differ.
    """
    targets, outputs = np.asarray(y_true), np.asarray(y_pred)
    if targets.size != outputs.size or targets.shape[:1] != outputs.shape[:1] or not targets.shape:
        raise ShapeError(
            f"{who}: y_true and y_pred have one shape, received {targets.shape} and {outputs.shape}. "
            f"Pass what belongs together."
        )
    some(who, targets)
    return targets.ravel(), outputs.ravel()


def some(who: str, y_true: np.ndarray) -> None:
    """Refuse targets of no samples."""
    if not y_true.size:
        raise ShapeError(f"{who}: y_true has no samples. Pass at least one.")
