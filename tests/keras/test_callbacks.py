"""Callbacks side by side with Keras' own objects, fed with the same random numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fnet import callbacks, optimizers
from fnet.layers import Dense
from fnet.train import Trainer
from tests.callbacks.feeding import Seen, fed

backend = next((name for name in ("torch", "jax", "tensorflow") if find_spec(name)), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("keras") is None or backend is None, reason="Keras is not installed"),
]

RATE = 0.5


def cases() -> list[tuple[str, dict[str, Any], list[dict[str, float]]]]:
    """Options at random, and numbers that fall, rise, stay and are NaN."""
    rng = np.random.default_rng(0)

    def logs() -> list[dict[str, float]]:
        steps = rng.choice([-1.0, -0.25, 0.0, 0.25, 1.0, np.nan], size=12, p=[0.3, 0.2, 0.2, 0.15, 0.1, 0.05])
        values = 4 + np.cumsum(np.nan_to_num(steps))
        return [
            {"loss": 1.0, "val_loss": float(np.nan if np.isnan(s) else v)} for s, v in zip(steps, values, strict=True)
        ]

    def pick(**options: list[Any]) -> dict[str, Any]:
        return {key: values[rng.integers(len(values))] for key, values in options.items()}

    mode, delta = ["min", "max"], [0, 0.25, 0.3, -0.5]
    found: list[tuple[str, dict[str, Any], list[dict[str, float]]]] = []
    for _ in range(60):
        early = pick(
            mode=mode, min_delta=delta, patience=[0, 1, 2, 3], baseline=[None, 2.0, 3.5, 5.0],
            restore_best_weights=[False, True], start_from_epoch=[0, 0, 2],
        )  # fmt: skip
        plateau = pick(
            mode=mode, min_delta=delta, patience=[0, 1, 2], factor=[0.5, 0.25], cooldown=[0, 1, 2], min_lr=[0.0, 0.1]
        )
        saving = pick(mode=mode, save_best_only=[False, True, True], initial_value_threshold=[None, 3.0])
        saving |= {"filepath": "{epoch:02d}-{val_loss:.2f}.weights.h5", "save_weights_only": True}
        found += [
            ("EarlyStopping", early, logs()),
            ("ReduceLROnPlateau", plateau, logs()),
            ("ModelCheckpoint", saving, logs()),
        ]
    found.append(("LearningRateScheduler", {"schedule": rng.uniform(0.5, 1.5, 12).tolist()}, logs()))
    found.append(("CSVLogger", {"filename": "log.csv", "separator": ";"}, [{"b": 1.5, "a": 2.25}, {"a": 1e-7}]))
    found.append(("CSVLogger", {"filename": "log.csv"}, [{"loss": 1.5, "val_loss": float("nan")}] * 2))
    return found


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    jobs = [["callback", name, options, logs, RATE] for name, options, logs in cases()]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("recorder.py"))],
        input=json.dumps(jobs), cwd=tmp_path_factory.mktemp("keras"),
        env={"KERAS_BACKEND": backend or "", **os.environ}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_they_do_epoch_by_epoch(theirs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    problem = np.ones((23, 3), "float32"), np.zeros((23, 1), "float32")
    trainer = Trainer(Dense(1), "mse", optimizers.sgd(RATE))
    for number, ((name, options, logs), expected) in enumerate(zip(cases(), theirs, strict=True)):
        if name == "LearningRateScheduler":
            options = {"schedule": lambda epoch, rate, factors=options["schedule"]: factors[epoch] * rate}
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        seen = Seen()
        new, history = fed(trainer, problem, logs, seen, getattr(callbacks, name)(**options))
        assert len(history.epoch) == expected["epochs"], (name, options, logs)
        if "learning_rate" in history:
            np.testing.assert_allclose(history["learning_rate"], expected["rates"], rtol=1e-6, err_msg=f"{options}")
        if name == "EarlyStopping":
            kept = seen.params[expected["weights"]]
            assert np.array_equal(new.params["kernel"], kept["kernel"]), (options, logs)
        assert sorted(path.name for path in folder.glob("*.h5")) == sorted(set(expected["saved"])), (options, logs)
        if name == "CSVLogger":
            assert (folder / "log.csv").read_text() == expected["text"]
