"""Data frames and series of pandas and polars: what arrays of the numbers give, and errors that name the column."""

from __future__ import annotations

import datetime
import re
import sys

import numpy as np
import pytest

from fnet import data, random
from fnet.data.frames import as_plain, frame_array, is_frame
from fnet.errors import DtypeError, ShapeError, ValueRangeError

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")

NAMES = ("size", "rooms", "age")


@pytest.fixture
def numbers(problem):
    """Numbers that every kind of column holds, and targets."""
    x, y = problem
    return np.stack([x[:, 0], np.arange(23) % 5, np.arange(23) % 2], 1).astype("float32"), y


def frames(x):
    """The same numbers in columns of several dtypes, with an index that says nothing."""
    floats, ints, flags = x[:, 0], x[:, 1].astype(int), x[:, 2].astype(bool)
    frame = pandas.DataFrame(dict(zip(NAMES, (floats, ints, flags), strict=True)), index=np.arange(23)[::-1])
    yield frame
    yield frame.astype("float64")
    yield frame.astype({"size": "Float32", "rooms": "Int16", "age": "boolean"})
    yield frame.astype({"rooms": "Sparse[int]"})
    yield frame.set_axis(["a", "a", "b"], axis=1)
    yield polars.DataFrame(dict(zip(NAMES, (floats, ints, flags), strict=True)))
    yield polars.DataFrame({"a": floats, "b": polars.Series(ints).cast(polars.Decimal(9, 2)), "c": flags})


def test_frames_are_the_arrays_of_their_numbers(trainer, ts, numbers, same):
    """In training, validation and results, to the bit; predictions are arrays."""
    x, y = numbers
    weight = np.linspace(0.5, 1, 23).astype("float32")
    options = {"batch_size": 5, "verbose": False, "validation_split": 0.2}
    expected, history = trainer.fit(ts, x, y, sample_weight=weight, **options)
    for series in (pandas.Series(y[:, 0], index=range(100, 123)), polars.Series(y[:, 0])):
        for frame in frames(x):
            assert is_frame(frame) and is_frame(series)
            made = type(series)(weight)
            result, record = trainer.fit(ts, frame, series, sample_weight=made, **options)
            assert same(result, expected)
            assert record.history == history.history
            predicted = trainer.predict(result, frame)
            assert type(predicted) is np.ndarray and same(predicted, trainer.predict(result, x))
            assert trainer.evaluate(result, frame, series) == trainer.evaluate(result, x, y)
    assert trainer.evaluate(result, ((f, y) for f in frames(x))) is not None


