"""`python -m bench.profile ROW...`: where the time of fnet's step goes, kernel call by kernel call."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bench.machine import bind
from bench.problems import Network
from bench.rows import ROWS, Row, find

if TYPE_CHECKING:
    from bench.workers.fnet.steps import Training
    from fnet.compile.plan import Plan


@dataclass(frozen=True)
class Timed:
    """One call of a plan and its shortest time."""

    number: int
    label: str
    kernel: str
    touched: int
    seconds: float


def main() -> None:
    """Parse the options, time, print."""
    keys = [row.key for row in ROWS if row.do == "step"]
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    parser.add_argument("rows", nargs="+", choices=keys, metavar="ROW", help=f"of {', '.join(keys)}")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1.0, help="how long to repeat a step")
    parser.add_argument("--top", type=int, default=25, help="calls to list")
    parser.add_argument("--plan", action="store_true", help="every call in the order of the plan, with its buffers")
    options = parser.parse_args()
    bind(options.threads)
    for key in options.rows:
        print(report(find(key), options.seconds, sys.maxsize if options.plan else options.top, options.plan), "\n")


def report(row: Row, seconds: float, top: int, in_order: bool) -> str:
    """The table of one row."""
    from bench.workers.fnet.steps import Training

    assert isinstance(row.problem, Network)
    training = Training(row.problem)
    training.run(20)  # compiles, and goes over to native code where fnet does
    whole = _shortest(lambda: training.run(1), seconds)
    plan, calls = time_calls(training, seconds)
    total = sum(call.seconds for call in calls)
    lines = [
        f"{row.title}: {_us(whole)} us a step, {_us(total)} us in {len(calls)} kernel calls timed one by one "
        f"(each with some 0.3 us to enter it); arena {plan.arena_bytes / 1e6:.2f} MB, "
        f"state {plan.state_bytes / 1e6:.2f} MB",
        f"{'#':>4}  {'us':>9}  {'%':>5}  {'GB/s':>6}  kernel, what for" + (", buffers" if in_order else ""),
    ]
    for call in calls if in_order else sorted(calls, key=lambda c: -c.seconds)[:top]:
        rate = call.touched / call.seconds / 1e9
        buffers = "  " + " ".join(map(str, plan.calls[call.number].slots)) if in_order else ""
        share = 100 * call.seconds / total
        name = f"{call.kernel}  {call.label}{buffers}"
        lines.append(f"{call.number:4}  {_us(call.seconds):>9}  {share:5.1f}  {rate:6.1f}  {name}")
    by_kernel: dict[str, list[float]] = {}
    for call in calls:
        by_kernel.setdefault(call.kernel, []).append(call.seconds)
    lines.append(f"{'':4}  {'us':>9}  {'%':>5}  {'calls':>6}  by kernel")
    for kernel, times in sorted(by_kernel.items(), key=lambda item: -sum(item[1]))[:top]:
        lines.append(f"{'':4}  {_us(sum(times)):>9}  {100 * sum(times) / total:5.1f}  {len(times):6}  {kernel}")
    return "\n".join(lines)


def time_calls(training: Training, seconds: float) -> tuple[Plan, list[Timed]]:
    """The plan of a step, and the shortest time of each of its calls over many steps."""
    from fnet import tree
    from fnet.compile.program import Program
    from fnet.compile.workspace import Workspace

    plan, leaves = training.step.plan(*training.arguments), tree.leaves(training.arguments)
    timers = [_Timer(call.kernel) for call in plan.calls]
    timed = [replace(call, kernel=timer) for call, timer in zip(plan.calls, timers, strict=True)]
    program = Program(replace(plan, calls=timed), Workspace(), "walk")
    program.donate(leaves)
    end, runs = time.perf_counter() + seconds, 0
    while time.perf_counter() < end or runs < 5:
        program.run(leaves)
        runs += 1
    return plan, [
        Timed(i, call.label, getattr(call.kernel, "__name__", "?"), call.touched, min(timer.seconds))
        for i, (call, timer) in enumerate(zip(plan.calls, timers, strict=True))
    ]


class _Timer:
    """A kernel that writes down how long each of its calls takes."""

    def __init__(self, kernel: Callable[..., None]) -> None:
        self._kernel = kernel
        self.seconds: list[float] = []

    def __call__(self, *args: Any) -> None:
        start = time.perf_counter()
        self._kernel(*args)
        self.seconds.append(time.perf_counter() - start)


def _shortest(run: Callable[[], Any], seconds: float) -> float:
    """The shortest of many runs, about `seconds` of them."""
    shortest, end = float("inf"), time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        run()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:.1f}"


if __name__ == "__main__":
    main()
