"""Several views of one picture: blocks in the manner of Inception, written with `fanout`.

    python examples/inception.py

A block sends its input through convolutions of several sizes and a pooling, and concatenates what they find along the
channels. Result: at least 97 % of scikit-learn's digits that were held out are right.
Source of the idea: C. Szegedy et al., Going Deeper with Convolutions, CVPR 2015.
Needs scikit-learn: pip install fnet[examples].
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import fnet
from fnet import Layer, fanout, losses, random, serial
from fnet.layers import Conv2D, Dense, Dropout, GlobalAveragePooling2D, MaxPooling2D


def conv(filters: int, size: int) -> Layer:
    """A convolution that keeps height and width."""
    return Conv2D(filters, size, padding="same", activation="relu")


def inception(filters: int) -> Layer:
    """(N, H, W, C) -> (N, H, W, 4 filters): four branches, with 1 x 1 convolutions where they save work."""
    return fanout(
        conv(filters, 1),
        serial(conv(filters, 1), conv(filters, 3)),
        serial(conv(filters // 2, 1), conv(filters, 5)),
        serial(MaxPooling2D(3, strides=1, padding="same"), conv(filters, 1)),
    )


NET = serial(
    conv(16, 3), inception(12), MaxPooling2D(2), inception(16), GlobalAveragePooling2D(), Dropout(0.2), Dense(10)
)


def main() -> None:
    """Train, test, and look at a block from inside."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="where it is trained: cpu, cuda, cuda:1, ...")
    device = parser.parse_args().device

    pictures, labels = load_digits(return_X_y=True)
    x = pictures.reshape(-1, 8, 8, 1) / 16
    x, x_test, y, y_test = train_test_split(x, labels, test_size=0.2, stratify=labels, random_state=0)

    print(f"shapes of a block: (8, 8, 16) -> {inception(12).out_shape((8, 8, 16))}")
    epochs, batch_size = 40, 32
    rate = fnet.schedules.cosine_decay(4e-3, epochs * -(-len(x) // batch_size))
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    trainer = fnet.Trainer(NET, loss, fnet.optimizers.adam(rate), metrics=["accuracy"])
    ts = fnet.to_device(trainer.init(random.key(0), shape=(8, 8, 1)), device)
    x, y, x_test, y_test = fnet.to_device((x, y, x_test, y_test), device)
    ts, _ = trainer.fit(ts, x, y, batch_size=batch_size, epochs=epochs)

    parameters = sum(np.size(leaf) for leaf in fnet.tree.leaves(ts.params))
    accuracy = trainer.evaluate(ts, x_test, y_test)["accuracy"]
    print(f"{parameters} parameters, test accuracy {accuracy:.4f}")
    assert accuracy >= 0.97


if __name__ == "__main__":
    main()
