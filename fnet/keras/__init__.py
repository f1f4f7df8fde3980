"""The words of Keras' tutorials over the functional core: change the import line, and run what you know.

Models and layers are objects that hold their weights; all numbers come from `fnet.layers`, `fnet.losses`,
`fnet.optimizers` and `fnet.Trainer`. ``model.functional``, ``model.params`` and ``model.state`` are the same model as
pure functions and trees, and `from_functional` is the way back.

>>> import numpy as np
>>> from fnet.keras import Sequential, layers
>>> model = Sequential([layers.Dense(16, activation="relu", input_shape=(4,)), layers.Dense(1)])
>>> model.compile(optimizer="adam", loss="mse", metrics=["mae"])
>>> x = np.ones((8, 4), np.float32)
>>> history = model.fit(x, x.sum(1), epochs=2, verbose=0)
>>> sorted(history.history)
['loss', 'mae']
"""

from typing import Any as _Any

from fnet.first_use import on_first_use as _on_first_use

_load, __dir__, __all__ = _on_first_use(__name__)


def __getattr__(name: str) -> _Any:
    if name == "GradientTape":
        raise AttributeError(
            "fnet.keras has no GradientTape: gradients are those of functions: loss, gradients = "
            "fnet.keras.value_and_grad(lambda: loss_fn(y, model(x, training=True)), model.trainable_variables)."
        )
    return _load(name)
