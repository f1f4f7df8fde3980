"""`python recorder.py < jobs > values`: what Keras' optimizers, schedules and callbacks give, in a process of its own.

Keras takes its backend from the environment when it is imported; a job is [kind, class name, arguments, arrays].
"""

from __future__ import annotations

import json
import os
import pathlib
import sys
import warnings


def trajectory(name: str, arguments: dict, start: dict, gradients: list[dict]) -> list[list]:
    """The variables after each of the gradients, in the order of `start`."""
    import keras
    import numpy as np

    rate = arguments.pop("lr", None)
    exclude = arguments.pop("exclude", None)
    options = {**arguments, **({} if rate is None else {"learning_rate": rate})}
    optimizer = getattr(keras.optimizers, name)(**options)
    if exclude:
        optimizer.exclude_from_weight_decay(var_names=exclude)
    variables = [keras.Variable(np.array(w, np.float32), name=key) for key, w in start.items()]
    optimizer.build(variables)
    path = []
    for step in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(np.array(step[key], np.float32)) for key in start], variables)
        path.append([keras.ops.convert_to_numpy(v).tolist() for v in variables])
    return path


def schedule(name: str, arguments: dict, steps: int) -> list[float]:
    """The value at each step."""
    import keras

    made = getattr(keras.optimizers.schedules, name)(**arguments)
    return [float(made(step)) for step in range(steps)]


class _Model:
    """What a callback of Keras asks of a model: weights that are the number of the epoch, a rate, files by name."""

    def __init__(self, rate: float) -> None:
        import types

        self.optimizer = types.SimpleNamespace(learning_rate=rate)
        self.stop_training, self.weights, self.saved = False, [-1], []

    def get_weights(self) -> list:
        return list(self.weights)

    def set_weights(self, weights: list) -> None:
        self.weights = list(weights)

    def save_weights(self, path: str, overwrite: bool) -> None:
        self.saved.append(os.path.basename(path))


def callback(name: str, arguments: dict, logs: list[dict], rate: float) -> dict:
    """What a callback does when it is fed with the logs of epochs; a schedule is a list of rates."""
    import keras

    if name == "LearningRateScheduler":
        rates = arguments["schedule"]
        arguments = {"schedule": lambda epoch, now: rates[epoch] * now}
    made, model = getattr(keras.callbacks, name)(**arguments), _Model(rate)
    made.set_model(model)
    made.on_train_begin()
    rates_seen, epochs = [], 0
    for epoch, numbers in enumerate(logs):
        made.on_epoch_begin(epoch)
        rates_seen.append(float(model.optimizer.learning_rate))
        model.weights = [epoch]
        made.on_epoch_end(epoch, dict(numbers))
        epochs += 1
        if model.stop_training:
            break
    made.on_train_end()
    text = pathlib.Path(arguments["filename"]).read_text() if name == "CSVLogger" else ""
    return {"epochs": epochs, "rates": rates_seen, "weights": model.weights[0], "saved": model.saved, "text": text}


def main() -> None:
    os.environ.setdefault("KERAS_BACKEND", "jax")
    warnings.simplefilter("ignore")
    run = {"trajectory": trajectory, "schedule": schedule, "callback": callback}
    json.dump([run[kind](*rest) for kind, *rest in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
