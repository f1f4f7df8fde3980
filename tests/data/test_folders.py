"""Files in folders of classes, and streams of batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fnet
from fnet.data import Stream, files_by_class, text_files
from fnet.errors import FnetError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    texts = {"pos/1.txt": "good", "pos/b/0.TXT": "fine é", "neg/0.txt": "bad", ".hidden/0.txt": "no", "neg/x.md": "no"}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def test_texts_have_the_numbers_of_their_folders(folder: Path) -> None:
    texts, labels, names = text_files(folder)
    assert (texts.tolist(), labels.tolist(), names) == (["bad", "good", "fine é"], [0, 1, 1], ["neg", "pos"])
    texts, labels, names = text_files(folder, class_names=["pos"], max_length=3)
    assert (texts.tolist(), labels.tolist(), names) == (["goo", "fin"], [0, 0], ["pos"])


def test_labels_may_be_given_or_left_out(folder: Path) -> None:
    found = files_by_class(folder / "pos", (".txt",), labels=[3, 5])
    assert ([path.name for path in found.paths], found.class_names) == (["1.txt", "0.TXT"], ["3", "5"])
    assert files_by_class(folder / "pos", (".txt",), labels=None).labels is None


def test_streams_begin_anew() -> None:
    passes: list[int] = []

    def make(number: int) -> Any:
        passes.append(number)
        return iter([(np.ones(2) * i, i) for i in range(4)])

    stream = Stream(make, 4)
    changed = stream.map(lambda x, y: (x + 1, y), num_parallel_calls=2).skip(1).take(2).prefetch(3)
    assert [y for _, y in changed] == [y for _, y in changed] == [1, 2]
    assert len(changed) == 2 and passes == [0, 1]
    kept = stream.cache()
    assert len(list(kept)) == len(list(kept)) == 4 and passes == [0, 1, 0]
    net = fnet.serial(fnet.layers.Dense(1))
    trainer = fnet.Trainer(net, "mse", "sgd")
    ts = trainer.init(fnet.random.key(0), (3,))
    data = Stream(lambda number: iter([(np.ones((2, 3), "float32"), np.ones((2, 1), "float32"))] * 2), 2)
    assert len(trainer.fit(ts, data, epochs=2, verbose=0)[1].history["loss"]) == 2


ERRORS = {
    "no folder": (lambda folder: text_files(folder / "x"), r"^there is no folder '.*x'\.$"),
    "no files": (lambda folder: files_by_class(folder, (".png",)), r"^there are no files \*\.png in '"),
    "labels": (
        lambda folder: files_by_class(folder / "pos", (".txt",), labels=[1]),
        r"^labels: expected one for each of 2 files, received shape \(1,\)\.$",
    ),
    "classes": (
        lambda folder: text_files(folder, class_names=["pos", "none"]),
        r"^class_names: expected some of the folders \['neg', 'pos'\], received \['pos', 'none'\]\.$",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: str, folder: Path) -> None:
    attempt, text = ERRORS[case]
    with pytest.raises(FnetError, match=text):
        attempt(folder)
