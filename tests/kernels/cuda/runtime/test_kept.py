"""Machine code for cards is kept between processes, and found again by all that a kernel is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fnet.kernels.cuda.runtime import adapter, kept
from fnet.kernels.cuda.runtime.access import load4
from fnet.kernels.cuda.runtime.adapter import Compiled
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.scalars import exp_f32, tanh_f32

F4 = np.dtype(np.float32)
SIGNATURE = (F4, None)


def made(
    factor: Any = 2, scalar: Any = exp_f32, threads: int | None = None, contract: bool = True, blocks: int = 1
) -> Any:
    """A kernel of this constant and function, another object in each call."""

    @device_function
    def inner(x):
        return scalar(x) * factor

    @kernel(threads=threads, contract=contract, blocks=blocks)
    def outer(x, n):
        if cuda.grid(1) < n:
            x[0] = inner(load4(x, 0)[1])

    return outer


@pytest.fixture
def compiling(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    done: list[str] = []

    def compiled(k: Any, signature: Any, capability: Any) -> Compiled:
        done.append(k.__name__)
        return Compiled("entry", b"code\n\0of it", "text", 30, 128, 0, 0)

    monkeypatch.setattr(adapter, "compiled", compiled)
    monkeypatch.setattr(kept, "cache_directory", lambda: tmp_path)
    yield done


def test_code_is_compiled_once(compiling: list[str], tmp_path: Path):
    first = kept.compiled(made(), SIGNATURE, (9, 0))
    again = kept.compiled(made(), SIGNATURE, (9, 0))
    assert (first.ptx, again.ptx, compiling) == ("text", "", ["outer"])
    assert (again.name, again.cubin, again.registers, again.shared) == ("entry", b"code\n\0of it", 30, 128)
    (file,) = (tmp_path / "cuda").iterdir()
    file.write_bytes(file.read_bytes()[:-1] + b"!")  # damaged
    assert kept.compiled(made(), SIGNATURE, (9, 0)).cubin == first.cubin and len(compiling) == 2


@pytest.mark.parametrize(
    "other",
    [
        lambda: (made(3), SIGNATURE, (9, 0)),
        lambda: (made(2.0), SIGNATURE, (9, 0)),
        lambda: (made(np.float32(2)), SIGNATURE, (9, 0)),
        lambda: (made(scalar=tanh_f32), SIGNATURE, (9, 0)),
        lambda: (made(math), SIGNATURE, (9, 0)),
        lambda: (made(threads=64), SIGNATURE, (9, 0)),
        lambda: (made(contract=False), SIGNATURE, (9, 0)),
        lambda: (made(blocks=2), SIGNATURE, (9, 0)),
        lambda: (made(), (np.dtype(np.float64), None), (9, 0)),
        lambda: (made(), (F4, np.dtype(np.int64)), (9, 0)),
        lambda: (made(), SIGNATURE, (8, 0)),
    ],
)
def test_what_differs_has_another_name(other: Callable[[], tuple[Any, ...]]):
    assert kept.name_of(made(), SIGNATURE, (9, 0)) == kept.name_of(made(), SIGNATURE, (9, 0))
    assert kept.name_of(*other()) != kept.name_of(made(), SIGNATURE, (9, 0))


def test_versions_and_the_text_of_intrinsics_count(monkeypatch: pytest.MonkeyPatch):
    before = kept.name_of(made(), SIGNATURE, (9, 0))
    with monkeypatch.context() as patch:
        patch.setattr("importlib.metadata.version", lambda package: "99")
        assert kept.name_of(made(), SIGNATURE, (9, 0)) != before
    monkeypatch.setattr(kept, "BESIDE", ("adapter.py",))
    assert kept.name_of(made(), SIGNATURE, (9, 0)) != before


def test_a_kernel_with_values_that_have_no_text_is_compiled_anew(compiling: list[str], tmp_path: Path):
    for _ in range(2):
        for unknown in (np.arange(3), object(), kept):
            kept.compiled(made(unknown), SIGNATURE, (9, 0))
    assert compiling == ["outer"] * 6 and not list(tmp_path.iterdir())


def test_without_a_folder_it_is_compiled(compiling: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kept, "cache_directory", lambda: None)
    assert kept.compiled(made(), SIGNATURE, (9, 0)).ptx == "text" and compiling == ["outer"]
