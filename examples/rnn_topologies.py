"""The five shapes of recurrent networks: from one or many steps to one or many steps.

    python examples/rnn_topologies.py

A handwritten digit of scikit-learn's is a sequence of 8 rows of 8 pixels, read from the top. Five small networks are
trained on it; each must err less than the best constant answer (the mean over the training set) on digits held out.
Needs scikit-learn: pip install fnet[examples].
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import fnet
from fnet import random, serial
from fnet.layers import GRU, LSTM, Dense, RepeatVector, SimpleRNN, TimeDistributed

NETWORKS = {
    # A vector in, a vector out: no recurrence. The 4th row says something of the 5th.
    "one to one": serial(Dense(32, activation="relu"), Dense(8)),
    # A vector is repeated as the input of every step: a drawing (8 rows) from the digit alone.
    "one to many": serial(RepeatVector(8), SimpleRNN(32, return_sequences=True), TimeDistributed(Dense(8))),
    # Only the last step's output counts: from the 8 rows to the digit.
    "many to one": serial(GRU(32), Dense(10)),
    # An output for every step, which has seen the rows so far: the next row.
    "many to many, step by step": serial(LSTM(32, return_sequences=True), TimeDistributed(Dense(8))),
    # Everything is read before anything is written (encoder and decoder): the rows from the bottom to the top.
    "many to many, read then write": serial(
        LSTM(48), RepeatVector(8), LSTM(48, return_sequences=True), TimeDistributed(Dense(8))
    ),
}


def tasks() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Inputs and targets of each network."""
    pictures, labels = load_digits(return_X_y=True)
    rows = pictures.reshape(-1, 8, 8) / 16
    digits = np.eye(10)[labels]
    return {
        "one to one": (rows[:, 3], rows[:, 4]),
        "one to many": (digits, rows),
        "many to one": (rows, digits),
        "many to many, step by step": (rows[:, :-1], rows[:, 1:]),
        "many to many, read then write": (rows, rows[:, ::-1]),
    }


def main() -> None:
    """Train the five and compare each with a constant answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="where it is trained: cpu, cuda, cuda:1, ...")
    device = parser.parse_args().device

    for name, (x, y) in tasks().items():
        x, x_test, y, y_test = train_test_split(x, y, test_size=0.25, random_state=0)
        trainer = fnet.Trainer(NETWORKS[name], "mse", fnet.optimizers.adam(5e-3))
        ts = fnet.to_device(trainer.init(random.key(0), shape=x.shape[1:]), device)
        ts, _ = trainer.fit(ts, *fnet.to_device((x, y), device), batch_size=32, epochs=12, verbose=False)

        constant = np.mean((y_test - y.mean(axis=0)) ** 2)
        x_test, y_test = fnet.to_device((x_test, y_test), device)
        error = trainer.evaluate(ts, x_test, y_test)["loss"]
        print(f"{name:30} {x.shape[1:]} -> {y.shape[1:]}  error {error:.4f}, constant answer {constant:.4f}")
        assert trainer.predict(ts, x_test).shape == y_test.shape
        assert error < 0.8 * constant


if __name__ == "__main__":
    main()
