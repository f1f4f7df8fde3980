"""What real Keras makes of the rows of the table of categories: printed as JSON, for the test that compares.

Keras' layers of texts need TensorFlow.
"""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from tests.layers.category_table import CATEGORIES, Row


def plain(y: Any) -> Any:
    """Numbers and texts in lists."""
    if isinstance(y, bytes):
        return y.decode()
    return [plain(part) for part in y] if isinstance(y, list) else y


def of_keras(row: Row, layers: Any) -> Any:
    own = row.make()
    config = {key: value for key, value in own.config.items() if key != "activity_regularizer"}
    layer = getattr(layers, own.kind)(**config)
    if row.data is not None:
        layer.adapt(row.data)
    x, *weights = row.x if isinstance(row.x, tuple) and own.kind != "HashedCrossing" else (row.x,)
    y = layer(x, count_weights=weights[0]) if weights else layer(x)
    return plain(np.asarray(y).tolist())


def main() -> None:
    os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    import keras

    print(json.dumps({row.id: of_keras(row, keras.layers) for row in CATEGORIES}))


if __name__ == "__main__":
    main()
