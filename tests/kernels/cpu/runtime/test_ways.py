"""Each level of precision takes the fastest way that it permits and the processor has."""

from __future__ import annotations

import itertools
import re

import pytest

from fnet.errors import ValueRangeError
from fnet.kernels.cpu.runtime import ways

ZEN5 = {"float32": 132e9, "pairs": 261e9}
RAPIDS = {"float32": 91e9, "pairs": 91e9}
RAPIDS_WITH_TILES = {**RAPIDS, "tiles": 1400e9}
SLOW_TILES = {**RAPIDS, "tiles": 200e9}


@pytest.mark.parametrize(
    ("rates", "high", "medium"),
    [
        (ZEN5, "float32", "pairs"),
        (RAPIDS, "float32", "float32"),
        (RAPIDS_WITH_TILES, "tiles", "tiles"),
        (SLOW_TILES, "float32", "tiles"),
        ({"float32": 91e9}, "float32", "float32"),
    ],
)
def test_a_level_takes_the_fastest_way_that_it_permits(rates, high, medium):
    chosen = {
        level: ways.fastest(level, [name for name in ways.PERMITTED[level] if name in rates], rates)
        for level in ways.PERMITTED
    }
    assert chosen == {"highest": "float32", "high": high, "medium": medium}


def test_what_a_level_permits_the_ones_below_it_do_too():
    for above, below in itertools.pairwise(ways.PERMITTED.values()):
        assert set(above) <= set(below)


def test_rates_are_measured_once_and_read_from_then_on(tmp_path, monkeypatch):
    monkeypatch.setattr(ways, "cache_directory", lambda: tmp_path)
    first = ways.rates.__wrapped__()
    assert set(first) == set(ways.available())
    assert min(first.values()) > 1e6
    monkeypatch.setattr(ways, "_rate", lambda name: pytest.fail("measured again"))
    assert ways.rates.__wrapped__() == first


def test_rates_are_measured_until_they_rise_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(ways, "cache_directory", lambda: tmp_path)
    monkeypatch.setattr(ways, "available", lambda: ("float32",))
    runs = iter([10.0] * ways.RUNS + [12.0] * 2 * ways.RUNS)  # something else ran at first
    monkeypatch.setattr(ways, "_rate", lambda name: next(runs))
    assert ways.rates.__wrapped__() == {"float32": 12.0}
    assert next(runs, None) is None


def test_rates_of_other_ways_are_measured_again(tmp_path, monkeypatch):
    monkeypatch.setattr(ways, "cache_directory", lambda: tmp_path)
    monkeypatch.setattr(ways, "_rate", {"float32": 1.0, "pairs": 2.0, "tiles": 3.0}.__getitem__)
    monkeypatch.setattr(ways, "available", lambda: ("float32",))
    assert ways.rates.__wrapped__() == {"float32": 1.0}
    monkeypatch.setattr(ways, "available", lambda: ("float32", "pairs"))
    assert ways.rates.__wrapped__() == {"float32": 1.0, "pairs": 2.0}


def test_a_way_can_be_selected_where_the_host_has_it(monkeypatch):
    monkeypatch.setattr(ways, "available", lambda: ("float32", "pairs"))
    monkeypatch.setattr(ways, "rates", lambda: RAPIDS)
    with ways.selected(medium="pairs"):
        assert ways.way("medium") == "pairs" and ways.takes_pairs("medium")
        with ways.selected(medium="float32"):
            assert not ways.takes_pairs("medium")
        assert ways.takes_pairs("medium")
    assert ways.way("medium") == "float32"


def test_a_way_that_is_missing_is_refused_with_those_that_are_not(monkeypatch):
    monkeypatch.setattr(ways, "available", lambda: ("float32", "pairs"))
    text = "precision 'medium' cannot take the way 'tiles' here, only: float32, pairs."
    with pytest.raises(ValueRangeError, match=re.escape(text)), ways.selected(medium="tiles"):
        pass
    text = "precision 'high' cannot take the way 'pairs' here, only: float32."
    with pytest.raises(ValueRangeError, match=re.escape(text)), ways.selected(high="pairs"):
        pass
