"""Sequences under the older name of their place."""

from __future__ import annotations

from typing import Any, NoReturn

from fnet.data.sequences import pad_sequences as pad_sequences
from fnet.errors import StructureError


def TimeseriesGenerator(*args: Any, **options: Any) -> NoReturn:  # noqa: N802 (Keras' name)
    """Raise a `StructureError` that names what took its place."""
    raise StructureError(
        "TimeseriesGenerator was replaced in Keras 3. Take fnet.keras.utils.timeseries_dataset_from_array(data, "
        "targets[length:], sequence_length=length), or fnet.data.windows for arrays."
    )
