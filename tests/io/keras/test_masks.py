"""Masks in files: they travel where Keras hands them on, and are tensors of their own where it does not."""

from __future__ import annotations

import json
import pickle
import zipfile

import numpy as np
import pytest

from fnet import Input, graph, load_model, random, save_model
from fnet.errors import StructureError
from fnet.io.keras.masks import with_mask, without_mask
from fnet.layers import GRU, LSTM, Add, Bidirectional, Concatenate, Dense, Embedding, Masking
from fnet.masking import unmasked

IDS = np.array([[3, 1, 0, 0], [2, 2, 5, 1], [0, 4, 0, 6]], "int32")
STEPS = np.where(IDS[..., None] > 0, random.normal(random.key(3), (3, 4, 2)), 0).astype("float32")


def after_ids(twice=False):
    ids = Input((4,), "int32", "ids")
    x = Embedding(7, 3, mask_zero=True)(ids)
    x = Concatenate(axis=1)([x, x]) if twice else x
    y, h, c = LSTM(2, return_sequences=True, return_state=True)(x)
    return graph(ids, Dense(2)(LSTM(2)((y, h, c))))


def after_masking():
    x = Input((4, 2), name="x")
    _, a, b = Bidirectional(GRU(3, return_state=True))(Masking()(x))
    return graph(x, Bidirectional(GRU(3))((Masking()(x), a, b)))


def given():
    x, mask = Input((4, 2), name="x"), Input((4,), "bool", "mask")
    return graph([x, mask], GRU(3)(with_mask()((x, mask))))


def ended():
    ids = Input((4,), "int32", "ids")
    x = Embedding(7, 2, mask_zero=True)(ids)
    h = GRU(2)(x)
    return graph(ids, GRU(2)((without_mask()(x), h)))


NETS = {
    "ids": (after_ids, IDS, ["NotEqual"]),
    "masking": (after_masking, STEPS, ["NotEqual", "Any"]),
    "given": (given, (STEPS, IDS > 0), []),
    "ended": (ended, IDS, []),
}


@pytest.mark.parametrize("name", NETS)
def test_a_mask_travels(tmp_path, name):
    make, x, operations = NETS[name]
    net = make()
    params, state = net.init(random.key(0))
    save_model(tmp_path / "model.keras", net, params, state)
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        entries = json.loads(file.read("config.json"))["config"]["layers"]
    written = [entry["class_name"] for entry in entries if ".ops." in entry["module"]]
    assert written == operations
    loaded, *weights = load_model(tmp_path / "model.keras")
    assert "WithMask" not in [child.kind for child in loaded.children] or name == "given"
    expected, found = (unmasked(n.apply(*w, x)[0]) for n, w in ((net, (params, state)), (loaded, weights)))
    np.testing.assert_array_equal(found, expected)


def test_a_mask_of_its_own_is_used():
    net = given()
    params, state = net.init(random.key(0))
    own, all_steps = (net.apply(params, state, (STEPS, mask))[0] for mask in (IDS > 0, np.ones((3, 4), bool)))
    assert (own[0] != all_steps[0]).any() and (own[1] == all_steps[1]).all()
    again = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(again.apply(params, state, (STEPS, IDS > 0))[0], own)


def test_a_mask_ends_where_it_is_said():
    net = ended()
    params, state = net.init(random.key(0))
    handed_on = graph(ids := Input((4,), "int32"), GRU(2)((x := Embedding(7, 2, mask_zero=True)(ids), GRU(2)(x))))
    loose = handed_on.init(random.key(0))
    assert (net.apply(params, state, IDS)[0] != handed_on.apply(*loose, IDS)[0]).any()


@pytest.mark.parametrize(
    ("make", "suffix", "text"),
    [
        (
            lambda: after_ids(twice=True),
            "keras",
            "lstm_1: Keras 3 hands no mask on beside initial states, and wh",
        ),
        (after_ids, "h5", r"Keras reads no operation 'not_equal' from an \.h5 file\. Save the model as \.keras"),
        (
            lambda: graph(ids := Input((4,), "int32"), GRU(2)(Embedding(7, 2, mask_zero=True)(ids) * 2.0)),
            "h5",
            r"Keras' layer for 'multiply' in an \.h5 file hands on the mask of its input, which ends",
        ),
    ],
)
def test_a_mask_that_keras_cannot_say_is_refused(tmp_path, make, suffix, text):
    net = make()
    with pytest.raises(StructureError, match=text):
        save_model(tmp_path / f"model.{suffix}", net, *net.init(random.key(0)))


def test_masks_that_are_merged_travel(tmp_path):
    ids = Input((4,), "int32", "ids")
    net = graph(ids, GRU(2)(Add()([Embedding(7, 2, mask_zero=True)(ids), Embedding(7, 2)(ids)])))
    params, state = net.init(random.key(0))
    save_model(tmp_path / "model.h5", net, params, state)
    loaded, *weights = load_model(tmp_path / "model.h5")
    np.testing.assert_array_equal(loaded.apply(*weights, IDS)[0], net.apply(params, state, IDS)[0])
