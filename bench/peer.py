"""The parent's end of a worker process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from bench.problems import Network, Problem
from bench.protocol import UnavailableError
from bench.rows import Row


class Peer:
    """One library in a process of its own; raises `UnavailableError` if it cannot start.

    limit: seconds that an answer may take, after which the process is ended.
    """

    def __init__(self, name: str, threads: int, limit: float | None = None) -> None:
        self.name = name
        self._limit = limit
        self._process = subprocess.Popen(
            [interpreter(name), "-m", "bench.worker", name, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self.version: str = self._receive()["version"]
        except UnavailableError:
            self.close()
            raise

    def prepare(self, row: Row) -> None:
        """Build and compile the workload of this row, or raise `UnavailableError`."""
        self._ask(prepare=row.do, problem=row.problem.to_json())

    def losses(self, problem: Network, count: int) -> list[float]:
        """The losses of the first steps, or `UnavailableError`."""
        return list(self._ask(losses=count, problem=problem.to_json())["losses"])

    def error(self, problem: Problem) -> float:
        """How far the results are from float64, or `UnavailableError`; see `Worker.results`."""
        return float(self._ask(error=True, problem=problem.to_json())["error"])

    def burst(self, count: int) -> float:
        """Seconds a step, over about `count` steps in a row."""
        reply = self._ask(count=count)
        return float(reply["seconds"] / reply["steps"])

    def memory(self) -> tuple[int, int]:
        """Bytes that the process has in memory now, and the most it ever had."""
        reply = self._ask(memory=True)
        return int(reply["now"]), int(reply["peak"])

    @property
    def is_alive(self) -> bool:
        """Whether the process goes on."""
        return self._process.poll() is None

    def end(self) -> None:
        """End the process at once, whatever it does."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End the process when it has done what it does."""
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
        with self._in_time():
            line = self._process.stdout.readline()
        if not line:
            raise UnavailableError(f"its process ended with status {self._process.wait()}")
        reply: dict[str, Any] = json.loads(line)
        if "unavailable" in reply:
            raise UnavailableError(reply["unavailable"])
        return reply

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        if self._limit is None:
            yield
            return
        timer = threading.Timer(self._limit, self._process.kill)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def interpreter(name: str) -> str:
    """The interpreter of a peer: that of this process, or what ``BENCH_PYTHON_<NAME>`` says."""
    return os.environ.get(f"BENCH_PYTHON_{name.upper()}", sys.executable)


@contextmanager
def started(names: Sequence[str], threads: int) -> Iterator[tuple[list[Peer], dict[str, str]]]:
    """The peers that can start, and why the others cannot; their processes end with the block."""
    peers: list[Peer] = []
    absent: dict[str, str] = {}
    with ExitStack() as stack:
        for name in names:
            try:
                peers.append(Peer(name, threads))
            except UnavailableError as reason:
                absent[name] = str(reason)
            else:
                stack.callback(peers[-1].close)
        yield peers, absent
