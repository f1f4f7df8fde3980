"""A process of Keras: it loads the models in a folder, predicts, and saves each again in its own formats.

python models_worker.py FOLDER keras|tf_keras
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.io.keras.expressions import EXPRESSIONS
from tests.keras.own_models import built


def flat(tensors: Any) -> list[Any]:
    if isinstance(tensors, dict):
        return [leaf for name in sorted(tensors) for leaf in flat(tensors[name])]
    if isinstance(tensors, list | tuple):
        return [leaf for part in tensors for leaf in flat(part)]
    return [np.asarray(tensors.detach() if hasattr(tensors, "detach") else tensors)]


def given(path: Path) -> Any:
    with np.load(path) as file:
        arrays = [file[f"arr_{i}"] for i in range(len(file.files))]
    return arrays if len(arrays) > 1 else arrays[0]


def called(model: Any, x: list[np.ndarray]) -> Any:
    """The inputs as the model takes them."""
    inputs = getattr(model, "_inputs_struct", getattr(model, "_nested_inputs", None))
    if isinstance(inputs, dict):
        return dict(zip(sorted(inputs), x, strict=True))
    return x if len(x) > 1 else x[0]


def hand_made(keras: Any) -> dict[str, tuple[Any, list[np.ndarray]]]:
    """Models that Keras alone can have made: nested, shared, of several ends."""
    layers, rng = keras.layers, np.random.default_rng(3)

    def draw(*shapes: tuple[int, ...]) -> list[np.ndarray]:
        return [rng.normal(size=(3, *shape)).astype("float32") for shape in shapes]

    x = keras.Input((6,), name="x")
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(6, "tanh"), layers.BatchNormalization()], name="inner")
    a, b = keras.Input((6,)), keras.Input((3,))
    pair = keras.Model([a, b], [layers.Concatenate()([a, b]), layers.Dense(2)(b)], name="pair")
    u, v = pair([inner(x), layers.Dense(3)(x)])
    nested = keras.Model(x, [layers.Dense(2)(u), v])
    left, right, twin = keras.Input((4,), name="left"), keras.Input((4,), name="right"), layers.Dense(5)
    shared = keras.Model([left, right], layers.Dot(1)([twin(left), twin(right)]))
    steps = keras.Input((5, 4))
    y, h, c = layers.LSTM(3, return_sequences=True, return_state=True)(layers.Masking()(steps))
    states = keras.Model(steps, layers.LSTM(3)(y, initial_state=[h, c]))
    inside = keras.Sequential(
        [keras.Input((6,)), keras.Sequential([layers.Dense(4), layers.Dense(3)]), layers.Dense(1)]
    )
    chain = keras.Sequential([keras.Input((5, 4)), layers.Bidirectional(layers.GRU(3)), layers.Dropout(0.5)])
    once = keras.Input((6,))
    twice = keras.Model(once, inner(inner(once)))
    return {
        "nested": (nested, draw((6,))), "shared": (shared, draw((4,), (4,))), "states": (states, draw((5, 4))),
        "inside": (inside, draw((6,))), "chain": (chain, draw((5, 4))), "twice": (twice, draw((6,))),
    }  # fmt: skip


def of_operations(keras: Any) -> dict[str, tuple[Any, list[np.ndarray]]]:
    """A model for each expression of Keras' operations."""
    ops, rng = keras.ops, np.random.default_rng(4)
    drawn = [rng.uniform(0.1, 1, (3, 4, 6)).astype("float32") for _ in range(2)]
    models = {}
    for i, text in enumerate(EXPRESSIONS):
        x, y = keras.Input((4, 6)), keras.Input((4, 6))
        scope = {"x": x, "y": y, "np": np, "abs": abs, "turned": lambda node: ops.transpose(node, (0, 2, 1))}
        scope |= {name: getattr(ops, name) for name in dir(ops) if not name.startswith("_") and name != "abs"}
        made = eval(text, {"__builtins__": {}}, scope)
        models[f"operation-{i}"] = keras.Model([x, y], [made, keras.layers.Dense(2)(x + y)]), drawn
    return models


def save(model: Any, path: Path, archive: bool) -> None:
    try:
        model.save(f"{path}.again.h5")
    except TypeError as error:  # Keras 3.15 cannot write some layers that change images: they hold a module
        if "cannot pickle 'module' object" not in str(error):
            raise
        Path(f"{path}.again.h5").unlink()
    if archive:
        model.save(f"{path}.again.keras")
        model.save_weights(f"{path}.again.weights.h5")


def main(folder: Path, which: str) -> None:
    keras = __import__(which)
    failed: dict[str, str] = {}
    for path in sorted(p for p in folder.iterdir() if p.suffix in (".keras", ".h5")):
        try:
            model = keras.models.load_model(str(path), compile=False)
            y = model(given(path.with_suffix(".npz")), training=False)
            np.savez(f"{path}.out.npz", *flat(y))
            if path.suffix == ".keras" or which == "tf_keras":
                save(model, path, which == "keras")
        except Exception:
            failed[path.name] = traceback.format_exc()[-600:]
    made = hand_made(keras) | built(keras) | (of_operations(keras) if which == "keras" else {})
    for name, (model, x) in made.items():
        try:
            np.savez(folder / f"made-{name}.npz", *x)
            np.savez(folder / f"made-{name}.out.npz", *flat(model(called(model, x), training=False)))
            save(model, folder / f"made-{name}", which == "keras")
        except Exception:
            failed[name] = traceback.format_exc()[-600:]
    (folder / "failed.json").write_text(json.dumps(failed))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
