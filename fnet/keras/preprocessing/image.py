"""Images under the older name of their place."""

from __future__ import annotations

from typing import Any, NoReturn

from fnet.errors import StructureError


def ImageDataGenerator(*args: Any, **options: Any) -> NoReturn:  # noqa: N802 (Keras' name)
    """Raise a `StructureError` that names what took its place."""
    raise StructureError(
        "ImageDataGenerator was replaced in Keras 3. Put layers in front of the model: layers.Rescaling(1 / 255), and "
        "layers of random changes; fit takes arrays, or any iterable of batches."
    )
