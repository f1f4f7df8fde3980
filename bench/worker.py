"""A worker process: `python -m bench.worker PEER THREADS` imports the peer and does what the parent asks."""

from __future__ import annotations

import importlib
import os
import sys

from bench import device
from bench.machine import bind
from bench.protocol import UnavailableError, private_stdout, send, serve


def main(peer: str, threads: int) -> None:
    """Say hello, or why not, then serve."""
    if device.chosen() == device.CPU:
        bind(threads)
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
    else:
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # the card is everybody's
    pipe = private_stdout()
    try:
        module = importlib.import_module(f"bench.workers.{peer}")
        version = module.start(threads)
    except (ImportError, UnavailableError) as error:
        send(pipe, unavailable=str(error))
        return
    send(pipe, version=version)
    serve(pipe, module)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
