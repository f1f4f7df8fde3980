"""A convolutional network that recognises handwritten digits.

    python examples/cnn_digits.py

The tutorial's stack Conv-Pool-Conv-Pool-Flatten-Dense-Dense on scikit-learn's digits (1797 pictures of 8 x 8 pixels).
Result: at least 97 % of the pictures held out are right. Needs scikit-learn: pip install fnet[examples].
"""

from __future__ import annotations

import argparse

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import fnet
from fnet import losses, random, serial
from fnet.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D

NET = serial(
    Conv2D(32, 3, padding="same", activation="relu"),  # (N, 8, 8, 1) -> (N, 8, 8, 32)
    MaxPooling2D(2),  # -> (N, 4, 4, 32)
    Conv2D(16, 3, padding="same", activation="relu"),  # -> (N, 4, 4, 16)
    MaxPooling2D(2),  # -> (N, 2, 2, 16)
    Flatten(),  # -> (N, 64)
    Dense(50, activation="relu"),
    Dropout(0.2),
    Dense(10),  # one logit for each digit
)


def main() -> None:
    """Train, test, show some answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="where it is trained: cpu, cuda, cuda:1, ...")
    device = parser.parse_args().device

    pictures, labels = load_digits(return_X_y=True)
    x = pictures.reshape(-1, 8, 8, 1) / 16  # channels last, values from 0 to 1
    x, x_test, y, y_test = train_test_split(x, labels, test_size=0.2, stratify=labels, random_state=0)

    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    trainer = fnet.Trainer(NET, loss, optimizer=fnet.optimizers.adam(2e-3), metrics=["accuracy"])
    ts = fnet.to_device(trainer.init(random.key(0), shape=(8, 8, 1)), device)
    x, y, x_test, on_device = fnet.to_device((x, y, x_test, y_test), device)
    ts, history = trainer.fit(ts, x, y, batch_size=32, epochs=25, validation_split=0.1)

    result = trainer.evaluate(ts, x_test, on_device)
    answers = fnet.to_host(trainer.predict(ts, x_test)).argmax(axis=-1)
    print(
        f"loss on the training set: {history['loss'][0]:.3f} in the first epoch, {history['loss'][-1]:.3f} in the last"
    )
    print(f"predicted {answers[:12]}")
    print(f"true      {y_test[:12]}")
    print(f"test accuracy {result['accuracy']:.4f}")
    assert result["accuracy"] >= 0.97


if __name__ == "__main__":
    main()
