"""Masks in files: they travel where Keras hands them on, and are tensors of their own where it does not."""

from __future__ import annotations

import json
import pickle
import zipfile

import h5py
import numpy as np
import pytest

from fnet import Input, graph, load_model, random, save_model
from fnet.errors import FileError, StructureError
from fnet.io.keras.masks import with_mask, without_mask
from fnet.layers import GRU, LSTM, Add, Bidirectional, Concatenate, Dense, Embedding, Flatten, Masking, Maximum
from fnet.masking import Masked, unmasked
from tests.io.keras.hostile_files import without_checksums

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


def of_keras_2(path, model):
    """The file as if ``tf.keras`` 2 had written it."""
    save_model(path, model, *model.init(random.key(0)))
    with h5py.File(path, "r+") as file:
        without_checksums(file)
        file.attrs["keras_version"] = "2.15.0"


def merged(merge, second):
    ids, other = Input((4,), "int32", "ids"), Input((4,), "int32", "other")
    x, y = Embedding(7, 2, mask_zero=True)(ids), Embedding(7, 2, mask_zero=second)(other)
    return graph([ids, other], [GRU(2)(z := merge()([x, y])), Flatten()(z)])


@pytest.mark.parametrize("second", [True, False])
@pytest.mark.parametrize("merge", [Add, Maximum, Concatenate])
def test_merges_of_keras_2_count_steps_that_count_in_all_inputs(tmp_path, merge, second):
    net = merged(merge, second)
    of_keras_2(tmp_path / "model.h5", net)
    loaded, params, state = load_model(tmp_path / "model.h5")
    other = np.array([[1, 0, 1, 2], [3, 0, 0, 1], [1, 1, 1, 1]], "int32")
    states, values = unmasked(loaded.apply(params, state, (IDS, other))[0])
    x, y = (params[name]["embeddings"][ids] for name, ids in (("embedding", IDS), ("embedding_1", other)))
    plain = {Add: x + y, Maximum: np.maximum(x, y), Concatenate: np.concatenate([x, y], -1)}[merge]
    counts = (IDS > 0) & ((other > 0) | (not second))
    expected = GRU(2).apply(params["gru"], {}, Masked(plain, counts))[0]
    np.testing.assert_allclose(unmasked(expected), states, rtol=1e-6)
    np.testing.assert_allclose(values, plain.reshape(3, -1), rtol=1e-6)


def test_masks_of_keras_2_that_several_layers_compute_are_refused(tmp_path):
    ids, x = Input((4,), "int32"), Embedding(7, 2, mask_zero=True)
    both = Concatenate(axis=1)([x(ids), x(ids)])
    net = graph(ids, GRU(2)(Add()([both, Dense(2)(Concatenate(axis=1)([x(ids), x(ids)]))])))
    of_keras_2(tmp_path / "model.h5", net)
    with pytest.raises(FileError, match="Keras 2 wrote it, where a step counts in a merge if it does in all inputs"):
        load_model(tmp_path / "model.h5")


@pytest.mark.parametrize("content", [b"{", b'{"keras_version": 3}', b"[" * 1000, b" " * 100_000])
def test_the_version_of_an_archive_is_read_with_care(tmp_path, content):
    net = given()
    save_model(tmp_path / "a.keras", net, *net.init(random.key(0)))
    with zipfile.ZipFile(tmp_path / "a.keras") as old, zipfile.ZipFile(tmp_path / "b.keras", "w") as new:
        for name in old.namelist():
            new.writestr(name, content if name == "metadata.json" else old.read(name))
    if content.startswith(b'{"'):
        assert load_model(tmp_path / "b.keras")[0].children
        return
    with pytest.raises(FileError, match=r"'metadata.json' (is no JSON|has 100000 bytes)"):
        load_model(tmp_path / "b.keras")
