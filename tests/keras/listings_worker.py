"""Runs listings with real Keras and writes what their models do to a file: ``listings_worker.py FILE NAME...``."""

import os
import pickle
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
from tests.keras import listings

if __name__ == "__main__":
    import keras

    result = {}
    for name in sys.argv[2:]:
        keras.backend.clear_session()
        found, printed = listings.run(name, "keras")
        models = listings.models_of(found)
        result[name] = {
            "printed": printed,
            "models": {
                label: listings.behaviour(
                    model, None, steps=model.compiled and name not in listings.DRAWS, example=found.get("example")
                )
                for label, model in models.items()
            },
        }
    Path(sys.argv[1]).write_bytes(pickle.dumps(result))
