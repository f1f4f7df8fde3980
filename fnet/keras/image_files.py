"""Files of images in the words of Keras: read and written by Pillow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fnet.arguments import known_word
from fnet.errors import ShapeError
from fnet.keras.directory_batches import batches_of_files
from fnet.layers.resizing import cut_to_ratio, in_window, padded_to_ratio, resized

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_RESAMPLED = {"nearest": "NEAREST", "bilinear": "BILINEAR", "bicubic": "BICUBIC", "lanczos": "LANCZOS", "box": "BOX"}


def image_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: tuple[int, int] = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    verbose: bool = True,
) -> Any:
    """Batches ``(images, labels)`` of the files of images in a folder, which has a folder for each class.

    images: (N, height, width, channels) float32 from 0 to 255, resized to `image_size` as `fnet.layers.Resizing` does.
    color_mode: "rgb", "rgba" or "grayscale". The other arguments are those of `text_dataset_from_directory`. Needs
    Pillow. Source: Keras ``image_dataset_from_directory``.
    """
    known_word("image_dataset_from_directory", "color_mode", color_mode, tuple(_MODES))
    height, width = image_size

    def read(paths: list[Path]) -> np.ndarray:
        return np.stack([sized(img_to_array(load_img(path, color_mode))[None])[0] for path in paths])

    def sized(x: Any) -> Any:
        if crop_to_aspect_ratio:
            x = in_window(x, cut_to_ratio(x.shape[1:3], (height, width)), 0.0)
        elif pad_to_aspect_ratio:
            x = in_window(x, padded_to_ratio(x.shape[1:3], (height, width)), 0.0)
        return resized(x, (height, width), interpolation, False)

    return batches_of_files(
        "image_dataset_from_directory", directory, SUFFIXES, read, labels, label_mode, class_names, batch_size, shuffle,
        seed, validation_split, subset, follow_links, verbose,
    )  # fmt: skip


def load_img(
    path: str | os.PathLike[str],
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
) -> Any:
    """The image in a file, an object of Pillow, of `target_size` (height, width). Source: Keras ``load_img``."""
    mode = _MODES[known_word("load_img", "color_mode", color_mode, tuple(_MODES))]
    method = _RESAMPLED[known_word("load_img", "interpolation", interpolation, tuple(_RESAMPLED))]
    pillow = _pillow("load_img")
    with pillow.open(path) as opened:
        image = opened.convert(mode)
    if target_size is not None:
        image = image.resize((target_size[1], target_size[0]), getattr(pillow.Resampling, method))
    return image


def img_to_array(img: Any, dtype: Any = "float32") -> np.ndarray:
    """The numbers of an image: (height, width, channels). Source: Keras ``img_to_array``."""
    x = np.asarray(img, dtype)
    return x[..., None] if x.ndim == 2 else x


def array_to_img(x: Any, scale: bool = True) -> Any:
    """The image, an object of Pillow, of an array (height, width, channels) with 1, 3 or 4 channels.

    scale: stretch the values to 0 to 255. Source: Keras ``array_to_img``.
    """
    x = np.asarray(x, np.float32)
    if x.ndim != 3 or x.shape[-1] not in (1, 3, 4):
        raise ShapeError(f"array_to_img: expected (height, width, 1, 3 or 4 channels), received {x.shape}.")
    if scale:
        x = x - x.min()
        x = x * (255.0 / x.max() if x.max() else 1.0)
    return _pillow("array_to_img").fromarray(x.astype("uint8")[..., 0] if x.shape[-1] == 1 else x.astype("uint8"))


def save_img(path: str | os.PathLike[str], x: Any, scale: bool = True) -> None:
    """Write an array (height, width, channels) to a file whose suffix says the format. Source: Keras ``save_img``."""
    array_to_img(x, scale).save(path)


def _pillow(who: str) -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(f"{who} needs Pillow: pip install pillow.") from None
    return Image
