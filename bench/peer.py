"""The parent's end of a worker process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from bench.protocol import UnavailableError

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


class Peer:
    """One library in a process of its own; raises `UnavailableError` if it cannot start."""

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        environment = os.environ | dict.fromkeys(_THREAD_VARIABLES, str(threads))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker", name, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        try:
            self.version: str = self._receive()["version"]
        except UnavailableError:
            self.close()
            raise

    def prepare(self, row: str) -> None:
        """Build and compile the workload of this row, or raise `UnavailableError`."""
        self._ask(prepare=row)

    def burst(self, count: int) -> float:
        """Seconds a step, over about `count` steps in a row."""
        reply = self._ask(count=count)
        return float(reply["seconds"] / reply["steps"])

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # _receive says that the process has ended
        return self._receive()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise UnavailableError(f"its process ended with status {self._process.wait()}")
        reply: dict[str, Any] = json.loads(line)
        if "unavailable" in reply:
            raise UnavailableError(reply["unavailable"])
        return reply
