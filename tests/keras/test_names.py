"""Which of Keras' public names fnet.keras has; what it has not is listed here with the reason."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys

import pytest

LATER = "not written yet"
CONFIGS = "files say things by fnet.save_model; objects have no serialised form of their own"
OTHERS = "of another library or backend"
NO_HALVES = "no number has 16 bits, so no loss is scaled"
BY_PATHS = "fnet.optimizers.partition gives parts of the parameters an optimizer of their own"
BY_FIT = "fit prints by itself, as verbose says"
NO_NETWORK = "fnet talks to no server: a callback of one's own sends what on_epoch_end gets"
NO_COMPLEX = "there are no complex numbers"
BY_PRIMITIVE = "fnet.primitive makes a function with a derivative rule of its own"
UTILS = """
bounding_boxes Config
"""
REFUSED: dict[str, dict[str, str]] = {
    "layers": dict.fromkeys(("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"), OTHERS),
    "models": {},
    "optimizers": {"LossScaleOptimizer": NO_HALVES, "MultiOptimizer": BY_PATHS, "OptimizerMap": BY_PATHS}
    | {"legacy": CONFIGS},
    "optimizers.schedules": dict.fromkeys(("serialize", "deserialize"), CONFIGS),
    "losses": {},
    "metrics": {},
    "activations": {},
    "initializers": {},
    "regularizers": {},
    "constraints": {},
    "callbacks": {"ProgbarLogger": BY_FIT, "RemoteMonitor": NO_NETWORK, "OrbaxCheckpoint": OTHERS},
    "random": {},
    "ops": dict.fromkeys(("lstsq", "lu_factor", "matrix_rank", "pinv", "svd"), LATER)
    | dict.fromkeys(("eig", "view_as_complex", "view_as_real"), NO_COMPLEX)
    | {"custom_gradient": BY_PRIMITIVE},
    "ops.image": {},
    "utils": dict.fromkeys(UTILS.split(), LATER)
    | {"get_custom_objects": CONFIGS}
    | dict.fromkeys(("disable_interactive_logging", "enable_interactive_logging"), BY_FIT)
    | {"is_interactive_logging_enabled": BY_FIT, "legacy": CONFIGS, "standardize_dtype": OTHERS},
    "datasets": {},
    "preprocessing": {},
    "preprocessing.sequence": {},
}


@pytest.fixture(scope="module")
def names_of_keras():
    if importlib.util.find_spec("keras") is None:
        pytest.skip("needs Keras")
    listed = "{n: [k for k in dir(importlib.import_module('keras.' + n)) if k[0] != '_'] for n in sys.argv[1:]}"
    code = f"import importlib, json, sys; print(json.dumps({listed}))"
    done = subprocess.run(
        [sys.executable, "-c", code, *REFUSED], capture_output=True, text=True, check=True,
        env={"KERAS_BACKEND": "jax", **{k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}},
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("module", REFUSED)
def test_every_name_is_there_or_has_a_reason(module, names_of_keras):
    ours = importlib.import_module(f"fnet.keras.{module}")
    missing = {name for name in names_of_keras[module] if not hasattr(ours, name)}
    print(f"{module}: {len(names_of_keras[module]) - len(missing)} of {len(names_of_keras[module])} names")
    assert missing == set(REFUSED[module])
