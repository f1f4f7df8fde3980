"""A process of Keras: it predicts with fnet's files in a folder, and leaves files of its own with what they predict.

python exchange_worker.py FOLDER keras|tf_keras
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np

folder, which = Path(sys.argv[1]), sys.argv[2]
keras = __import__(which)
layers, x, ids = keras.layers, np.load(folder / "x.npy"), np.load(folder / "ids.npy")


def flat(y: Any) -> list[Any]:
    return [np.asarray(part) for part in (y if isinstance(y, list | tuple) else [y])]


def nested() -> Any:
    """As the test's: a base in a chain, frozen or not."""
    base = [
        layers.Dense(5, activation="tanh"),
        layers.BatchNormalization(),
        layers.Dense(5),
        layers.BatchNormalization(),
    ]
    inner = keras.Sequential([keras.Input((5, 6)), *base], name="base")
    return keras.Sequential([keras.Input((5, 4)), layers.Dense(6), inner, layers.Dense(2)])


def merged(kind: str, second: bool) -> Any:
    a, b = keras.Input((5,), dtype="int32"), keras.Input((5,), dtype="int32")
    parts = layers.Embedding(4, 3, mask_zero=True)(a), layers.Embedding(4, 3, mask_zero=second)(b)
    z = getattr(layers, kind)()(list(parts))
    return keras.Model([a, b], [layers.GRU(2)(z), layers.Flatten()(z)])


def operations() -> dict[str, Any]:
    """Models of operations of one tensor, and an input that nothing needs."""
    start, unused = keras.Input((5, 4)), keras.Input((2,))
    if which == "keras":
        ops = keras.ops
        made = [
            ops.repeat(start, 2, axis=1), ops.tile(start, (1, 2, 1)), ops.rsqrt(ops.absolute(start) + 1),
            ops.normalize(start, axis=-1), ops.average(start, axis=1), ops.roll(start, 1, axis=1), ops.diff(start),
            ops.moments(start, [1])[1], ops.tril(start), ops.top_k(start, 2)[0], ops.count_nonzero(start, axis=1),
            ops.hard_shrink(start, 0.3), ops.threshold(start, 0.1, 0.0), ops.unstack(start, axis=1)[2],
        ]  # fmt: skip
    else:
        tf = __import__("tensorflow")
        made = [
            tf.math.rsqrt(tf.abs(start) + 1.0), tf.reduce_mean(start, axis=[1, 2], keepdims=True), start[:, 1:3] * 2.0,
            1.0 - start[:, -1], tf.matmul(start, start, transpose_b=True), tf.concat([start, start], axis=1),
            tf.reshape(start, (tf.shape(start)[0], 20)), tf.where(start > 0.5, start, 0.0),
            tf.nn.leaky_relu(start, 0.1), tf.math.abs(start),
            tf.math.l2_normalize(start, axis=-1), tf.gather(start, [0, 2], axis=1), tf.split(start, 2, axis=-1)[1],
            tf.pad(start, [[0, 0], [1, 1], [0, 0]]), tf.transpose(start, [0, 2, 1]), tf.clip_by_value(start, 0.2, 0.5),
        ]  # fmt: skip
    return keras.Model([start, unused], made)


def inference() -> Any:
    start = keras.Input((5, 4))
    base = keras.Sequential([keras.Input((5, 4)), layers.BatchNormalization(), layers.Dropout(0.9)])
    return keras.Model(start, [base(start, training=False), base(start), layers.Dropout(0.5)(start)])


def activations() -> Any:
    first = layers.Dense(4, activation=layers.LeakyReLU(0.2))
    second = layers.Conv1D(3, 2, activation=layers.PReLU(alpha_initializer="ones"))
    return keras.Sequential([keras.Input((5, 4)), first, second, layers.Activation(layers.ELU(0.5))])


def integers() -> Any:
    start = keras.Input((5,), dtype="uint8")
    return keras.Model(start, (start / 255.0 - 0.5) * 2.0)


failed: dict[str, str] = {}
for path in sorted(folder.glob("ours-*")):
    if which == "tf_keras" and (path.suffix == ".keras" or path.name.endswith(".weights.h5")):
        continue
    try:
        if "nested" in path.name:
            model = nested()
            model.load_weights(str(path))
        else:
            model = keras.models.load_model(str(path), compile=False)
        np.savez(f"{path}.npz", *flat(model.predict(x, verbose=0)))
    except Exception:
        failed[path.name] = traceback.format_exc()[-600:]

rng = np.random.default_rng(1)
made = {"inference": inference(), "activations": activations(), "operations": operations(), "nested": nested()}
made |= {f"{kind}-{second}": merged(kind, second) for kind in ("Add", "Maximum") for second in (True, False)}
made |= {"integers": integers()} if which == "keras" else {}
for name, model in made.items():
    try:
        model.set_weights([np.abs(rng.normal(size=w.shape)).astype("float32") + 0.1 for w in model.weights])
        given = [x, x[:, 0, :2]] if name == "operations" else [ids, ids[:, ::-1]] if "-" in name else [x]
        given = [ids.astype("uint8")] if name == "integers" else given
        np.savez(folder / f"theirs-{name}.npz", *flat(model.predict(given if len(given) > 1 else given[0], verbose=0)))
        np.savez(folder / f"theirs-{name}.in.npz", *given)
        for suffix in ("keras", "h5"):
            model.save(folder / f"theirs-{name}.{suffix}")
        if name == "nested":
            model.save_weights(folder / "theirs-nested.weights.h5") if which == "keras" else None
            model.get_layer("base").trainable = False
            model.save(folder / "theirs-nested-frozen.h5")
    except Exception:
        failed[name] = traceback.format_exc()[-600:]
(folder / "failed.json").write_text(json.dumps(failed))
