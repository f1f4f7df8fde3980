"""How the parent and a worker talk: one JSON object a line, requests on stdin, replies on a private copy of stdout."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TextIO

import numpy as np

from bench.machine import UnavailableError as UnavailableError
from bench.machine import memory
from bench.problems import Network, Problem, from_json

Run = Callable[[int], int]
"""`run(count)` does about `count` steps to their end and returns how many."""
NO_SUCH_ROW = "no such row"


class Worker(Protocol):
    """What the module of a peer has; also `timed`, where another clock than the host's tells how long a run takes."""

    def start(self, threads: int) -> str:
        """Make ready; returns name and version."""

    def workload(self, do: str, problem: Problem) -> Run:
        """Make ready what a row does.

        With a network "step", "read" (a step whose loss is read), "fit" or "infer"; with an operation "forward" or
        "both", which is its value and its gradients.
        """

    def losses(self, problem: Network, count: int) -> list[float]:
        """The losses of the first steps on the first batch."""

    def results(self, problem: Problem, exact: bool) -> list[np.ndarray]:
        """What an operation gives, or the gradients of a network's first step; `exact` computes in float64.

        Only the peers of `bench.precision` have it.
        """


def private_stdout() -> TextIO:
    """The pipe to the parent; what libraries print to stdout goes to stderr from now on."""
    pipe = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return pipe


def send(pipe: TextIO, **message: Any) -> None:
    """Write one message."""
    pipe.write(json.dumps(message) + "\n")
    pipe.flush()


def relative_error(found: Sequence[np.ndarray], exact: Sequence[np.ndarray]) -> float:
    """The norm of the difference over the norm of the exact values, of all arrays together."""
    difference = sum(np.sum(np.square(f - e)) for f, e in zip(found, exact, strict=True))
    return float(np.sqrt(difference / sum(np.sum(np.square(e)) for e in exact)))


def by_clock(run: Run, count: int) -> tuple[float, int]:
    """Seconds that about `count` steps take, and how many they were."""
    start = time.perf_counter()
    steps = run(count)
    return time.perf_counter() - start, steps


def serve(pipe: TextIO, worker: Worker) -> None:
    """Answer requests until stdin closes.

    {"prepare": what to do, "problem": which} -> {"ready": true}; {"count": n} -> {"seconds": s, "steps": n};
    {"losses": n, "problem": which} -> {"losses": [...]}; {"memory": true} -> {"now": bytes, "peak": bytes};
    {"error": true, "problem": which} -> {"error": relative}; any of them -> {"unavailable": reason}.
    """
    run: Run | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "prepare" in request:
                run = None  # lets go of the last workload's memory
                run = worker.workload(request["prepare"], from_json(request["problem"]))
                run(1)
                send(pipe, ready=True)
            elif "losses" in request:
                network = from_json(request["problem"])
                assert isinstance(network, Network)
                send(pipe, losses=worker.losses(network, request["losses"]))
            elif "error" in request:
                problem = from_json(request["problem"])
                exact = worker.results(problem, exact=True)
                send(pipe, error=relative_error(worker.results(problem, exact=False), exact))
            elif "memory" in request:
                now, peak = memory()
                send(pipe, now=now, peak=peak)
            else:
                assert run is not None, "prepare comes first"
                seconds, steps = getattr(worker, "timed", by_clock)(run, request["count"])
                send(pipe, seconds=seconds, steps=steps)
        except UnavailableError as reason:
            send(pipe, unavailable=str(reason))
        except Exception as error:
            traceback.print_exc()
            send(pipe, unavailable=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
