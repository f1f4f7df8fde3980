"""Models in files of the older layout between fnet and Keras; a file of its own, so that it runs beside the other."""

from __future__ import annotations

import pytest

from tests.keras.test_models import exchange_with_keras

pytestmark = pytest.mark.slow


def test_files_of_the_older_layout_between_fnet_and_keras(tmp_path):
    exchange_with_keras(tmp_path, "h5")
