"""The numbers of an evaluation: a dict by name that unpacks into them."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from fnet.train.results import Results

NUMBERS = {"loss": 0.5, "mae": 0.25}


def test_unpacking_gives_numbers(trainer, ts, problem):
    loss, mae = results = trainer.evaluate(ts, *problem)
    assert (loss, mae) == (results["loss"], results["mae"]) and type(loss) is float
    assert list(reversed(results)) == [mae, loss]


@pytest.mark.parametrize(
    "read",
    [
        dict,
        lambda r: {**r},
        lambda r: json.loads(json.dumps(r)),
        lambda r: json.loads(json.dumps(r, indent=1)),
        lambda r: dict(**r),
        lambda r: {} | r,
        lambda r: r | {},
        lambda r: dict(r.items()),
        lambda r: {name: r[name] for name in list(r.keys())},
        lambda r: pickle.loads(pickle.dumps(r)),
        copy.deepcopy,
        copy.copy,
        lambda r: r.copy(),
        lambda r: eval(repr(r)),
    ],
)
def test_by_name_it_is_the_dict(read):
    results = Results(NUMBERS)
    found = read(results)
    assert found == NUMBERS and isinstance(results, dict) and "mae" in results and len(results) == 2
    assert list(found.items()) == list(NUMBERS.items())


def test_a_number_for_a_name_is_told():
    with pytest.raises(KeyError, match=r"no result 0\.5, only 'loss', 'mae'.*iterate over results\.items\(\)"):
        Results(NUMBERS)[0.5]
