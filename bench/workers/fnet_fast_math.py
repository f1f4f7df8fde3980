"""fnet as it would be with fast-math flags on its elementwise code; its machine code goes into a folder of its own."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

_FOLDER = tempfile.mkdtemp(prefix="fnet-fast-math-")
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
os.environ["FNET_CACHE_DIR"] = _FOLDER

from fnet.kernels import policy  # noqa: E402

FLAGS = {"contract", "arcp", "nsz", "afn"}
vars(policy)["_flags"] = lambda reassoc, contract: FLAGS | ({"reassoc"} if reassoc else set())

from bench.workers.fnet import losses as losses  # noqa: E402
from bench.workers.fnet import results as results  # noqa: E402
from bench.workers.fnet import start as start_fnet  # noqa: E402
from bench.workers.fnet import workload as workload  # noqa: E402


def start(threads: int) -> str:
    """Returns what this peer is."""
    return f"{start_fnet(threads)} with fast-math flags"
