"""What the layers that slide a kernel over images have in common: their arguments and inputs, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fnet.arguments import is_integer, one_of, positive_integers
from fnet.errors import ShapeError, ValueRangeError
from fnet.layers.checks import check_data_format, image, image_shape, known_size
from fnet.ops.window import Sizes, window_axes


class Window:
    """The kernel, strides, padding and dilation of a layer over `rank` axes, with errors in the layer's name."""

    def __init__(
        self, layer: str, rank: int, kernel_size: Sizes, strides: Sizes, padding: str, dilation_rate: Sizes, *,
        paddings: Sequence[str] = ("valid", "same"), data_format: str | None = None, strided_dilation: bool = False,
    ) -> None:  # fmt: skip
        self.layer, self.rank, self.padding = layer, rank, padding
        self.kernel_size = positive_integers(layer, "kernel_size", kernel_size, rank)
        self.strides = positive_integers(layer, "strides", strides, rank)
        self.dilation_rate = positive_integers(layer, "dilation_rate", dilation_rate, rank)
        one_of(layer, "padding", padding, paddings, f"{{argument}} is one of {', '.join(paddings)}")
        if not strided_dilation and max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueRangeError(
                f"{layer}: strides and dilation_rate cannot both be above 1, received strides={self.strides} and "
                f"dilation_rate={self.dilation_rate}."
            )
        check_data_format(layer, data_format)

    def extra(self, output_padding: Sizes | None) -> tuple[int, ...] | None:
        """The output_padding of a transposed convolution for each axis, below its stride; None stays None."""
        if output_padding is None:
            return None
        values = tuple(output_padding) if isinstance(output_padding, Sequence) else (output_padding,) * self.rank
        fits = len(values) == self.rank and all(is_integer(v) and v >= 0 for v in values)
        if not fits or any(v >= s for v, s in zip(values, self.strides, strict=True)):
            raise ValueRangeError(
                f"{self.layer}: output_padding is None or {self.rank} integers from 0 to strides - 1, received "
                f"{output_padding!r:.40} with strides={self.strides}."
            )
        return tuple(map(int, values))

    def channels(self, shape: Any) -> int:
        """The channels of samples of `shape`."""
        return known_size(self.layer, image_shape(self.layer, shape, self.rank))

    def check_fit(self, shape: Any) -> None:
        """Raise a `ShapeError` where the kernel is larger than the samples, as far as their sizes are known."""
        columns = zip(shape, self.kernel_size, self.strides, self.dilation_rate, strict=False)
        known = [column for column in columns if column[0] is not None]
        if known:
            sizes, kernel, strides, dilation = zip(*known, strict=True)
            padding = "valid" if self.padding == "valid" else "same"  # causal padding never fails
            window_axes(self.layer, sizes, kernel, strides, padding, dilation)

    def images(self, x: Any, channels: int) -> Any:
        """A batch of samples with so many channels, or a `ShapeError`."""
        x = image(self.layer, x, self.rank)
        if x.shape[-1] != channels:
            raise ShapeError(
                f"{self.layer}: expected {channels} channels on the last axis, received an input {x.shape}. "
                f"Init the layer for this shape, or move the channels: np.moveaxis(x, 1, -1)."
            )
        return x
