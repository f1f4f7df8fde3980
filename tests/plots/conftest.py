"""Pictures need matplotlib, and leave none of pyplot's figures open."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator

import pytest

collect_ignore_glob = [] if importlib.util.find_spec("matplotlib") else ["test_*.py"]


@pytest.fixture(autouse=True)
def pyplot_is_not_used() -> Iterator[None]:
    before = "matplotlib.pyplot" in sys.modules
    yield
    assert before or "matplotlib.pyplot" not in sys.modules
