"""Data sets that are installed with scikit-learn and statsmodels."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import numpy as np

from fnet import random
from fnet.arguments import fraction
from fnet.errors import StructureError

Arrays = tuple[np.ndarray, np.ndarray]


class BundledSamples(NamedTuple):
    """Samples with targets.

    name: in ``sklearn.datasets``. shape: of one sample, None for a row of numbers. dtype: of the targets.
    """

    name: str
    shape: tuple[int, ...] | None
    dtype: str

    def load_data(self, test_split: float = 0.2, seed: int = 113) -> tuple[Arrays, Arrays]:
        """``(x_train, y_train), (x_test, y_test)``, in an order that the seed says."""
        share = fraction(f"{self.name}.load_data", "test_split", test_split)
        loaded = getattr(_module("sklearn.datasets", "scikit-learn"), f"load_{self.name}")()
        x, y = loaded.data.astype("float32"), loaded.target.astype(self.dtype)
        x = x if self.shape is None else x.reshape(-1, *self.shape)
        order = random.permutation(random.key(seed), len(x))
        cut = len(x) - round(share * len(x))
        return (x[order[:cut]], y[order[:cut]]), (x[order[cut:]], y[order[cut:]])


class BundledSeries(NamedTuple):
    """A series.

    name: in ``statsmodels.datasets``. column: of its numbers.
    """

    name: str
    column: str

    def load_data(self) -> np.ndarray:
        """The numbers in the order of time: (N,) float32; what is missing is NaN."""
        module = _module(f"statsmodels.datasets.{self.name}", "statsmodels")
        values: np.ndarray = module.load_pandas().data[self.column].to_numpy("float32")
        return values


def _module(name: str, library: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise StructureError(f"the data set is a part of {library}. Install it: pip install {library}.") from None


digits = BundledSamples("digits", (8, 8), "uint8")
iris = BundledSamples("iris", None, "uint8")
wine = BundledSamples("wine", None, "uint8")
breast_cancer = BundledSamples("breast_cancer", None, "uint8")
diabetes = BundledSamples("diabetes", None, "float32")
sunspots = BundledSeries("sunspots", "SUNACTIVITY")
co2 = BundledSeries("co2", "co2")
nile = BundledSeries("nile", "volume")
