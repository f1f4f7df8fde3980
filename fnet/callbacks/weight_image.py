"""Weights as images."""

from __future__ import annotations

import numpy as np

MOST_FILTERS = 64
LEAST, MOST = 128, 1024  # points of a side: small images are magnified, of large ones a part is shown


def weight_image(weights: np.ndarray) -> np.ndarray | None:
    """The image (height, width, 3) of uint8: grey for 0, black and white for minus and plus the largest magnitude.

    A vector is one row; a matrix lies on its longer side. Of a kernel (height, width, channels, filters) the filters
    stand beside each other, in colours where there are 3 channels, else the first channel. None for another rank.
    """
    weights = np.atleast_1d(weights.squeeze())
    if weights.ndim > 4 or not weights.size:
        return None
    finite = np.where(np.isfinite(weights), weights, 0).astype("float64")
    if weights.ndim < 3:
        matrix = np.atleast_2d(finite)
        points = (matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T)[:MOST, :MOST, None]
    else:
        filters = finite if weights.ndim == 4 else finite[:, :, None]
        points = _tiled(filters if filters.shape[2] == 3 else filters[:, :, :1])[:MOST, :MOST]
    largest = np.abs(finite).max() or 1.0
    shades = np.broadcast_to(np.rint(127.5 + 127.5 * points / largest), (*points.shape[:2], 3)).astype("uint8")
    times = max(1, LEAST // max(shades.shape[:2]))
    return shades.repeat(times, axis=0).repeat(times, axis=1)


def _tiled(filters: np.ndarray) -> np.ndarray:
    """(height, width, channels, filters) as one image, with a line between filters."""
    filters = filters[..., :MOST_FILTERS]
    height, width, channels, count = filters.shape
    across = int(np.ceil(np.sqrt(count)))
    down = -(-count // across)
    lined = np.zeros((height + 1, width + 1, channels, down * across))
    lined[:height, :width, :, :count] = filters
    grid = lined.reshape(height + 1, width + 1, channels, down, across).transpose(3, 0, 4, 1, 2)
    return grid.reshape(down * (height + 1), across * (width + 1), channels)[:-1, :-1]
