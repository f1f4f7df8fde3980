"""Tell benign from malignant tumours with a very small network, and stop when it no longer gets better.

    python examples/dnn_classifier.py

The tutorial's classifier, Dense 4-3-1 with a sigmoid at the end, on Wisconsin's breast cancer data (569 samples of 30
measurements, with scikit-learn). A part of the training data is set aside to watch; a callback keeps the best state and
ends the training. Result: at least 94 % right on samples held out, against 63 % for always saying the same.
Needs scikit-learn: pip install fnet[examples].
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

import fnet
from fnet import random, serial
from fnet.layers import Dense

SMALL = fnet.regularizers.L2(0.01)  # a penalty on large weights, added to the loss in training
NET = serial(
    Dense(4, activation="relu", kernel_regularizer=SMALL),
    Dense(3, activation="relu", kernel_regularizer=SMALL),
    Dense(1, activation="sigmoid", kernel_regularizer=SMALL),
)


class EarlyStopping:
    """A callback is a function of epoch, numbers and state; this one keeps the last state that was clearly better."""

    def __init__(self, start: fnet.TrainState, patience: int, min_delta: float) -> None:
        self.patience, self.min_delta = patience, min_delta
        self.least, self.epoch, self.best = np.inf, 0, start

    def __call__(self, epoch: int, logs: dict[str, float], ts: fnet.TrainState) -> str | None:
        if logs["val_loss"] < self.least - self.min_delta:
            self.least, self.epoch, self.best = logs["val_loss"], epoch, ts
        return "stop" if epoch - self.epoch >= self.patience else None


def main() -> None:
    """Train until validation says so, then test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="where it is trained: cpu, cuda, cuda:1, ...")
    device = parser.parse_args().device

    samples, benign = load_breast_cancer(return_X_y=True)
    x, x_test, y, y_test = train_test_split(samples, benign, test_size=0.25, stratify=benign, random_state=0)
    mean, deviation = x.mean(axis=0), x.std(axis=0)  # of the training data alone
    x, x_test = (x - mean) / deviation, (x_test - mean) / deviation
    y, y_test = y[:, None], y_test[:, None]  # (N, 1), like the output

    optimizer = fnet.optimizers.adam(5e-3)
    trainer = fnet.Trainer(NET, "binary_crossentropy", optimizer, metrics=["binary_accuracy", "auc"])
    ts = fnet.to_device(trainer.init(random.key(1), shape=(30,)), device)
    stopping = EarlyStopping(ts, patience=15, min_delta=1e-3)
    _, history = trainer.fit(
        ts,
        *fnet.to_device((x, y), device),
        batch_size=32,
        epochs=500,
        validation_split=0.2,
        callbacks=[stopping],
        verbose=False,
    )
    print(f"{len(history['loss'])} epochs, the best was number {stopping.epoch}: val_loss {stopping.least:.4f}")

    result = trainer.evaluate(stopping.best, *fnet.to_device((x_test, y_test), device))
    wrong = (fnet.to_host(trainer.predict(stopping.best, fnet.to_device(x_test, device))) > 0.5) != y_test
    print(f"always the more frequent class: accuracy {max(y_test.mean(), 1 - y_test.mean()):.4f}")
    print(f"network: accuracy {result['binary_accuracy']:.4f}, area under the curve {result['auc']:.4f}")
    print(f"{wrong.sum()} of {len(wrong)} wrong, {(wrong & (y_test == 0)).sum()} of them malignant")
    assert result["binary_accuracy"] >= 0.94
    assert result["auc"] >= 0.98
    assert len(history["loss"]) < 500


if __name__ == "__main__":
    main()
