"""A model that takes texts, integers and numbers, for fnet and for Keras, with what its layers learn from.

Run as a script with a folder, Keras reads the model of fnet there, writes one of its own, and prints what both predict.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS: dict[str, np.ndarray] = {
    "text": np.array([["a cat, a dog"], ["The cat"], ["none of it"]], object),
    "word": np.array([["b"], ["c"], ["é"]], object),
    "code": np.array([[5], [7], [9]]),
    "size": np.array([[1.0], [2.0], [8.0]], np.float32),
}
SEEN: dict[str, Any] = {
    "text": ["a cat and a dog", "the cat", "the end"],
    "word": np.array(["b", "é", "b"]),
    "code": np.array([7, 5, 7]),
    "size": np.arange(9.0, dtype=np.float32)[:, None],
}


def model(keras: Any) -> Any:
    """The model, its layers adapted, its weights all 0.1 and more."""
    layers = keras.layers
    inputs = {
        "text": keras.Input((), dtype="string", name="text"),
        "word": keras.Input((1,), dtype="string", name="word"),
        "code": keras.Input((1,), dtype="int64", name="code"),
        "size": keras.Input((1,), name="size"),
    }
    weigh = layers.TextVectorization(output_mode="tf_idf", ngrams=2, max_tokens=20, pad_to_max_tokens=True)
    learners = {
        "text": weigh,
        "word": layers.StringLookup(num_oov_indices=2, output_mode="multi_hot"),
        "code": layers.IntegerLookup(output_mode="one_hot"),
        "size": layers.Discretization(num_bins=3, output_mode="one_hot"),
    }
    for name, layer in learners.items():
        layer.adapt(SEEN[name])
    parts = [learners[name](inputs[name]) for name in inputs]
    scale = layers.Normalization()
    scale.adapt(SEEN["size"])
    crossed = layers.HashedCrossing(7)((inputs["word"], inputs["code"]))
    parts += [scale(inputs["size"]), layers.CategoryEncoding(7)(crossed)]
    parts += [layers.CategoryEncoding(3)(layers.Hashing(3, salt=5)(inputs["word"]))]
    made = keras.Model(inputs, layers.Dense(2, name="head")(layers.Concatenate()(parts)))
    head = made.get_layer("head")
    count = int(head.get_weights()[0].size)
    head.set_weights([np.linspace(0.1, 1.0, count, dtype=np.float32).reshape(-1, 2), np.ones(2, np.float32)])
    return made


def predicted(made: Any, columns: dict[str, Any]) -> Any:
    return np.asarray(made.predict(columns, verbose=0)).tolist()


def main(folder: Path) -> None:
    os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    import keras
    import tensorflow as tf

    columns: dict[str, Any] = {
        name: tf.constant(column.tolist()) if column.dtype == object else column for name, column in COLUMNS.items()
    }
    columns["text"] = tf.reshape(columns["text"], (-1,))
    own = model(keras)
    own.save(folder / "keras.keras")
    found = {f"fnet.{s}": predicted(keras.models.load_model(folder / f"fnet.{s}"), columns) for s in ("keras", "h5")}
    print(json.dumps({"keras.keras": predicted(own, columns), **found}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
