"""Rules, their common options and schedules side by side with Keras' own (in float32, as Keras computes)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from fnet import optimizers as optim
from fnet import schedules
from tests.optimizers.running import run
from tests.optimizers.table import RULES

backend = next((name for name in ("torch", "jax", "tensorflow") if find_spec(name)), None)
pytestmark = pytest.mark.skipif(find_spec("keras") is None or backend is None, reason="Keras is not installed")

RNG = np.random.default_rng(0)
START = {"head": RNG.normal(size=(3, 2)).astype(np.float32), "bias": RNG.normal(size=2).astype(np.float32)}
GRADIENTS = [{key: RNG.normal(size=w.shape).astype(np.float32) for key, w in START.items()} for _ in range(20)]

OPTIONS = {
    "clipnorm": {"clipnorm": 0.5},
    "clipvalue": {"clipvalue": 0.5},
    "global_clipnorm": {"global_clipnorm": 0.5},
    "weight_decay": {"weight_decay": 0.1},
    "excluded": {"weight_decay": 0.1, "exclude": ["bias"]},
    "accumulated": {"gradient_accumulation_steps": 3, "clipnorm": 0.5, "weight_decay": 0.1},
    "overwritten": {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 4},
    "many": {"weight_decay": 0.1, "global_clipnorm": 0.5, "use_ema": True, "ema_overwrite_frequency": 6},
}
SCHEDULES = {
    "ExponentialDecay": [0.1, 10, 0.5],
    "InverseTimeDecay": [0.1, 10, 0.5],
    "PiecewiseConstantDecay": [[3, 7], [1.0, 0.5, 0.25]],
    "PolynomialDecay": [0.1, 10, 0.01, 2.0],
    "CosineDecay": [0.1, 20, 0.1],
    "CosineDecayRestarts": [0.1, 7, 2.0, 0.5, 0.1],
}
STAIRS = {
    "ExponentialDecay": [0.1, 10, 0.5, True],
    "InverseTimeDecay": [0.1, 10, 0.5, True],
    "PolynomialDecay": [0.1, 10, 0.01, 1.0, True],
    "CosineDecay": [0.1, 20, 0.1, 0.3, 5],
}
NAMES = {
    "ExponentialDecay": ["initial_learning_rate", "decay_steps", "decay_rate", "staircase"],
    "InverseTimeDecay": ["initial_learning_rate", "decay_steps", "decay_rate", "staircase"],
    "PiecewiseConstantDecay": ["boundaries", "values"],
    "PolynomialDecay": ["initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle"],
    "CosineDecay": ["initial_learning_rate", "decay_steps", "alpha", "warmup_target", "warmup_steps"],
    "CosineDecayRestarts": ["initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha"],
}
SCHEDULE_JOBS = {
    f"{name}{kind}": (name, dict(zip(NAMES[name], values, strict=False)))
    for kind, table in (("", SCHEDULES), (" with options", STAIRS))
    for name, values in table.items()
}
ON_TORCH = (os.environ.get("KERAS_BACKEND") or backend) == "torch"
RULE_JOBS = {
    rule.id: rule.keras
    for rule in RULES
    # On PyTorch, Keras' own changes the memory of z before it reads it, so its steps are not those of its formula.
    if rule.keras and not (ON_TORCH and rule.id.startswith("schedule_free"))
}
OPTION_JOBS = {
    f"{name} {key}": (name, {"lr": 0.05, **options}) for name in ("Adam", "SGD") for key, options in OPTIONS.items()
}


@pytest.fixture(scope="module")
def theirs():
    """What Keras gives, by the name of the job, from one process."""
    lists = [{key: w.tolist() for key, w in step.items()} for step in (START, *GRADIENTS)]
    jobs = {key: ["trajectory", *job, lists[0], lists[1:]] for key, job in (RULE_JOBS | OPTION_JOBS).items()}
    jobs |= {key: ["schedule", *job, 40] for key, job in SCHEDULE_JOBS.items()}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("recorder.py"))],
        input=json.dumps(list(jobs.values())),
        env={"KERAS_BACKEND": backend or "", **os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(jobs, json.loads(done.stdout), strict=True))


def check(opt, expected):
    path, _ = run(opt, START, GRADIENTS)
    for step, (got, want) in enumerate(zip(path, expected, strict=True)):
        for own, other in zip(got.values(), want, strict=True):
            np.testing.assert_allclose(own, other, rtol=5e-5, atol=5e-6, err_msg=f"step {step}")


@pytest.mark.parametrize("name", RULE_JOBS)
def test_trajectory(name, theirs):
    check(next(rule for rule in RULES if rule.id == name).make(), theirs[name])


@pytest.mark.parametrize("name", OPTION_JOBS)
def test_common_options(name, theirs):
    rule, options = OPTION_JOBS[name]
    exclude = {"exclude_from_weight_decay": options["exclude"]} if "exclude" in options else {}
    options = {key: value for key, value in options.items() if key not in ("lr", "exclude")}
    check(getattr(optim, rule)(learning_rate=0.05, **options, **exclude), theirs[name])


@pytest.mark.parametrize("name", SCHEDULE_JOBS)
def test_schedule(name, theirs):
    made, arguments = SCHEDULE_JOBS[name]
    schedule = getattr(schedules, made)(**arguments)
    np.testing.assert_allclose([float(schedule(step)) for step in range(40)], theirs[name], rtol=2e-5, atol=2e-7)
