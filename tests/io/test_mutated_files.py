"""Files that are mutated at random: refused, or what they were; never a crash, a hang or much memory.

``FNET_MUTATIONS=10000`` makes so many of them; without it there are a few of each kind.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.io import mutations

COUNT = int(os.environ.get("FNET_MUTATIONS", "600"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does"),
    pytest.mark.skipif(find_spec("safetensors") is None, reason="safetensors is not installed"),
]


def test_mutated_files_are_refused_or_what_they_were():
    command = [sys.executable, "-W", "ignore", mutations.__file__, "1", str(COUNT)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60 + COUNT / 5, check=False, env=environment
    )  # fmt: skip
    assert done.returncode == 0, f"it ended with {done.returncode}: {done.stderr[-2000:]}"
    found = json.loads(done.stdout)
    assert not found["wrong"], "\n".join(found["wrong"][:5])
    assert sum(found["counts"].values()) == COUNT
    assert found["longest"][0] < 10, found["longest"]
    assert found["kilobytes"] < 500_000
    assert {name.rpartition(" ")[2] for name in found["counts"]} == {"refused", "same", "other"}
