"""Files of sounds as batches for a model."""

from __future__ import annotations

import wave

import numpy as np
import pytest

from fnet.errors import FileError, StructureError
from fnet.keras import Input, layers, utils


@pytest.fixture
def folder(tmp_path):
    for i in range(4):
        path = tmp_path / ("high" if i % 2 else "low") / f"{i}.wav"
        path.parent.mkdir(exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(np.full((5 + i, 2), 8192 * (i + 1) - 1, "<i2").tobytes())
    return tmp_path


def test_sounds_are_batches_of_one_length(folder, capsys):
    batches = utils.audio_dataset_from_directory(folder, shuffle=False, batch_size=4)
    assert capsys.readouterr().out == "Found 4 files belonging to 2 classes.\n" and batches.class_names == [
        "high",
        "low",
    ]
    ((sounds, labels),) = list(batches)
    assert sounds.shape == (4, 8, 2) and sounds.dtype == np.float32 and labels.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(sounds[:, 4, 0], [0.5, 1.0, 0.25, 0.75], atol=1e-4)
    assert (sounds[0, 6:] == 0).all() and (sounds[1] != 0).all()
    cut = utils.audio_dataset_from_directory(folder, output_sequence_length=3, batch_size=None, verbose=False)
    assert next(iter(cut))[0].shape == (3, 2)


def test_what_is_refused(folder):
    with pytest.raises(StructureError, match="sounds keep the rate of their files .*Leave sampling_rate and ragged"):
        utils.audio_dataset_from_directory(folder, sampling_rate=4000)
    (folder / "low" / "9.wav").write_bytes(b"RIFF")
    with pytest.raises(FileError, match="9.wav: it is no sound in the format WAV"):
        list(utils.audio_dataset_from_directory(folder, verbose=False))


def test_the_inputs_that_a_value_follows_from():
    a, b = Input((2,)), Input((2,))
    h = layers.Dense(2)(a)
    assert utils.get_source_inputs(layers.concatenate([h, layers.add([b, h])])) == [a, b]
