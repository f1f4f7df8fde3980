"""Folders of checkpoints: the last and the best stay, damaged ones are skipped, other files are left alone."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fnet import checkpoint
from fnet.errors import FileError, ValueRangeError
from fnet.io import atomic
from fnet.io.checkpoint.rotation import read_latest

Rotation, latest = checkpoint.Rotation, checkpoint.latest
LIKE = {"a": np.zeros(3), "step": 0}


def tree_of(step: int) -> dict[str, Any]:
    return {"a": np.full(3, step / 3), "step": step}


def kept(folder: Path) -> list[str]:
    return sorted(path.name.removeprefix("checkpoint-").lstrip("0") for path in folder.iterdir())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"keep": 1}, ["6-0.5.h5"]),
        ({}, ["4-nan.h5", "5-1e-07.h5", "6-0.5.h5"]),
        ({"keep": 1, "keep_best": 1}, ["2--inf.h5", "6-0.5.h5"]),
        ({"keep": 1, "keep_best": 2}, ["2--inf.h5", "5-1e-07.h5", "6-0.5.h5"]),
        ({"keep": 1, "keep_best": 2, "mode": "max"}, ["1-0.5.h5", "3-12.25.h5", "6-0.5.h5"]),
        ({"keep": 1, "keep_best": 9}, ["1-0.5.h5", "2--inf.h5", "3-12.25.h5", "5-1e-07.h5", "6-0.5.h5"]),
    ],
)
def test_the_last_and_the_best_are_kept(tmp_path, options, expected):
    rotation = Rotation(tmp_path / "new" / "folder", **options)
    for step, value in enumerate([0.5, float("-inf"), 12.25, float("nan"), 1e-7, 0.5], start=1):
        rotation.save(step, tree_of(step), value)
    assert kept(tmp_path / "new" / "folder") == expected
    assert latest(tmp_path / "new" / "folder", LIKE)["step"] == 6
    best = 3 if options.get("mode") == "max" else 2
    if "keep_best" in options:
        assert checkpoint.load(rotation.best(), LIKE)["step"] == best


def test_without_values_none_is_the_best(tmp_path):
    rotation = Rotation(tmp_path, keep=2, keep_best=5)
    assert rotation.best() is None and rotation.paths() == [] and latest(tmp_path, LIKE) is None
    assert latest(tmp_path / "nowhere", LIKE) is None
    paths = [rotation.save(step, tree_of(step)) for step in range(4)]
    assert rotation.paths() == paths[2:] and rotation.best() is None
    rotation.clear()
    assert not tmp_path.exists()


def test_a_run_that_begins_anew_keeps_its_own_and_the_later_ones(tmp_path):
    rotation = Rotation(tmp_path, keep=2)
    for step in (8, 9, 1, 2):
        rotation.save(step, tree_of(step))
    assert kept(tmp_path) == ["2.h5", "8.h5", "9.h5"]


def test_a_step_that_is_saved_again_takes_the_place_of_the_first(tmp_path):
    rotation = Rotation(tmp_path, keep=2, keep_best=1)
    for number, (step, value) in enumerate([(1, 0.5), (2, 0.9), (2, 0.7), (2, None), (2, 0.8)]):
        rotation.save(step, tree_of(number), value)
        assert latest(tmp_path, LIKE)["step"] == number
    assert kept(tmp_path) == ["1-0.5.h5", "2-0.8.h5"]


def test_damaged_ones_are_skipped_for_the_one_before_with_a_warning_that_names_each(tmp_path):
    rotation = Rotation(tmp_path)
    paths = [rotation.save(step, tree_of(step)) for step in (1, 2, 3)]
    paths[2].write_bytes(paths[2].read_bytes()[:1000])
    data = bytearray(paths[1].read_bytes())
    data[data.index(np.full(3, 2 / 3).tobytes())] ^= 1
    paths[1].write_bytes(data)
    with pytest.warns(UserWarning) as caught:
        assert latest(tmp_path, LIKE)["step"] == 1
    assert [str(warning.message).count(path.name) for warning, path in zip(caught, reversed(paths), strict=False)] == [
        1,
        1,
    ]
    paths[0].write_bytes(b"")
    with pytest.raises(FileError, match=r"none of the checkpoints in '.*' can be read\. The latest: .*3\.h5"):
        latest(tmp_path, LIKE)


def test_one_that_another_process_removes_meanwhile_is_skipped(tmp_path):
    rotation = Rotation(tmp_path)
    paths = [rotation.save(step, tree_of(step)) for step in (1, 2)]

    def read(path: Path) -> Any:
        paths[1].unlink(missing_ok=True)
        return checkpoint.load(path, LIKE)

    assert read_latest(tmp_path, read)["step"] == 1


def test_checkpoints_of_another_tree_are_an_error(tmp_path):
    Rotation(tmp_path).save(1, tree_of(1))
    with pytest.raises(FileError, match=r"can be read\. The latest: .*another tree than `like`: missing 'b'"):
        latest(tmp_path, {**LIKE, "b": 0})


def test_what_killed_saves_left_is_removed_and_nothing_else(tmp_path):
    others = ["notes.txt", "checkpoint-1.h5", ".notes.txt.0123456789abcdef.tmp", "checkpoint-000000000001-x.h5"]
    for name in [*others, ".checkpoint-000000000007-0.5.h5.0123456789abcdef.tmp"]:
        (tmp_path / name).write_bytes(b"x")
    rotation = Rotation(tmp_path, keep=1)
    with atomic.replacing(tmp_path / "checkpoint-000000000009.h5") as live:
        rotation.save(1, tree_of(1))
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
            [*others, live.name, "checkpoint-000000000001.h5"]
        )
        live.write_bytes(b"x")
    rotation.clear()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)


@pytest.mark.parametrize("call", ["open", "replace"])
def test_a_folder_that_cannot_be_written_and_a_full_disk_leave_what_is_there(tmp_path, monkeypatch, call):
    rotation = Rotation(tmp_path, keep=1)
    rotation.save(1, tree_of(1))
    own, code = getattr(os, call), errno.EACCES if call == "open" else errno.ENOSPC

    def refuse(path: Any, flags: Any, *mode: Any) -> Any:
        if call == "open" and not flags & os.O_CREAT:
            return own(path, flags, *mode)
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(atomic.os, call, refuse)
    with pytest.raises(OSError, match=os.strerror(code)):
        rotation.save(2, tree_of(2))
    monkeypatch.undo()
    assert kept(tmp_path) == ["1.h5"] and latest(tmp_path, LIKE)["step"] == 1


def test_several_that_save_into_one_folder_disturb_no_other(tmp_path):
    def work(which: int) -> None:
        rotation = Rotation(tmp_path, keep=2, keep_best=1)
        for step in range(6):
            rotation.save(6 * which + step, tree_of(step), float(step))
            assert latest(tmp_path, LIKE) is not None

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(work, which) for which in range(3)]:
            done.result()
    assert all(checkpoint.load(path, LIKE) for path in tmp_path.iterdir()) and latest(tmp_path, LIKE)["step"] == 5


def test_arguments():
    with pytest.raises(ValueRangeError, match="Rotation: expected keep to be an integer >= 1, received 0"):
        Rotation("a", keep=0)
    with pytest.raises(ValueRangeError, match="Rotation: unknown mode 'auto'. Known: max, min"):
        Rotation("a", mode="auto")
