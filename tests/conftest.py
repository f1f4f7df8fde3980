"""Hypothesis profiles: `ci` repeats its examples, `dev` looks for new ones. No notice of compiling."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# The first example of a kind compiles kernels, so neither times nor "too slow" mean anything.
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("ci", derandomize=True, max_examples=25, deadline=None, suppress_health_check=SLOW)
settings.register_profile("dev", max_examples=25, deadline=None, suppress_health_check=SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))

# Tests look at what other processes write to stderr, and kernels are compiled in many of them.
os.environ["FNET_QUIET"] = "1"
