"""The search for garbage is put off, and goes on as before."""

from __future__ import annotations

import gc

import pytest

from fnet.garbage import collection_put_off


@pytest.mark.parametrize("before", [True, False])
def test_the_search_for_garbage_goes_on_after_planning_as_before(before):
    was = gc.isenabled()
    try:
        (gc.enable if before else gc.disable)()
        with pytest.raises(KeyError), collection_put_off():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() == before
    finally:
        (gc.enable if was else gc.disable)()
