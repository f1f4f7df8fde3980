"""Images changed by several layers that are picked by chance while training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fnet import ops, random
from fnet.arguments import flag, known_word, number, positive_integer
from fnet.errors import ValueRangeError
from fnet.layers.augmentation import Change, Factor, Range, augmenting, chance, change_of, each, least_and_largest
from fnet.layers.bounding_boxes import BoxFormat, Corners, check_box_format, moving, through
from fnet.layers.checks import check_data_format
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.layers.histograms import AutoContrast, Equalization
from fnet.layers.random_blur import RandomSharpness
from fnet.layers.random_colors import (
    RandomBrightness,
    RandomColorDegeneration,
    RandomContrast,
    RandomPosterization,
    Solarization,
)
from fnet.layers.random_geometry import Matrix, shearing, shifting, turning
from fnet.layers.warp import INTERPOLATIONS, Affine, Interpolation, affine
from fnet.ops.promotion import astype
from fnet.random import fold_in
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import beside

_AS_IT_IS: Affine = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def RandAugment(
    value_range: Sequence[float] = (0.0, 255.0),
    num_ops: int = 2,
    factor: Factor = 0.5,
    interpolation: Interpolation = "bilinear",
    seed: int | None = None,
    data_format: str | None = None,
    bounding_box_format: BoxFormat | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, each image goes through `num_ops` of 11 layers, picked for each image by chance.

    They are `RandomShear`, `RandomTranslation`, `RandomRotation`, `RandomBrightness`, `RandomColorDegeneration`,
    `RandomContrast`, `RandomSharpness`, `RandomPosterization`, `Solarization`, `AutoContrast` and `Equalization`.
    factor: theirs, from 0 to it, or two numbers from 0 to 1. x: (N, H, W, C) -> (N, H, W, C) of 1 or 3 channels.
    Source: E. D. Cubuk et al. 2019 (Keras ``RandAugment``, which in 3.15 picks the same for all images of a batch).

    >>> RandAugment((0.0, 1.0), num_ops=1).out_shape((8, 8, 3))
    (8, 8, 3)
    """
    between, values = chance("RandAugment", "factor", factor), least_and_largest("RandAugment", value_range)
    count = positive_integer("RandAugment", "num_ops", num_ops)
    known_word("RandAugment", "interpolation", interpolation, INTERPOLATIONS)
    form = check_box_format("RandAugment", bounding_box_format)
    check_data_format("RandAugment", data_format)
    moves = moves_of(between)
    colors = {**colors_of(between, values), **tones_of(between, values)}

    def steps(images: Any, key: Any) -> list[tuple[Any, Any]]:
        """What is picked for each image, and the key of each step."""
        picked = random.randint(fold_in(key, 0), (images.shape[0], count), 0, len(moves) + len(colors))
        return [(picked[:, i], fold_in(key, 1 + i)) for i in range(count)]

    def images(x: Any, key: Any) -> Any:
        for which, own in steps(x, key):
            x = recolored(affine(x, _picked(moves, x, which, own), interpolation, "reflect", 0.0), which, own)
        return x

    def recolored(x: Any, which: Any, key: Any) -> Any:
        return picked_color(x, which, key, list(colors.values()), len(moves))

    def masks(part: Any, images: Any, key: Any) -> Any:
        for which, own in steps(images, key):
            part = astype(affine(part, _picked(moves, images, which, own), "nearest", "reflect", 0.0), part.dtype)
        return part

    def moved(corners: Corners, images: Any, key: Any) -> Corners:
        for which, own in steps(images, key):
            corners = through(corners, _picked(moves, images, which, own))
        return corners

    boxes = moving("RandAugment", form, moved)
    return augmenting("RandAugment", Change(images, segmentation_masks=masks, bounding_boxes=boxes), seed)