DAY = datetime.date(2020, 1, 1)
COLUMNS = {
    "text": (["Rome", "Paris"], "received 'Rome' in sample 0{of}. Encode it: {c}.astype('category').cat.codes, or",
             "received 'Rome' in sample 0{of}. Encode it: {c}.cast(polars.Categorical).to_physical(), or {x}.to"),
    "dates": ([DAY, DAY], "received datetime.date(2020, 1, 1) in sample 0{of}. ",
              "received datetime.date(2020, 1, 1) in sample 0{of}. Pass {c}.dt.epoch('s')."),
    "lists": ([[1, 2], [3]], "received arrays as objects, first in sample 0{of}. Give every sample the same shape",
              "received arrays as objects, first in sample 0{of}. Give every sample the same shape, and pass them"),
    "durations": ([datetime.timedelta(1)] * 2, "in sample 0{of}. Pass {c}.dt.total_seconds().",
                  "in sample 0{of}. Pass {c}.dt.total_seconds()."),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_without_numbers(name):
    values, *texts = COLUMNS[name]
    for library, text in zip((pandas, polars), texts, strict=True):
        frame = library.DataFrame({"ok": [1.0, 2.0], "bad": values})
        words = {"x": "x", "c": "x['bad']", "of": ", column 'bad'"}
        with pytest.raises(DtypeError, match=re.escape(text.format(**words))):
            frame_array("x", frame)
        with pytest.raises(DtypeError, match=re.escape(text.format(x="y", c="y", of=""))):
            frame_array("batch 1 of x: y", library.Series(values))


def test_categories_and_numbers_as_objects():
    for values in (["a", "b"], [True, False]):
        frame = pandas.DataFrame({"kind": pandas.Categorical(values)})
        text = "Pass its codes, x['kind'].cat.codes, or one-hot columns: pandas.get_dummies(x, columns=['kind'])."
        with pytest.raises(DtypeError, match=re.escape(f"received {values[0]!r} in sample 0, column 'kind'. {text}")):
            frame_array("x", frame)
        assert frame_array("x", frame["kind"].cat.codes).tolist() == [
            0 if values[0] == "a" else 1,
            1 if values[0] == "a" else 0,
        ]
        assert frame_array("x", pandas.get_dummies(frame, columns=["kind"])).dtype == bool
    frame = polars.DataFrame({"kind": polars.Series(["a", "b"], dtype=polars.Categorical)})
    with pytest.raises(
        DtypeError, match=re.escape("Pass its codes, x['kind'].to_physical(), or one-hot columns: x.to_d")
    ):
        frame_array("x", frame)
    assert frame_array("x", frame["kind"].to_physical()).shape == (2,)
    mixed = pandas.DataFrame({"kind": pandas.Series([1, 2.5], dtype=object)})
    text = "received numbers as objects in column 'kind', as of a data frame of several dtypes. Convert it: x.astype({"
    with pytest.raises(DtypeError, match=re.escape(text)):
        frame_array("x", mixed)
    with pytest.raises(
        DtypeError, match=re.escape("x is a LazyFrame, whose numbers are not there yet. Collect it: x.coll")
    ):
        frame_array("x", frame.lazy())


def test_missing_values_are_told_by_their_column(trainer, ts, numbers):
    """What the library says is missing, which NaN is in pandas alone."""
    x, y = numbers
    for dtype in ("float64", "Float64", "Int8"):
        frame = pandas.DataFrame(np.rint(x), columns=NAMES).astype({"age": dtype})
        frame.loc[[3, 7], "age"] = None
        text = (
            "x misses 2 of 23 values, the first in sample 3, column 'age'. Fill them in, x.fillna({'age': value}), or "
        )
        for call in (trainer.fit, trainer.evaluate):
            with pytest.raises(
                ValueRangeError, match=re.escape(text + "leave these samples out of all data, x.dropna().")
            ):
                call(ts, frame, y)
        with pytest.raises(
            ValueRangeError, match=re.escape("y misses 2 of 23 values, the first in sample 3. Fill them in, y.")
        ):
            trainer.fit(ts, x, frame["age"])
        assert trainer.predict(ts, frame.fillna({"age": 0.0})).shape == (23, 1)
    frame = polars.DataFrame({"a": [1, None], "b": [1.0, float("nan")], "c": [None, None]})
    text = "x misses 1 of 2 values, the first in sample 1, column 'a'. Fill them in, x.with_columns(polars.col('a').fi"
    with pytest.raises(ValueRangeError, match=re.escape(text)):
        frame_array("x", frame)
    with pytest.raises(
        ValueRangeError, match=re.escape("Fill them in, y.fill_null(value), or leave these samples out of")
    ):
        frame_array("y", frame["c"])
    assert np.isnan(frame_array("x", frame["b"])[1])


def test_frames_of_other_sizes(trainer, ts, numbers):
    x, y = numbers
    frame = pandas.DataFrame(x, columns=NAMES)
    with pytest.raises(ShapeError, match=re.escape("x has samples of shape (2,), for which")):
        trainer.predict(ts, frame[["size", "age"]])
    with pytest.raises(ValueRangeError, match="x have no samples"):
        trainer.predict(ts, frame[:0])
    with pytest.raises(ShapeError, match="y has 22 samples and x has 23"):
        trainer.fit(ts, frame, pandas.Series(y[1:, 0]))
    with pytest.raises(ShapeError, match=re.escape("cannot take samples of shape (0,) as in x")):
        trainer.predict(ts, frame[[]])


def test_frames_in_what_scripts_do(numbers):
    """`fnet.data`: numbers as numbers, NaN where some are missing, words as objects."""
    x, y = numbers
    for frame in frames(x):
        np.testing.assert_allclose(data.standardise(frame)(frame), data.standardise(x)(x), atol=1e-6)
        train, test, _, kinds = data.train_test_split(
            random.key(0), frame, pandas.Series(["a", "b"] * 11 + ["a"]), stratify=frame[frame.columns[-1]]
        )
        assert train.dtype.kind == "f" and len(test) == 6 and set(kinds.tolist()) == {"a", "b"}
        assert next(iter(data.batches((frame, y), 4)))[0].tolist() == x[:4].tolist()
        assert data.windows(frame, 3).tolist() == data.windows(x, 3).tolist()
    missing = pandas.DataFrame({"a": pandas.array([1, None], dtype="Int64"), "b": [True, False]})
    assert as_plain(missing).dtype == "float64" and np.isnan(as_plain(missing)[1, 0])
    assert data.one_hot(pandas.Series([1, 0], dtype="Int64")).tolist() == [[0, 1], [1, 0]]
    with pytest.raises(
        ValueRangeError, match="standardise: x misses 1 of 2 values, the first in sample 1, column 'a'."
    ):
        data.standardise(missing)
    with pytest.raises(
        DtypeError, match="min_max: x must hold numbers or booleans, received 'u' in sample 0, column 'a'."
    ):
        data.min_max(pandas.DataFrame({"a": ["u"]}))


def test_nothing_is_a_frame_where_no_library_is_in_use(monkeypatch):
    frame = pandas.DataFrame({"a": [1]})
    assert is_frame(frame)
    monkeypatch.delitem(sys.modules, "pandas")
    assert not is_frame(frame) and not is_frame([1]) and not is_frame(None)
