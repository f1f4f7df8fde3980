"""The sizes of caches are read from the operating system, and have usual values where it does not tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from fnet.kernels.compiler import host
from fnet.kernels.cpu import gemm, product

USUAL = {1: 48 << 10, 2: 1 << 20}


def described(folder: Path, *entries: tuple[str, str, str]) -> Path:
    for number, entry in enumerate(entries):
        cache = folder / f"index{number}"
        cache.mkdir()
        for name, text in zip(("level", "type", "size"), entry, strict=True):
            (cache / name).write_text(f"{text}\n")
    return folder


def test_sizes_are_those_that_linux_describes(tmp_path):
    entries = [("1", "Data", "32K"), ("1", "Instruction", "64K"), ("2", "Unified", "2M"), ("3", "Unified", "260M")]
    assert host.cache_sizes(described(tmp_path, *entries)) == {1: 32 << 10, 2: 2 << 20}


@pytest.mark.parametrize("size", ["", "many", "-"])
def test_what_cannot_be_read_is_as_usual(tmp_path, size):
    assert host.cache_sizes(described(tmp_path, ("1", "Data", size))) == USUAL
    assert host.cache_sizes(tmp_path / "absent") == USUAL


def test_blocks_stay_possible_for_unlikely_sizes(tmp_path):
    assert host.cache_sizes(described(tmp_path, ("1", "Data", "0K"), ("2", "Unified", "900G"))) == {
        1: 16 << 10,
        2: 4 << 20,
    }


def test_blocks_fit_the_caches_of_this_processor():
    assert 4 * product.K_BLOCK * product.VECTORS * 16 <= host.LEVEL_1
    assert 4 * gemm.K_BLOCK * gemm.M_TILES * gemm.ROWS <= host.LEVEL_2
    assert product.K_BLOCK > 0 and product.K_BLOCK % 16 == 0 and gemm.K_BLOCK % 16 == 0
