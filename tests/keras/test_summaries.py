"""What `summary` prints is what Keras prints, to the character."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fnet.keras import Model, Sequential, backend, layers
from tests.keras.summaries import PATH, digests

X = np.ones((32, 4), np.float32)


def printed(model, **options):
    texts = []
    model.summary(print_fn=texts.append, **options)
    return texts[0]


def test_shapes_have_the_batch_for_which_weights_were_made(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    backend.clear_session()

    class Coding(Model):
        def __init__(self):
            super().__init__()
            self.drop, self.code = layers.Dropout(0.1), Sequential([layers.Dense(2)])

        def call(self, x):
            return self.code(self.drop(x))

    model = Coding()
    assert printed(model).count("?") == 2 and "0 (unbuilt)" in printed(model)
    model(X)
    text = printed(model, expand_nested=True)
    assert text.count("(32, 2)") == 2 and text.count("?") == 1  # a Dropout has no shape that Keras knows
    chain = Sequential([layers.Dense(3), layers.Dense(1)])
    chain.predict(X, batch_size=8, verbose=0)
    assert "(8, 3)" in printed(chain) and "(8, 1)" in printed(chain)
    chain = Sequential([layers.Input((4,), batch_size=6), layers.Dense(3)])
    assert "(6, 3)" in printed(chain)


@pytest.mark.slow
def test_summaries_are_those_of_keras(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    expected, found = json.loads(PATH.read_text()), digests("fnet.keras")
    assert len(expected) >= 50
    assert {name for name in expected if expected[name] != found[name]} == set()
