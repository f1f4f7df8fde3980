"""Rows of a table as vectors: each column through a layer of its kind, and crossed with others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from fnet.arguments import described, known_word, one_of
from fnet.data.frames import as_plain
from fnet.errors import DtypeError, StructureError, did_you_mean
from fnet.keras import layers
from fnet.keras.input import Input
from fnet.keras.layer import Layer, as_texts
from fnet.keras.learned import Learner
from fnet.networks.node import SymbolicNode
from fnet.train.sources.batches import is_batches, unpacked

_INTEGER, _TEXT, _FLOAT = "int64", "string", "float32"


@dataclass(frozen=True)
class Feature:
    """A column: the dtype of its values, the layer that they go through, and whether its integers become vectors.

    output_mode: "float", "int", or "one_hot".
    """

    dtype: str
    preprocessor: Layer
    output_mode: str


@dataclass(frozen=True)
class Cross:
    """Columns whose combinations are put into `crossing_dim` bins; output_mode: "one_hot" or "int"."""

    feature_names: tuple[str, ...]
    crossing_dim: int
    output_mode: str = "one_hot"

    @property
    def name(self) -> str:
        return "_X_".join(self.feature_names)


class FeatureSpace:
    """Makes vectors of the rows of a table, which is a dict of columns.

    features: the kind of each column, as a name ("float", "float_rescaled", "float_normalized", "float_discretized",
    "integer_categorical", "string_categorical", "integer_hashed", "string_hashed") or with options, as
    ``FeatureSpace.float_discretized(num_bins=8)``. output_mode: "concat" gives one vector for each row, of the columns
    in the order of their names and then the crosses; "dict" gives a dict of arrays. crosses: tuples of names, or
    ``FeatureSpace.cross``. crossing_dim, hashing_dim, num_discretization_bins: sizes where none are given.

    `adapt` learns what the layers need. Then the object is called on rows, or `get_inputs` and `get_encoded_features`
    are the ends of a part of a model. The layers are `preprocessors` and `crossers`. Source: Keras ``FeatureSpace``.

    >>> space = FeatureSpace({"size": "float", "color": FeatureSpace.string_categorical(num_oov_indices=0)})
    >>> space.adapt({"size": [1.0, 2.0], "color": ["red", "blue"]})
    >>> space({"size": [3.0], "color": ["blue"]}).tolist()
    [[0.0, 1.0, 3.0]]
    """

    def __init__(
        self,
        features: Mapping[str, str | Feature],
        output_mode: str = "concat",
        crosses: Sequence[Sequence[str] | Cross] | None = None,
        crossing_dim: int = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
    ) -> None:
        if not features:
            raise StructureError("FeatureSpace: features is empty. Give the kind of each column: {'age': 'float'}.")
        self.name = name or "feature_space"
        self.output_mode = one_of("FeatureSpace", "output_mode", output_mode, ("concat", "dict"))
        sizes = {"float_discretized": num_discretization_bins}
        sizes |= dict.fromkeys(("integer_hashed", "string_hashed"), hashing_dim)
        self.features = {name: self._feature(kind, sizes) for name, kind in features.items()}
        self.crosses = [c if isinstance(c, Cross) else Cross(tuple(c), crossing_dim) for c in crosses or ()]
        for cross in self.crosses:
            for part in cross.feature_names:
                if part not in self.features:
                    raise StructureError(f"FeatureSpace: no feature {part!r} to cross.{did_you_mean(part, features)}")
        self.preprocessors = {name: feature.preprocessor for name, feature in self.features.items()}
        self.crossers = {cross.name: layers.HashedCrossing(cross.crossing_dim) for cross in self.crosses}
        self._encoders: dict[str, Layer] = {}
        self._join: Layer = layers.Concatenate(axis=-1)
        self._inputs: dict[str, SymbolicNode] | None = None
        self._encoded: Any = None
        self._is_adapted = not any(map(_learns, self.preprocessors.values()))

    # Kinds of columns.

    @classmethod
    def cross(cls, feature_names: Sequence[str], crossing_dim: int, output_mode: str = "one_hot") -> Cross:
        """Combinations of columns in `crossing_dim` bins."""
        return Cross(
            tuple(feature_names), crossing_dim, one_of("cross", "output_mode", output_mode, ("int", "one_hot"))
        )

    @classmethod
    def feature(cls, dtype: str, preprocessor: Layer, output_mode: str) -> Feature:
        """A column that goes through a layer of yours."""
        return Feature(dtype, preprocessor, one_of("feature", "output_mode", output_mode, ("int", "one_hot", "float")))

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        """Numbers as they are."""
        return cls.feature(_FLOAT, layers.Identity(), "float")

    @classmethod
    def float_rescaled(cls, scale: Any = 1.0, offset: Any = 0.0, name: str | None = None) -> Feature:
        """Numbers times `scale`, and `offset` added."""
        return cls.feature(_FLOAT, layers.Rescaling(scale, offset), "float")

    @classmethod
    def float_normalized(cls, name: str | None = None) -> Feature:
        """Numbers brought to mean 0 and variance 1."""
        return cls.feature(_FLOAT, layers.Normalization(), "float")

    @classmethod
    def float_discretized(
        cls, num_bins: int | None = None, bin_boundaries: Any = None, output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:  # fmt: skip
        """Numbers in bins, whose boundaries are learnt or given."""
        bins = None if bin_boundaries is not None else num_bins
        return cls.feature(_FLOAT, layers.Discretization(bin_boundaries, bins), output_mode)

    @classmethod
    def integer_categorical(
        cls, max_tokens: int | None = None, num_oov_indices: int = 1, output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:  # fmt: skip
        """Integers by a vocabulary that is learnt."""
        return cls.feature(_INTEGER, layers.IntegerLookup(max_tokens, num_oov_indices), output_mode)

    @classmethod
    def string_categorical(
        cls, max_tokens: int | None = None, num_oov_indices: int = 1, output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:  # fmt: skip
        """Texts by a vocabulary that is learnt."""
        return cls.feature(_TEXT, layers.StringLookup(max_tokens, num_oov_indices), output_mode)

    @classmethod
    def integer_hashed(cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
        """Integers in bins by a hash."""
        return cls.feature(_INTEGER, layers.Hashing(num_bins), output_mode)

    @classmethod
    def string_hashed(cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
        """Texts in bins by a hash."""
        return cls.feature(_TEXT, layers.Hashing(num_bins), output_mode)

    # Use.

    def adapt(self, dataset: Any) -> None:
        """Learn what the layers need from rows: a dict of columns, or batches of such dicts."""
        for name, layer in self.preprocessors.items():
            if isinstance(layer, Learner) and _learns(layer):
                layer.adapt(_OfBatches(dataset, name) if is_batches(dataset) else _column(dataset, name))
        self._is_adapted, self._encoded, self._encoders = True, None, {}

    def __call__(self, data: Any) -> Any:
        """The vectors of some rows, or of one: a dict of columns, (N,) or (N, 1), or of single values."""
        if not isinstance(data, dict):
            raise DtypeError(f"FeatureSpace: it is called on a dict of columns, received {described(data)}.")
        self._check_adapted()
        columns = {name: _column(data, name) for name in self.features}
        made = self._merged(columns)
        is_one = all(np.ndim(data[name]) == 0 for name in self.features)
        if not is_one:
            return made
        return {name: part[0] for name, part in made.items()} if isinstance(made, dict) else made[0]

    def get_inputs(self) -> dict[str, SymbolicNode]:
        """A symbolic input for each column."""
        self._check_adapted()
        if self._inputs is None:
            self._inputs = {name: Input((1,), dtype=own.dtype, name=name) for name, own in self.features.items()}
        return self._inputs

    def get_encoded_features(self) -> Any:
        """The symbolic vector of the symbolic inputs, or a dict of them."""
        inputs = self.get_inputs()
        if self._encoded is None:
            self._encoded = self._merged(inputs)
        return self._encoded

    def save(self, filepath: Any) -> NoReturn:
        """Raise a `StructureError`: the model is saved that it is a part of."""
        raise StructureError(
            "FeatureSpace: save the model that it is a part of: Model(space.get_inputs(), space.get_encoded_features())"
            ".save(path)."
        )

    def _feature(self, kind: str | Feature, sizes: Mapping[str, int]) -> Feature:
        if isinstance(kind, Feature):
            return kind
        known_word("FeatureSpace", "kind of feature", kind, _KINDS)
        made: Feature = getattr(self, kind)(*([sizes[kind]] if kind in sizes else []))
        return made

    def _check_adapted(self) -> None:
        if not self._is_adapted:
            raise StructureError(
                f"{self.name}: it has learnt nothing yet. Show it rows first: feature_space.adapt(rows)."
            )

    def _merged(self, columns: Mapping[str, Any]) -> Any:
        """The columns through their layers and crossed, as one vector or a dict."""
        single = {name: self.preprocessors[name](columns[name]) for name in sorted(self.features)}
        modes = {name: self.features[name].output_mode for name in single}
        for cross in sorted(self.crosses, key=lambda cross: cross.name):
            single[cross.name] = self.crossers[cross.name](tuple(single[part] for part in cross.feature_names))
            modes[cross.name] = cross.output_mode
        made = {name: self._encoder(name)(x) if modes[name] == "one_hot" else x for name, x in single.items()}
        if self.output_mode == "dict":
            return made
        for name, part in made.items():
            if part.dtype.kind != "f":
                raise StructureError(
                    f"FeatureSpace: {name!r} is integers or texts, which no vector has. Give it "
                    f"output_mode='one_hot', or the space output_mode='dict'."
                )
        return self._join(list(made.values())) if len(made) > 1 else next(iter(made.values()))

    def _encoder(self, name: str) -> Layer:
        """The layer that makes vectors of the integers of a column or a cross."""
        if name not in self._encoders:
            layer = self.crossers.get(name) or self.preprocessors[name]
            self._encoders[name] = layers.CategoryEncoding(_cardinality(name, layer), "multi_hot")
        return self._encoders[name]


_KINDS = (
    "float", "float_rescaled", "float_normalized", "float_discretized", "integer_categorical", "string_categorical",
    "integer_hashed", "string_hashed",
)  # fmt: skip


class _OfBatches:
    """One column of batches, anew each time."""

    def __init__(self, batches: Iterable[Any], name: str) -> None:
        self._batches, self._name = batches, name

    def __iter__(self) -> Iterator[Any]:
        for number, batch in enumerate(self._batches):
            yield _column(unpacked(batch, f"batch {number}: ")[0], self._name)


def _column(rows: Mapping[str, Any], name: str) -> Any:
    """The values of a column, (N, 1); symbolic values as they are."""
    if name not in rows:
        raise StructureError(f"FeatureSpace: the rows have no column {name!r}.{did_you_mean(name, list(rows))}")
    values = rows[name]
    if isinstance(values, SymbolicNode):
        return values
    values = as_texts(values)
    values = values if isinstance(values, np.ndarray) else as_plain(values)
    return values.reshape(1, 1) if values.ndim == 0 else values[:, None] if values.ndim == 1 else values


def _learns(layer: Layer) -> bool:
    return isinstance(layer, Learner) and layer.functional.learning is not None


def _cardinality(name: str, layer: Layer) -> int:
    """How many different integers a layer gives."""
    if hasattr(layer, "vocabulary_size"):
        size: int = layer.vocabulary_size()
        return size
    known = layer.functional.config
    if known.get("num_bins") is not None:
        return int(known["num_bins"])
    if known.get("bin_boundaries") is not None:
        return len(known["bin_boundaries"]) + 1
    raise StructureError(
        f"FeatureSpace: how many integers {name!r} gives is not known, so they make no vectors. Give it "
        f"output_mode='int', or 'float'."
    )
