"""The precision level: a setting, a context manager, and part of what jit compiles for."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet.errors import ValueRangeError


@pytest.fixture(autouse=True)
def restore():
    before = fnet.current_precision()
    yield
    fnet.precision(before)


def test_it_is_a_setting_and_a_context_manager():
    assert fnet.current_precision() == "highest"
    fnet.precision("high")
    assert fnet.current_precision() == "high"
    medium = fnet.precision("medium")
    with medium:
        with medium, fnet.precision("highest"):
            assert fnet.current_precision() == "highest"
        assert fnet.current_precision() == "medium"
    assert fnet.current_precision() == "high"
    with medium:
        assert fnet.current_precision() == "medium"
    assert fnet.current_precision() == "high"


def test_it_is_restored_after_an_error():
    with pytest.raises(ZeroDivisionError), fnet.precision("medium"):
        1 / 0  # noqa: B018
    assert fnet.current_precision() == "highest"


def test_an_unknown_level_is_refused():
    with pytest.raises(ValueRangeError, match="precision 'hihg' is unknown. Did you mean 'high'?"):
        fnet.precision("hihg")


def test_jit_traces_once_for_each_level():
    traced = []

    @fnet.jit
    def f(x):
        traced.append(fnet.current_precision())
        return x * 2

    x = np.ones(3)
    for level in ("highest", "medium", "highest", "medium", "medium"):
        with fnet.precision(level):
            f(x)
            f(x)
    assert traced == ["highest", "medium"]