@LAYERS.named()
@layer_constructor(masks="dropped", named="images")
def AugMix(
    value_range: Sequence[float] = (0.0, 255.0),
    num_chains: int = 3,
    chain_depth: int = 3,
    factor: Factor = 0.3,
    alpha: float = 1.0,
    all_ops: bool = True,
    interpolation: Interpolation = "bilinear",
    seed: int | None = None,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, each image is mixed with `num_chains` of itself that went through up to `chain_depth` layers each.

    ``y = m x + (1 - m) (w1 x1 + w2 x2 + ...)`` with m of ``Beta(alpha, alpha)`` and w of a Dirichlet distribution. The
    layers are those of `RandAugment`, without `all_ops` only those that are not tested on. Which ones, m and w are the
    same for all images of a batch; what each layer draws is each image's own. factor: theirs, from 0 to it, or two
    numbers from 0 to 1. x: (N, H, W, C) -> (N, H, W, C) of 1 or 3 channels, within `value_range`.
    Source: D. Hendrycks et al. 2019 (Keras ``AugMix``).

    >>> AugMix((0.0, 1.0), num_chains=2, chain_depth=1).out_shape((8, 8, 3))
    (8, 8, 3)
    """
    between, values = chance("AugMix", "factor", factor), least_and_largest("AugMix", value_range)
    chains = positive_integer("AugMix", "num_chains", num_chains)
    depth = positive_integer("AugMix", "chain_depth", chain_depth)
    alpha, every = number("AugMix", "alpha", alpha), flag("AugMix", "all_ops", all_ops)
    if alpha <= 0:
        raise ValueRangeError(f"AugMix: alpha is above 0, received {alpha}.")
    known_word("AugMix", "interpolation", interpolation, INTERPOLATIONS)
    check_data_format("AugMix", data_format)
    moves = moves_of(between)
    colors = [*tones_of(between, values).values(), *(colors_of(between, values).values() if every else ())]

    def mixed(x: Any, key: Any) -> Any:
        n, height, width, channels = x.shape
        own = random.beta(fold_in(key, 1), alpha, alpha, (), x.dtype)
        parts = random.gamma(fold_in(key, 2), alpha, (chains,), x.dtype)
        rows = ops.reshape(ops.broadcast_to(ops.expand_dims(x, 1), (n, chains, *x.shape[1:])), (-1, *x.shape[1:]))
        picked = random.randint(fold_in(key, 0), (depth, chains), 0, len(moves) + len(colors) + 1)
        for i in range(depth):
            which = ops.reshape(ops.broadcast_to(picked[i], (n, chains)), (-1,))
            step = fold_in(key, 3 + i)
            rows = affine(rows, _picked(moves, rows, which, step), interpolation, "reflect", 0.0)
            rows = picked_color(rows, which, step, colors, len(moves))
        several = ops.reshape(rows, (n, chains, height, width, channels))
        parts = ops.reshape(parts / ops.sum(parts), (chains, 1, 1, 1))
        return ops.clip(own * x + (1.0 - own) * ops.sum(several * parts, axis=1), *values)

    return augmenting("AugMix", Change(mixed, segmentation_masks=None, bounding_boxes=None), seed)


def moves_of(factor: Range) -> list[Matrix]:
    """The layers that see images from elsewhere."""
    return [shearing(factor, factor), shifting(factor, factor), turning(factor)]


Color = Callable[[Any, Any], Any]


def colors_of(factor: Range, values: Range) -> dict[str, Color]:
    """The layers that change colours in ways that classifiers are tested on."""
    made = (
        RandomBrightness(factor, values),
        RandomColorDegeneration(factor, values),
        RandomContrast(factor, values),
        RandomSharpness(factor, values),
    )
    return {layer.kind: change_of(layer) for layer in made}


def tones_of(factor: Range, values: Range) -> dict[str, Color]:
    """The other layers that change colours."""
    made = (
        RandomPosterization((1, max(1, int(8 * factor[1]))), values),
        Solarization(factor, factor, values),
        AutoContrast(values),
        Equalization(values),
    )
    return {layer.kind: change_of(layer) for layer in made}


def picked_color(x: Any, which: Any, key: Any, colors: list[Color], first: int) -> Any:
    """Images of which those with the number of a layer went through it; the first layer has the number `first`."""
    for number_of, change in enumerate(colors, first):
        x = ops.where(each(ops.equal(which, number_of)), change(x, fold_in(key, number_of)), x)
    return x


def _picked(moves: list[Matrix], x: Any, which: Any, key: Any) -> Affine:
    """How each image is seen: through the matrix of its number, or as it is."""
    parts = [ops.broadcast_to(beside(np.asarray(part, x.dtype), x), (x.shape[0],)) for part in _AS_IT_IS]
    for number_of, move in enumerate(moves):
        here = ops.equal(which, number_of)
        parts = [ops.where(here, new, part) for new, part in zip(move(x, fold_in(key, number_of)), parts, strict=True)]
    a0, a1, a2, b0, b1, b2 = parts
    return a0, a1, a2, b0, b1, b2
