"""Feature spaces over one table, for fnet and for Keras; run as a script, it prints what Keras makes of the rows."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

ROWS: dict[str, np.ndarray] = {
    "age": np.array([30.0, 41.5, 20.25, 30.0, 55.0, 61.0], np.float32),
    "code": np.array([4, 9, 4, 2, 9, 9]),
    "color": np.array(["red", "blue", "red", "green", "red", "blue"]),
}
NEW: dict[str, np.ndarray] = {
    "age": np.array([25.0, 70.0], np.float32), "code": np.array([9, 77]), "color": np.array(["green", "black"]),
}  # fmt: skip


def spaces(utils: Any) -> dict[str, Any]:
    """Feature spaces by name, not adapted."""
    space = utils.FeatureSpace
    return {
        "names": space({"age": "float_normalized", "code": "integer_categorical", "color": "string_categorical"}),
        "plain": space({"age": "float", "color": "string_hashed"}, hashing_dim=5),
        "hashed": space({"age": "float_rescaled", "code": "integer_hashed"}, hashing_dim=3),
        "options": space(
            {
                "age": space.float_discretized(num_bins=3),
                "code": space.integer_categorical(max_tokens=3, num_oov_indices=2),
                "color": space.string_categorical(num_oov_indices=0),
            }
        ),
        "bins": space({"age": "float_discretized", "color": space.string_hashed(4)}, num_discretization_bins=4),
        "crosses": space(
            {"age": space.float_rescaled(0.5, 1.0), "code": "integer_categorical", "color": "string_categorical"},
            crosses=[("code", "color"), space.cross(("color", "code"), 6)],
            crossing_dim=4,
        ),
        "dict": space(
            {"age": "float_normalized", "code": space.integer_categorical(output_mode="int"), "color": "string_hashed"},
            output_mode="dict",
            hashing_dim=3,
            crosses=[space.cross(("color", "code"), 7, output_mode="int")],
        ),
    }


def new_rows(name: str) -> dict[str, np.ndarray]:
    """The rows that a space is called on; all colors are known where others are an error."""
    return NEW | {"color": np.array(["green", "blue"])} if name == "options" else NEW


def main() -> None:
    os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    import keras
    import tensorflow as tf

    found: dict[str, Any] = {}
    for name, space in spaces(keras.utils).items():
        own = {key: column for key, column in ROWS.items() if key in space.features}
        # One batch: bins of a learnt quantile depend on how the rows come in batches.
        space.adapt(tf.data.Dataset.from_tensor_slices(own).batch(len(ROWS["age"])))
        rows = {key: column for key, column in new_rows(name).items() if key in space.features}
        made = space(rows)
        found[name] = {k: np.asarray(v).tolist() for k, v in (made if isinstance(made, dict) else {"": made}).items()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
