"""A process that trains is killed at random moments, again and again, until the training is over."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

TRAIN = """
import hashlib, json, sys, numpy as np, fnet
from pathlib import Path
from fnet.callbacks import BackupAndRestore, Callback, CSVLogger, EarlyStopping, ReduceLROnPlateau
from fnet.layers import BatchNormalization, Dense, Dropout

class Began(Callback):
    def on_train_begin(self, run):
        print("began", flush=True)

folder, freq = Path(sys.argv[1]), sys.argv[2]
rng = np.random.default_rng(0)
x, y = rng.normal(size=(23, 3)).astype("float32"), rng.normal(size=(23, 1)).astype("float32")
net = fnet.serial(Dense(4, "tanh"), BatchNormalization(), Dropout(0.25), Dense(1))
trainer = fnet.Trainer(net, "mse", "adam", metrics=["mae"])
several = [
    Began(), EarlyStopping("loss", mode="max", patience=99, restore_best_weights=True), CSVLogger(folder / "table.csv"),
    ReduceLROnPlateau("loss", factor=0.9, patience=1, min_delta=0.01),
    BackupAndRestore(folder / "backup", freq if freq == "epoch" else int(freq), double_checkpoint=True),
]
ts, history = trainer.fit(
    trainer.init(fnet.random.key(1), (3,)), x, y, batch_size=5, epochs=24, verbose=False, validation_split=0.2,
    callbacks=several,
)
digest = hashlib.sha256()
for path, leaf in fnet.tree.leaves_with_path(ts):
    digest.update(path.encode() + np.asarray(leaf).tobytes())
told = json.dumps([history.history, history.epoch, several[1].best, several[1].best_epoch, several[1].wait])
print(digest.hexdigest(), told, (folder / "table.csv").read_text().encode().hex(), flush=True)
"""


def started(folder: Path, freq: str) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    process = subprocess.Popen([sys.executable, "-c", TRAIN, str(folder), freq], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "began\n"
    return process


def killed_until_over(folder: Path, freq: str, moments: random.Random, longest: float, most: int) -> tuple[str, int]:
    """What the training says in the end, and how many times it was killed."""
    kills = 0
    while True:
        process = started(folder, freq)
        if kills < most:
            time.sleep(moments.uniform(0, longest))
            process.kill()
        assert process.stdout is not None
        told = process.stdout.read()
        process.stdout.close()
        if process.wait() == 0 or told:
            assert told
            return told, kills
        kills += 1


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="processes as POSIX kills them")
def test_a_killed_training_gives_the_bits_of_one_never_stopped(tmp_path):
    moments, kills, trainings = random.Random(12), 0, 0
    wanted = int(os.environ.get("FNET_TEST_KILLS", "10"))
    while kills < wanted:
        freq = ("1", "3", "epoch", "7")[trainings % 4]
        begin = time.perf_counter()
        process = started(tmp_path / f"whole-{trainings}", freq)
        assert process.stdout is not None
        whole = process.stdout.read()
        taken = time.perf_counter() - begin
        process.stdout.close()
        assert process.wait() == 0 and whole
        told, more = killed_until_over(tmp_path / str(trainings), freq, moments, taken / 4, wanted - kills)
        assert told == whole and not (tmp_path / str(trainings) / "backup").exists()
        kills, trainings = kills + more, trainings + 1
    print(f"{kills} kills in {trainings} trainings")
