"""Data sets of Keras, which are downloaded there: no library brings them, and fnet downloads nothing."""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn

from fnet.errors import FileError


class AbsentData(NamedTuple):
    """A data set that is not there; near: what is there in its place."""

    name: str
    near: str

    def load_data(self, *args: Any, **options: Any) -> NoReturn:
        """Raise a `FileError` that says what to take in its place."""
        raise FileError(
            f"{self.name} is no part of an installed library, and fnet downloads nothing. {self.near} A file of your "
            f"own: numpy.load('{self.name}.npz')."
        )

    def get_word_index(self, *args: Any, **options: Any) -> NoReturn:
        """Raise the same error."""
        self.load_data()


_DIGITS = "fnet.keras.datasets.digits.load_data() has 1,797 images of 8 x 8 pixels in 10 classes."
_TEXTS = "Texts of your own: fnet.keras.utils.text_dataset_from_directory(folder)."
_NUMBERS = "fnet.keras.datasets.diabetes.load_data() has 442 samples of 10 numbers with a number to predict."

mnist = AbsentData("mnist", _DIGITS)
fashion_mnist = AbsentData("fashion_mnist", _DIGITS)
cifar10 = AbsentData("cifar10", _DIGITS)
cifar100 = AbsentData("cifar100", _DIGITS)
imdb = AbsentData("imdb", _TEXTS)
reuters = AbsentData("reuters", _TEXTS)
boston_housing = AbsentData("boston_housing", _NUMBERS)
california_housing = AbsentData("california_housing", _NUMBERS)
