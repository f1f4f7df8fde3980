"""Pictures from within convolutional networks: the filters, and the maps of features that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fnet import tree
from fnet.arguments import positive_integer
from fnet.errors import ShapeError, StructureError, did_you_mean
from fnet.masking import unmasked
from fnet.networks.layer import Layer
from fnet.networks.watching import watching
from fnet.plots.panels import panels
from fnet.transfer import to_host

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ACROSS = 8


def plot_filters(
    params: Any, path: str | None = None, channel: int | None = None, most: int = 32, axes: Any = None
) -> Figure:
    """The filters of a convolution, each in axes of its own.

    params: the parameters of a network, or a kernel (height, width, channels, filters). path: of the kernel in them,
    such as "conv2d/kernel", by default the first one of that rank. channel: which input channel is drawn, from blue
    (negative) to red; by default filters of three channels are drawn in colours, others by their first one. most: how
    many filters at most.
    """
    kernels = {at: leaf for at, leaf in tree.leaves_with_path(params) if np.ndim(leaf) == 4}
    at = next(iter(kernels), None) if path is None else path
    if at not in kernels:
        received = f"{path!r}.{did_you_mean(path, kernels)}" if kernels else "parameters without one."
        raise StructureError(f"plot_filters: expected a kernel (height, width, channels, filters), received {received}")
    kernel = np.asarray(to_host(kernels[at]))
    if channel is not None and not 0 <= channel < kernel.shape[2]:
        raise ShapeError(f"plot_filters: expected a channel from 0 to {kernel.shape[2] - 1}, received {channel}.")
    count = min(kernel.shape[3], positive_integer("plot_filters", "most", most))
    figure, drawn = panels("plot_filters", count, axes, (1.2, 1.3), _ACROSS)
    largest = float(np.abs(kernel).max()) or 1.0
    for number, ax in enumerate(drawn):
        if kernel.shape[2] == 3 and channel is None:
            ax.imshow(kernel[..., number] / (2 * largest) + 0.5)
        else:
            ax.imshow(kernel[:, :, channel or 0, number], cmap="RdBu_r", vmin=-largest, vmax=largest)
        ax.set(title=str(number), xticks=[], yticks=[])
    return figure


def plot_feature_maps(
    net: Layer, params: Any, state: Any, x: Any, layer: str, most: int = 32, axes: Any = None
) -> Figure:
    """What a layer makes of an image: each channel of its output in axes of its own.

    net, params, state: a network; x: an image (height, width, channels), or a batch, of which the first is taken.
    layer: the path of the layer, such as "conv2d_1" or "block/conv2d". most: how many channels at most.
    """
    images = tree.map(lambda leaf: leaf[None] if np.ndim(leaf) == 3 else leaf[:1], x)
    seen = _Outputs()
    with watching(seen):
        net.apply(params, state, images)
    if layer not in seen.outputs:
        raise StructureError(
            f"plot_feature_maps: the network has no layer {layer!r}.{did_you_mean(layer, seen.outputs)}"
        )
    output = np.asarray(to_host(unmasked(seen.outputs[layer])))
    if output.ndim != 4:
        raise ShapeError(
            f"plot_feature_maps: maps have the shape (batch, height, width, channels), but {layer!r} gives "
            f"{output.shape}. Choose a layer of images."
        )
    count = min(output.shape[3], positive_integer("plot_feature_maps", "most", most))
    figure, drawn = panels("plot_feature_maps", count, axes, (1.2, 1.3), _ACROSS)
    for number, ax in enumerate(drawn):
        ax.imshow(output[0, :, :, number], cmap="viridis")
        ax.set(title=str(number), xticks=[], yticks=[])
    return figure


class _Outputs:
    """A watcher that keeps the outputs of layers by path; of a layer that is called again, the last one."""

    def __init__(self) -> None:
        self.outputs: dict[str, Any] = {}
        self._inside: list[str] = []

    def enter(self, name: str, layer: Layer, x: Any) -> None:
        self._inside.append(name)

    def leave(self, y: Any) -> Any:
        self.outputs["/".join(self._inside)] = y
        self._inside.pop()
        return y
