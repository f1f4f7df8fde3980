"""Data as tutorials of Keras get them: texts in folders, bundled data sets, older ways to number texts."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fnet.errors import FnetError
from fnet.keras import Sequential, datasets, layers, preprocessing, utils
from fnet.keras.preprocessing.text import Tokenizer, hashing_trick, one_hot, text_to_word_sequence, tokenizer_from_json

TEXTS = ["The cat sat, the cat ran!", "A dog; a DOG", "the end"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(12):
        path = tmp_path / ("bad" if i % 3 else "good") / f"{i}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"text {i} {'bad' if i % 3 else 'good'}", "utf-8")
    return tmp_path


def test_texts_in_folders_train_a_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, test = utils.text_dataset_from_directory(
        folder, batch_size=4, seed=1, validation_split=0.25, subset="both", label_mode="binary"
    )
    assert capsys.readouterr().out == "Found 12 files belonging to 2 classes.\n"
    assert (train.class_names, len(train), len(test)) == (["bad", "good"], 3, 1)
    assert not set(train.file_paths) & set(test.file_paths)
    vectorize = layers.TextVectorization(output_mode="multi_hot")
    vectorize.adapt(train.map(lambda texts, labels: texts))
    model = Sequential([layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    known = train.map(lambda texts, labels: (vectorize(texts), labels)).cache().prefetch(2)
    model.fit(known, validation_data=test.map(lambda texts, labels: (vectorize(texts), labels)), verbose=0)
    first, again = ([texts.tolist() for texts, _ in train] for _ in range(2))
    assert first != again and sorted(itertools.chain(*first)) == sorted(itertools.chain(*again))


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ({"label_mode": None}, "text 1 bad"),
        ({"label_mode": "categorical"}, ("text 1 bad", [1.0, 0.0])),
        ({"class_names": ["good", "bad"], "max_length": 4}, ("text", 0)),
    ],
)
def test_forms_of_texts(folder: Path, options: dict[str, Any], first: Any) -> None:
    one = next(
        iter(utils.text_dataset_from_directory(folder, batch_size=None, shuffle=False, verbose=False, **options))
    )
    assert one == first if isinstance(one, str) else (one[0], np.asarray(one[1]).tolist()) == first


@pytest.mark.slow
def test_keras_parts_files_alike(folder: Path) -> None:
    peer = pytest.importorskip("keras").src.utils.dataset_utils
    for subset in ("training", "validation"):
        own = utils.text_dataset_from_directory(folder, seed=7, validation_split=0.3, subset=subset, verbose=False)
        paths, labels, names = peer.index_directory(str(folder), "inferred", (".txt",), seed=7, verbose=False)
        paths, _ = peer.get_training_or_validation_split(paths, labels, 0.3, subset)
        assert (own.file_paths, own.class_names) == (paths, names)


class Numbered(utils.PyDataset):
    """Batches by number, which counts its passes."""

    passes = 0

    def __len__(self) -> int:
        return 3

    def __getitem__(self, number: int) -> Any:
        return np.full((2, 1), number, "float32"), np.ones(2, "float32")

    def on_epoch_end(self) -> None:
        self.passes += 1


def test_a_list_of_arrays_is_split_sample_by_sample() -> None:
    left, right = utils.split_dataset([np.arange(4), np.arange(4) * 2], left_size=0.75)
    assert [part.tolist() for part in (*left, *right)] == [[0, 1, 2], [0, 2, 4], [3], [6]]


def test_batches_by_number() -> None:
    data = Numbered()
    model = Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    assert len(model.fit(data, epochs=2, verbose=0).history["loss"]) == 2
    assert data.passes >= 2 and model.predict(Numbered(), verbose=0).shape == (6, 1)
    with pytest.warns(UserWarning, match="PyDataset: workers has no effect without more than the one thread"):
        utils.Sequence(workers=4)
    assert utils.unpack_x_y_sample_weight(utils.pack_x_y_sample_weight(1, 2)) == (1, 2, None)
    assert [utils.pack_x_y_sample_weight(*given) for given in ((1,), ([1],), (1, 2, 3))] == [1, ([1],), (1, 2, 3)]


def test_windows_of_a_part_of_a_series() -> None:
    series = np.arange(10)
    made = utils.timeseries_dataset_from_array(series, series * 10, 3, start_index=2, end_index=8)
    x, y = next(iter(made))
    assert (x[0].tolist(), x[-1].tolist(), y.tolist()) == ([2, 3, 4], [5, 6, 7], [20, 30, 40, 50])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "iris", "wine", "breast_cancer", "diabetes"])
def test_bundled_samples(name: str) -> None:
    pytest.importorskip("sklearn")
    (x, y), (x_test, y_test) = getattr(datasets, name).load_data()
    assert len(x) == len(y) and len(x_test) == len(y_test) == round(0.2 * (len(x) + len(x_test)))
    (again, _), _ = getattr(datasets, name).load_data()
    np.testing.assert_array_equal(x, again)
    assert x.dtype == np.float32 and (name != "digits" or x.shape[1:] == (8, 8))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sunspots", "co2", "nile"])
def test_bundled_series(name: str) -> None:
    pytest.importorskip("statsmodels")
    series = getattr(datasets, name).load_data()
    assert series.ndim == 1 and series.dtype == np.float32 and len(series) >= 100


def test_words_are_numbered_by_frequency() -> None:
    tokenizer = Tokenizer(num_words=4, oov_token="?")
    tokenizer.fit_on_texts(TEXTS)
    assert tokenizer.texts_to_sequences(["the cat saw a dog"]) == [[2, 3, 1, 1, 1]]
    assert tokenizer.sequences_to_texts([[2, 3, 9]]) == ["the cat ?"]
    again = tokenizer_from_json(tokenizer.to_json())
    for mode in ("binary", "count", "freq", "tfidf"):
        np.testing.assert_array_equal(again.texts_to_matrix(TEXTS, mode), tokenizer.texts_to_matrix(TEXTS, mode))
    assert text_to_word_sequence(TEXTS[1], lower=False) == ["A", "dog", "a", "DOG"]
    assert one_hot("b a b", 9) == hashing_trick("b a b", 9) == [7, 4, 7]
    assert Tokenizer(char_level=True).texts_to_sequences(["ab"]) == [[]]


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"num_words": 3}, {"oov_token": "?", "num_words": 4}, {"char_level": True}])
def test_keras_numbers_words_alike(options: dict[str, Any]) -> None:
    pytest.importorskip("keras")
    from keras.src.legacy.preprocessing import text as peer

    own, other = Tokenizer(**options), peer.Tokenizer(**options)
    for tokenizer in (own, other):
        tokenizer.fit_on_texts(TEXTS)
    assert own.word_index == other.word_index
    assert own.texts_to_sequences([*TEXTS, "a new cat"]) == other.texts_to_sequences([*TEXTS, "a new cat"])
    for mode in ("binary", "count", "freq", "tfidf"):
        np.testing.assert_allclose(own.texts_to_matrix(TEXTS, mode), other.texts_to_matrix(TEXTS, mode))
    assert tokenizer_from_json(other.to_json()).word_index == other.word_index
    assert hashing_trick(TEXTS[0], 50, "md5") == peer.hashing_trick(TEXTS[0], 50, "md5")


ERRORS = {
    "download": (
        lambda folder: utils.get_file("x", "y"),
        r"^get_file: fnet downloads nothing\. Fetch the file by a br",
    ),
    "mnist": (
        lambda folder: datasets.mnist.load_data(),
        r"^mnist is no part of an installed library, and fnet downloads nothing\. fnet\.keras\.datasets\.dig",
    ),
    "imdb": (
        lambda folder: datasets.imdb.load_data(num_words=9),
        r"^imdb is no part of .*text_dataset",
    ),
    "generator": (
        lambda folder: preprocessing.image.ImageDataGenerator(),
        r"^ImageDataGenerator was replaced in Keras 3",
    ),
    "series": (
        lambda folder: preprocessing.sequence.TimeseriesGenerator(),
        r"^TimeseriesGenerator was replaced in Keras",
    ),
    "no words": (
        lambda folder: Tokenizer().texts_to_matrix(["a"]),
        r"^Tokenizer: give num_words, or show it texts first",
    ),
    "no batches": (
        lambda folder: list(utils.PyDataset()),
        r"^PyDataset: define __len__\(self\), the number of batches\.$",
    ),
    "no seed": (
        lambda folder: utils.text_dataset_from_directory(
            folder, validation_split=0.5, subset="training", verbose=False
        ),
        r"^text_dataset_from_directory: validation_split with shuffle=True needs a seed, or files",
    ),
    "a subset": (
        lambda folder: utils.text_dataset_from_directory(folder, subset="training", verbose=False),
        r"^text_dataset_from_directory: validation_split and subset belong together\. Give both, or none\.$",
    ),
    "nothing left": (
        lambda folder: utils.text_dataset_from_directory(
            folder, seed=1, validation_split=0.01, subset="both", verbose=False
        ),
        r"validation_split=0\.01 of 12 files leaves a part without any\.$",
    ),
    "two classes": (
        lambda folder: utils.text_dataset_from_directory(
            folder, label_mode="binary", class_names=["bad"], verbose=False
        ),
        r"label_mode='binary' is for two classes, received \['bad'\]\.$",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: str, folder: Path) -> None:
    attempt, text = ERRORS[case]
    with pytest.raises(FnetError, match=text):
        attempt(folder)
