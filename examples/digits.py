"""Recognise handwritten digits: train, watch, test, save, load, predict.

    python examples/digits.py                     # writes digits.png and digits.h5 to the current directory
    python examples/digits.py --epochs 10 --curves curves.pdf --weights weights.h5
    python examples/digits.py --device cuda       # on a card, as every example here

Needs scikit-learn (for the data, 1797 pictures of 8 x 8 pixels) and matplotlib: pip install fnet[examples].
"""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import fnet
from fnet import losses, random, serial
from fnet.layers import Dense, Dropout


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pictures (N, 64) in [0, 1] and labels (N,): for training, and 20 % of them for testing, every digit alike."""
    pictures, labels = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(pictures / 16, labels, test_size=0.2, stratify=labels, random_state=0)
    return x, y, x_test, y_test


def main() -> None:
    """Do it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--curves", default="digits.png", help="where the learning curves go")
    parser.add_argument("--weights", default="digits.h5", help="where the trained weights go")
    parser.add_argument("--device", default="cpu", help="where it is trained: cpu, cuda, cuda:1, ...")
    options = parser.parse_args()

    # A network is a pair of functions (init, apply); its last layer gives one score for each digit, a logit.
    net = serial(Dense(256, activation="relu"), Dropout(0.4), Dense(10))
    loss = partial(losses.sparse_categorical_crossentropy, from_logits=True)
    trainer = fnet.Trainer(net, loss, optimizer="adam", metrics=["accuracy"])

    x, y, x_test, y_test = fnet.to_device(data(), options.device)
    untrained = trainer.init(random.key(options.seed), shape=(64,))
    trained, history = trainer.fit(
        fnet.to_device(untrained, options.device), x, y, epochs=options.epochs, validation_split=0.1
    )
    history.plot(options.curves)

    result = trainer.evaluate(trained, x_test, y_test)
    print(f"test loss {result['loss']:.4f}, test accuracy {result['accuracy']:.4f}")

    # The weights alone go to the file; the untrained ones say what shape they have.
    fnet.save_weights(options.weights, net, trained.params, trained.state)
    params, state = fnet.load_weights(options.weights, net, untrained.params, untrained.state)
    loaded = fnet.to_device(untrained._replace(params=params, state=state), options.device)
    scores, y_test = fnet.to_host((trainer.predict(loaded, x_test), y_test))
    assert np.array_equal(scores, fnet.to_host(trainer.predict(trained, x_test)))
    digits = scores.argmax(axis=-1)
    print(f"loaded from {options.weights}: {np.sum(digits == y_test)} of {len(y_test)} test digits are right, e.g.")
    print(f"  predicted {digits[:12]}")
    print(f"  true      {y_test[:12]}")


if __name__ == "__main__":
    main()
