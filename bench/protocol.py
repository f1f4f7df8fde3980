"""How the parent and a worker talk: one JSON object a line, requests on stdin, replies on a private copy of stdout."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, TextIO

# Makes everything ready and returns `run`; `run(count)` does about `count` steps to the end and returns how many.
Workload = Callable[[], Callable[[int], int]]
NO_SUCH_ROW = "no such row"


class UnavailableError(Exception):
    """This peer cannot do this here: the message says why."""


def private_stdout() -> TextIO:
    """The pipe to the parent; what libraries print to stdout goes to stderr from now on."""
    pipe = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return pipe


def send(pipe: TextIO, **message: Any) -> None:
    """Write one message."""
    pipe.write(json.dumps(message) + "\n")
    pipe.flush()


def serve(pipe: TextIO, table: Mapping[str, Workload]) -> None:
    """Answer requests until stdin closes.

    {"prepare": row} -> {"ready": true} or {"unavailable": reason}; {"count": n} -> {"seconds": s, "steps": n}.
    """
    run: Callable[[int], int] | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "prepare" in request:
                run = None  # lets go of the last workload's memory
                if request["prepare"] not in table:
                    raise UnavailableError(NO_SUCH_ROW)
                run = table[request["prepare"]]()
                run(1)
                send(pipe, ready=True)
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
