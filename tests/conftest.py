"""Hypothesis profiles, tests in several processes, no notice of compiling, no loop left to Numba's front end."""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

FOLDER = Path(__file__).parent
MOST_PROCESSES = 8  # each collects all tests and holds what it has compiled
# The files that take longest without a cache of kernels, those first: what is begun last keeps one process busy alone.
LONGEST = (
    "kernels/cpu/test_conv.py", "ops/test_elementwise.py", "test_layers.py", "ops/test_pooling.py",
    "kernels/cpu/test_attention.py", "ops/test_recurrent.py", "ops/test_under_jit.py", "ops/test_normalization.py",
    "kernels/cpu/test_gemm.py", "test_losses.py", "test_activations.py", "kernels/cpu/test_recurrent.py",
    "ops/test_reduce.py", "compile/test_random_programs.py", "kernels/cpu/test_crossentropy.py", "test_examples.py",
    "devices/cpu/test_divided_loops.py", "kernels/cpu/test_ctc.py", "compile/test_alike.py",
    "layers/test_recurrent_masks.py",
)  # fmt: skip

# `ci` repeats the same examples on every run, `dev` looks for new ones.
# The first example of a kind compiles kernels, so neither times nor "too slow" mean anything.
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("ci", derandomize=True, max_examples=25, deadline=None, suppress_health_check=SLOW)
settings.register_profile("dev", max_examples=25, deadline=None, suppress_health_check=SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))

# Tests look at what other processes write to stderr, and kernels are compiled in many of them.
os.environ["FNET_QUIET"] = "1"

# Tests run in several processes, one for each processor.
os.environ["FNET_COMPILERS"] = "1"

# Tests press Ctrl-C, which a shell lets what it starts in the background ignore: they would wait for it for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


MOST_LEFT = 12  # kernels that go through Numba's own front end: those with other types in other branches, mainly


@pytest.fixture(scope="session", autouse=True)
def kernels_are_translated() -> Iterator[None]:
    """At the end of all tests of a process: fnet's loops, and nearly all kernels, went the short way to LLVM code."""
    yield
    compiler = sys.modules.get("fnet.kernels.compiler.frontend.compiler")
    refused = {} if compiler is None else compiler.REFUSED
    assert not {name: reason for name, reason in refused.items() if name.startswith("fnet_generated.loop_")}
    left = {name: reason for name, reason in refused.items() if name.startswith("fnet.kernels.")}
    assert len(left) <= MOST_LEFT, left


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """How many processes ``-n auto`` means."""
    return min(os.cpu_count() or 1, MOST_PROCESSES)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """No search for garbage while tests are collected, and none among them afterwards: they stay until the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Where files are handed to processes, they are in the order of the collection, not by their number of tests."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Every process must give a test the same name: no name says where an object lies.

    Where tests run in several processes, the longest files come first, then those of most tests.
    """
    for item in items:
        if re.search(r" at 0x[0-9a-f]{6}", item.nodeid):
            raise pytest.UsageError(f"the name of a test holds an address: {item.nodeid:.200}")
    if hasattr(config, "workerinput"):
        place = {FOLDER / name: number for number, name in enumerate(LONGEST)}
        count = Counter(item.path for item in items)
        items.sort(key=lambda item: (place.get(item.path, len(place)), -count[item.path], item.path))
