"""What tests of several optimizers share."""

from __future__ import annotations

import pytest

from fnet.devices.cpu import executor


@pytest.fixture(scope="module")
def walked():
    """Plans stay with the walker: a native one takes a second to compile, and other tests are about them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executor, "HOT_RUNS", 10**9)
        yield
