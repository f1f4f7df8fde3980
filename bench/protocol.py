"""How the parent and a worker talk: one JSON object a line, requests on stdin, replies on a private copy of stdout."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, Protocol, TextIO

from bench.machine import UnavailableError as UnavailableError
from bench.machine import memory
from bench.problems import Network, Problem, from_json

Run = Callable[[int], int]
"""`run(count)` does about `count` steps to their end and returns how many."""
NO_SUCH_ROW = "no such row"


class Worker(Protocol):
    """What the module of a peer has."""

    def start(self, threads: int) -> str:
        """Make ready; returns name and version."""

    def workload(self, do: str, problem: Problem) -> Run:
        """Make ready what a row does.

        With a network "step", "read" (a step whose loss is read), "fit" or "infer"; with an operation "forward" or
        "both", which is its value and its gradients.
        """

    def losses(self, problem: Network, count: int) -> list[float]:
        """The losses of the first steps on the first batch."""


def private_stdout() -> TextIO:
    """The pipe to the parent; what libraries print to stdout goes to stderr from now on."""
    pipe = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return pipe


def send(pipe: TextIO, **message: Any) -> None:
    """Write one message."""
    pipe.write(json.dumps(message) + "\n")
    pipe.flush()


def serve(pipe: TextIO, worker: Worker) -> None:
    """Answer requests until stdin closes.

    {"prepare": what to do, "problem": which} -> {"ready": true}; {"count": n} -> {"seconds": s, "steps": n};
    {"losses": n, "problem": which} -> {"losses": [...]}; {"memory": true} -> {"now": bytes, "peak": bytes};
    any of them -> {"unavailable": reason}.
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
            elif "memory" in request:
                now, peak = memory()
                send(pipe, now=now, peak=peak)
            else:
                assert run is not None, "prepare comes first"
                start = time.perf_counter()
                steps = run(request["count"])
                send(pipe, seconds=time.perf_counter() - start, steps=steps)
        except UnavailableError as reason:
            send(pipe, unavailable=str(reason))
        except Exception as error:
            traceback.print_exc()
            send(pipe, unavailable=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
