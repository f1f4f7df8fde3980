"""Data sets that are mapped into memory, whose files were cut off."""

from __future__ import annotations

import mmap
import os
import sys

import numpy as np
import pytest

from fnet.callbacks import LambdaCallback
from fnet.errors import FileError
from fnet.train.sources import datasets


def fit(trainer, ts, x, y, **options):
    return trainer.fit(ts, x, y, **{"epochs": 2, "verbose": False, "batch_size": 5} | options)


@pytest.mark.skipif(sys.platform == "win32", reason="mapped files cannot be cut off there")
@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_a_mapped_file_that_was_cut_off(trainer, ts, problem, tmp_path, monkeypatch, large, mode):
    """Before a call, and between its windows; reading on would end the process, or give zeros."""
    path, page = tmp_path / "x.bin", mmap.ALLOCATIONGRANULARITY
    np.concatenate([np.zeros(page // 4, "float32"), problem[0].ravel()]).tofile(path)

    def mapped(shape=(23, 3)):
        return np.memmap(path, "float32", mode, page, shape)

    x, y = mapped(), problem[1]
    if large:
        monkeypatch.setattr(datasets, "WINDOW_BYTES", 160)
    cut = LambdaCallback(on_epoch_end=lambda epoch, logs: os.truncate(path, page + 12 * 20))
    text = (
        rf"of x cannot be read: OSError: the file '.*x.bin' has {page + 240} bytes, of which {page + 276} were mapped"
    )
    if large:
        with pytest.raises(FileError, match=text):
            fit(trainer, ts, x, y, shuffle=False, callbacks=cut)
    else:
        ts, _ = fit(trainer, ts, x, y, callbacks=cut)  # it has read the whole file
    for call in (lambda: fit(trainer, ts, x, y), lambda: trainer.predict(ts, x)):
        with pytest.raises(FileError, match=text):
            call()
    os.truncate(path, 5)
    with pytest.raises(FileError, match="has 5 bytes"):
        trainer.evaluate(ts, x, y)
    problem[0].tofile(tmp_path / "other.bin")
    os.replace(tmp_path / "other.bin", path)  # what is mapped is still the file of before
    with pytest.raises(FileError, match="has 5 bytes"):
        trainer.predict(ts, x)


@pytest.mark.skipif(sys.platform == "win32", reason="mapped files cannot be cut off there")
def test_parts_of_a_mapped_file_that_are_there(trainer, ts, problem, same, tmp_path):
    """What was cut off behind them does not count; a file that was removed is there for as long as it is mapped."""
    path = tmp_path / "x.bin"
    problem[0].tofile(path)
    x = np.memmap(path, "float32", "r", shape=(23, 3))
    expected = trainer.predict(ts, problem[0][2:12:3])
    os.truncate(path, 12 * 12)
    path.unlink()
    assert same(trainer.predict(ts, x[2:12:3]), expected)
    with pytest.raises(FileError, match="has 144 bytes, of which 156 were mapped"):
        trainer.predict(ts, x[2:13])
