"""`python recorder.py < jobs > values`: what Keras' own optimizers and schedules give, run in a process of its own.

Keras takes its backend from the environment when it is imported; a job is [kind, class name, arguments, arrays].
"""

from __future__ import annotations

import json
import os
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


def main() -> None:
    os.environ.setdefault("KERAS_BACKEND", "jax")
    warnings.simplefilter("ignore")
    run = {"trajectory": trajectory, "schedule": schedule}
    json.dump([run[kind](*rest) for kind, *rest in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
