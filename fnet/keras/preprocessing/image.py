"""Images under the older name of their place."""

from __future__ import annotations

from typing import Any, NoReturn

from fnet.errors import StructureError
from fnet.keras.image_files import array_to_img as array_to_img
from fnet.keras.image_files import img_to_array as img_to_array
from fnet.keras.image_files import load_img as load_img
from fnet.keras.image_files import save_img as save_img


def ImageDataGenerator(*args: Any, **options: Any) -> NoReturn:  # noqa: N802 (Keras' name)
    """Raise a `StructureError` that names what took its place."""
    raise StructureError(
        "ImageDataGenerator was replaced in Keras 3. Put layers in front of the model: layers.Rescaling(1 / 255), and "
        "layers of random changes; utils.image_dataset_from_directory reads folders."
    )
