"""What fit, evaluate and predict print: Keras' lines."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest

from fnet.keras import Input, Sequential, layers, progress

X = np.random.default_rng(0).normal(size=(100, 4)).astype("float32")
Y = (X.sum(1) > 0).astype("float32")
TIME = re.compile(r"\d+s( -)? \d+(s|ms|us)/step|\d+s - \d+(s|ms|us)/step")
NUMBER = re.compile(r"\d\.\d{4}(e[-+]\d\d)?")
BAR = 20 * "━"


@pytest.fixture(scope="module")
def model():
    made = Sequential([Input((4,)), layers.Dense(1, activation="sigmoid")])
    made.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return made


def printed(capsys):
    return [NUMBER.sub("#", TIME.sub("TIME", line)) for line in capsys.readouterr().out.splitlines()]


def test_fit_prints_the_number_of_each_epoch_and_its_bar_and_numbers(model, capsys):
    model.fit(X, Y, epochs=2, validation_split=0.2)
    line = f"3/3 {BAR} TIME - accuracy: # - loss: # - val_accuracy: # - val_loss: #"
    assert printed(capsys) == ["Epoch 1/2", line, "Epoch 2/2", line]
    model.fit(X, Y, verbose=2)
    assert printed(capsys) == ["Epoch 1/1", "4/4 - TIME - accuracy: # - loss: #"]
    model.fit(X, Y, verbose=0)
    assert printed(capsys) == []


def test_evaluate_and_predict_print_a_line(model, capsys):
    model.evaluate(X, Y, 10)
    model.predict(X, verbose=2)
    model.predict(X, verbose=0)
    model.predict_on_batch(X)
    model.test_on_batch(X, Y)
    assert printed(capsys) == [f"10/10 {BAR} TIME - accuracy: # - loss: #", "4/4 - TIME"]


def test_batches_are_counted_and_steps_are_believed(model, capsys):
    model.predict(iter([X[:7], X[7:9], X[9:]]))
    model.predict((X[i : i + 10] for i in range(0, 100, 10)), steps=2)
    assert printed(capsys) == [f"3/3 {BAR} TIME", f"2/2 {BAR} TIME"]


def test_numbers_are_in_the_order_of_keras(model):
    record = model.fit(X, Y, epochs=2, validation_data=(X, Y), verbose=0)
    assert list(record.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert record.params == {"verbose": 0, "epochs": 2, "steps": 4}
    assert list(model.evaluate(X, Y, verbose=0, return_dict=True)) == ["accuracy", "loss"]
    given = {"val_b": 0, "learning_rate": 0, "b": 0, "a": 0, "val_a": 0}
    assert list(progress.in_keras_order(given, rates=True)) == ["a", "b", "val_a", "val_b", "learning_rate"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_how_far_an_epoch_is(monkeypatch):
    clock = iter(np.arange(0.0, 100.0, 1.0))
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    shown = Terminal()
    monkeypatch.setattr(progress.sys, "stdout", shown)
    bar = progress.Bar(1, 100)
    bar.advance(10, {"loss": 0.5})
    bar.advance(40, {"loss": 0.00025})
    bar.advance(50, {"loss": 0.1})
    bar.end({"loss": 0.125})
    plain = [re.sub(r"\x1b\[\d*[mK]", "", part) for part in shown.getvalue().split("\r")]
    assert plain[1:] == [
        f" 10/100 {BAR} 9s 100ms/step - loss: 0.5000",
        f" 50/100 {BAR} 1s 25ms/step - loss: 2.5000e-04",
        f"100/100 {BAR} 4s 33ms/step - loss: 0.1250\n",
    ]
    assert "\x1b[32m" + 10 * "━" + "\x1b[0m\x1b[37m" + 10 * "━" in shown.getvalue()


def test_where_the_number_of_steps_is_not_known_they_are_counted(monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0)
    shown = Terminal()
    monkeypatch.setattr(progress.sys, "stdout", shown)
    progress.Bar(1, None).advance(3, {})
    assert "      3/Unknown" in shown.getvalue() and "━" not in shown.getvalue()


def test_an_output_of_ascii_gets_lines_without_bars(model, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(progress.sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    model.predict(X[:3])
    assert raw.getvalue().startswith(b"1/1 ???")
