"""The table of layers that change images, beside those of `tests.tables`: `test_image_layers.py` runs all at once."""

from __future__ import annotations

from fnet.layers import (
    AugMix,
    AutoContrast,
    ContrastLimitedAdaptiveHistogramEqualization,
    CutMix,
    Equalization,
    MaxNumBoundingBoxes,
    MixUp,
    Pipeline,
    RandAugment,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomElasticTransform,
    RandomErasing,
    RandomFlip,
    RandomGaussianBlur,
    RandomHue,
    RandomPerspective,
    RandomPosterization,
    RandomSaturation,
    RandomSharpness,
    Rescaling,
    Solarization,
)
from tests.tables import Row

UNIT = (0.0, 1.0)
SHAPE = (4, 5, 3)

IMAGES = [
    Row("auto-contrast", lambda: AutoContrast(UNIT), SHAPE),
    Row("equalization", lambda: Equalization(UNIT, 16), SHAPE, slope=False),
    Row("clahe", lambda: ContrastLimitedAdaptiveHistogramEqualization(UNIT, 2.0, (2, 2)), SHAPE, slope=False),
    Row("random-color-degeneration", lambda: RandomColorDegeneration((0.2, 0.8), UNIT), SHAPE, random=True),
    Row("random-color-jitter", lambda: RandomColorJitter(UNIT, 0.1, 0.2, (0.4, 0.6), 0.2), SHAPE, random=True),
    Row("random-hue", lambda: RandomHue(0.4, UNIT), SHAPE, random=True),
    Row("random-saturation", lambda: RandomSaturation((0.3, 0.7), UNIT), SHAPE, random=True),
    Row("random-posterization", lambda: RandomPosterization((1, 6), UNIT), SHAPE, random=True, slope=False),
    Row("random-sharpness", lambda: RandomSharpness((0.2, 0.9), UNIT), SHAPE, random=True),
    Row("random-gaussian-blur", lambda: RandomGaussianBlur(1.0, (3, 5), (0.5, 1.0), UNIT), SHAPE, random=True),
    Row("random-erasing", lambda: RandomErasing((0.9, 1.0), value_range=UNIT), SHAPE, random=True),
    Row("random-erasing-color", lambda: RandomErasing(0.5, 0.4, [0.1, 0.2, 0.3], UNIT), SHAPE, random=True),
    Row("random-perspective", lambda: RandomPerspective((0.9, 1.0), 0.5), SHAPE, random=True),
    Row("random-elastic", lambda: RandomElasticTransform(1.0, (0.5, 1.0), value_range=UNIT), SHAPE, random=True),
    Row("solarization", lambda: Solarization(0.2, (0.3, 0.6), UNIT), SHAPE, random=True),
    Row("cut-mix", lambda: CutMix(), SHAPE, random=True, mixes=True),
    Row("mix-up", lambda: MixUp(0.4, seed=2), SHAPE, random=True, mixes=True),
    Row("rand-augment", lambda: RandAugment(UNIT, 1, (0.1, 0.4)), SHAPE, random=True),
    Row("aug-mix", lambda: AugMix(UNIT, 2, 1, 0.4), SHAPE, random=True),
    Row("pipeline", lambda: Pipeline([RandomFlip("horizontal"), Rescaling(2.0)]), SHAPE, random=True),
    Row("max-num-boxes", lambda: MaxNumBoundingBoxes(3), SHAPE),
]
