"""A process of Keras: it loads fnet's models with models in them, trains on, and writes such models of its own.

python nested_worker.py FOLDER keras|tf_keras
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.keras.nested_models import keras_models

TRAINED = ("autoencoder", "twins")


def arrays(path: Path) -> Any:
    with np.load(path) as file:
        found = [file[name] for name in file.files]
    return found if len(found) > 1 else found[0]


def names(model: Any) -> list[Any]:
    """The names of the layers, those of models with theirs."""
    within = [getattr(layer, "layer", layer) for layer in model.layers]
    return [
        [layer.name, names(inner)] if hasattr(inner, "layers") else layer.name
        for layer, inner in zip(model.layers, within, strict=True)
    ]


def written(path: Path, model: Any, x: Any) -> None:
    made = model(x, training=False)
    made = [np.asarray(part) for part in (made if isinstance(made, list | tuple) else [made])]
    np.savez(path, *made)


def main(folder: Path, which: str) -> None:
    keras = __import__(which)
    found: dict[str, Any] = {}
    rng = np.random.default_rng(3)
    for name, model in keras_models(keras).items():
        x, y = (arrays(folder / f"{name}.{part}.npz") for part in "xy")
        for suffix in ("keras", "h5"):
            path = folder / f"ours-{name}.{suffix}"
            if (which == "tf_keras" and suffix == "keras") or not path.exists():
                continue
            loaded = keras.models.load_model(str(path))
            found[path.name] = names(loaded)
            written(folder / f"{path.name}.predicted.npz", loaded, x)
            if suffix == "keras" and name in TRAINED:
                loaded.fit(x, y, batch_size=64, epochs=2, shuffle=False, verbose=0)
                written(folder / f"{path.name}.trained.npz", loaded, x)
        model.set_weights([rng.uniform(0.05, 0.3, w.shape).astype("float32") for w in model.get_weights()])
        if name in TRAINED:
            model.compile("adam", ["mse"] * len(y) if isinstance(y, list) else "mse")
            model.fit(x, y, batch_size=64, epochs=2, shuffle=False, verbose=0)
        for suffix in ("keras", "h5", "weights.h5"):
            (model.save_weights if "." in suffix else model.save)(str(folder / f"theirs-{name}.{suffix}"))
        written(folder / f"theirs-{name}.predicted.npz", model, x)
        if name in TRAINED:
            model.fit(x, y, batch_size=64, epochs=2, shuffle=False, verbose=0)
            written(folder / f"theirs-{name}.trained.npz", model, x)
    (folder / "names.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
