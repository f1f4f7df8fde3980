"""Layers under Keras' names: objects that hold their weights; those of `fnet.layers` do the work."""

from __future__ import annotations

import importlib
from typing import Any

from fnet import layers
from fnet.errors import did_you_mean
from fnet.keras.directions import BidirectionalLayer
from fnet.keras.embedded import EmbeddingLayer
from fnet.keras.image_layer import ImageLayer, PipelineLayer
from fnet.keras.input import Input as Input
from fnet.keras.input import InputLayer as InputLayer
from fnet.keras.input_spec import InputSpec as InputSpec
from fnet.keras.lambdas import LambdaLayer
from fnet.keras.layer import Layer as Layer
from fnet.keras.learned import DiscretizationLayer, NormalizationLayer, VocabularyLayer
from fnet.keras.own_cells import OwnCells
from fnet.keras.reversible import ReversibleLayer
from fnet.keras.spectral_normalization import NormalizedLayer
from fnet.keras.standard import MERGES, merge_function, standard_layer
from fnet.keras.stateful import StatefulLayer
from fnet.keras.time_distributed import TimeDistributed as TimeDistributed
from fnet.keras.wrapper import Wrapper as Wrapper

_OF_IMAGES = """
AugMix AutoContrast CenterCrop ContrastLimitedAdaptiveHistogramEqualization CutMix Equalization MaxNumBoundingBoxes
MixUp RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop
RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHue RandomInvert
RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation
RandomZoom Resizing Solarization
"""

BASES: dict[str, type[Layer]] = {
    "Bidirectional": BidirectionalLayer,
    "Discretization": DiscretizationLayer,
    "Embedding": EmbeddingLayer,
    "GRU": StatefulLayer,
    "LSTM": StatefulLayer,
    "SimpleRNN": StatefulLayer,
    "IntegerLookup": VocabularyLayer,
    "Lambda": LambdaLayer,
    "Normalization": NormalizationLayer,
    "Pipeline": PipelineLayer,
    "ReversibleEmbedding": ReversibleLayer,
    "RNN": OwnCells,
    "SpectralNormalization": NormalizedLayer,
    "StringLookup": VocabularyLayer,
    "TextVectorization": VocabularyLayer,
} | dict.fromkeys(_OF_IMAGES.split(), ImageLayer)
"""What layers can do beside what all of them can, by the name of the layer."""

_OF_SAVING = {"serialize": "serialize_keras_object", "deserialize": "deserialize_keras_object"}


def __getattr__(name: str) -> Any:
    if name in _OF_SAVING:
        value = getattr(importlib.import_module("fnet.keras.saving"), _OF_SAVING[name])
    elif name in MERGES:
        value = merge_function(name, _named(name.capitalize()))
    elif name in layers.LAYERS:
        make = getattr(layers, name)
        value = standard_layer(make, BASES.get(name)) if name == make.__name__ else _named(make.__name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}.{did_you_mean(name, layers.LAYERS)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *layers.LAYERS, *MERGES})


def _named(name: str) -> Any:
    return globals().get(name) or __getattr__(name)
