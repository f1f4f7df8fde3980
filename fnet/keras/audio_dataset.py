"""Sounds in folders as batches, in the words of Keras."""

from __future__ import annotations

import os
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fnet.arguments import positive_integer
from fnet.errors import FileError, StructureError
from fnet.keras.directory_batches import batches_of_files

_LOUDEST = 32768.0


def audio_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    sampling_rate: int | None = None,
    output_sequence_length: int | None = None,
    ragged: bool = False,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> Any:
    """Batches ``(sounds, labels)`` of the files ``*.wav`` in a folder, which has a folder for each class.

    sounds: (N, steps, channels) float32 in [-1, 1), of files with 16 bits a sample. output_sequence_length: the steps
    of each sound, cut or filled with zeros; without it those of the longest in the batch. sampling_rate, ragged: are
    refused, because nothing is resampled, and arrays have one length. The rest is as in `text_dataset_from_directory`.
    Source: Keras ``audio_dataset_from_directory``.
    """
    who = "audio_dataset_from_directory"
    if sampling_rate is not None or ragged:
        raise StructureError(
            f"{who}: sounds keep the rate of their files and are filled to one length. Leave sampling_rate and ragged "
            f"out, and give output_sequence_length."
        )
    steps = None if output_sequence_length is None else positive_integer(who, "steps", output_sequence_length)

    def read(paths: list[Path]) -> np.ndarray:
        sounds = [_sound(path) for path in paths]
        length = max(map(len, sounds)) if steps is None else steps
        made = np.zeros((len(sounds), length, sounds[0].shape[1]), np.float32)
        for row, sound in zip(made, sounds, strict=True):
            row[: len(sound)] = sound[:length]
        return made

    return batches_of_files(
        who, directory, (".wav",), read, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split,
        subset, follow_links, verbose,
    )  # fmt: skip


def _sound(path: Path) -> np.ndarray:
    """The samples of a file, (steps, channels)."""
    try:
        with wave.open(os.fspath(path), "rb") as file:
            width, channels, content = file.getsampwidth(), file.getnchannels(), file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise FileError(f"{path}: it is no sound in the format WAV ({error}).") from None
    if width != 2:
        raise FileError(f"{path}: expected 16 bits a sample, received {8 * width}. Write it again with 16.")
    return (np.frombuffer(content, "<i2").astype(np.float32) / np.float32(_LOUDEST)).reshape(-1, channels)
