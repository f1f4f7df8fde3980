"""Hypothesis profiles, tests in several processes, no notice of compiling."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import HealthCheck, settings

MOST_PROCESSES = 8  # each collects all tests and holds what it has compiled

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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """How many processes ``-n auto`` means."""
    return min(os.cpu_count() or 1, MOST_PROCESSES)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every process must give a test the same name: no name says where an object lies."""
    for item in items:
        if re.search(r" at 0x[0-9a-f]{6}", item.nodeid):
            raise pytest.UsageError(f"the name of a test holds an address: {item.nodeid:.200}")
