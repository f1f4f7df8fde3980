"""`python -m bench.first_step ROW`: import fnet and do one step; prints as JSON how long, and what was compiled.

Meant for a fresh process; ``FNET_CACHE_DIR`` decides whether the cache is cold.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main(key: str) -> None:
    """Do the first step of a row."""
    start = time.perf_counter()
    import fnet
    from bench.compilations import listen
    from bench.problems import Network
    from bench.rows import find
    from bench.workers.fnet.steps import Training
    from fnet.kernels.compiler import second

    stopwatch, problem = listen(), find(key).problem
    assert isinstance(problem, Network)
    Training(problem).run(1)
    seconds = time.perf_counter() - start
    compiled = {name: (stopwatch.own[name], whole) for name, whole in stopwatch.whole.items()}
    second.stop()
    used = os.times()
    processor = time.process_time() + used.children_user + used.children_system
    figures = {"seconds": seconds, "processor": processor, "compiled": compiled}
    print(json.dumps(figures | {"version": fnet.__version__}))


if __name__ == "__main__":
    main(sys.argv[1])
