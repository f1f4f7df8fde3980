"""What the rows would take at the machine's ceilings: fnet's plan, call by call, at rates measured beside it.

A call takes at least the longer of two times: its multiply-adds at the rate of multiply-adds on registers, and the
bytes of its operands at the rate of copying as much memory as the plan works in. The bound of a row is the sum over its
calls; entering a call, exponentials, and waiting for what the call before has just stored are not in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from bench.measure import measure
from bench.peer import Peer, started
from bench.problems import Network
from bench.problems import operations as kinds
from bench.rows import ROWS, Row

if TYPE_CHECKING:
    from fnet.compile.plan import KernelCall, Plan, Slot

_LEAST = 1 << 16  # numbers to copy: with fewer, starting the copy would count


def roofline_table(threads: int, rounds: int, burst: float, keys: Sequence[str]) -> str:
    """One line for each row: its calls, their work, the bound, fnet's time and what part of it the bound is."""
    lines = [
        "| training step or call | calls | MFLOP | MB touched | works in MB | bound us | fnet us | bound / fnet |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    with started(["fnet"], threads) as (peers, _):
        adds = _rate(Row("multiply_adds", "", "forward", kinds.MultiplyAdds(100_000_000)), peers, rounds, burst)
        for row in ROWS:
            if row.key not in keys or row.do not in ("step", "infer"):
                continue
            plan = _plan(row)
            room = plan.arena_bytes + plan.fixed_bytes + plan.state_bytes + sum(spec.nbytes for spec in plan.inputs)
            copy = Row("copy", "", "forward", kinds.Copy(max(_LEAST, room // 8)))
            bound = bound_of(plan, adds, 4 * _rate(copy, peers, rounds, burst))
            seconds = measure(row, peers, rounds, burst).median("fnet")
            work = sum(multiply_adds(plan.calls))
            cells = [row.title, str(len(plan.calls)), f"{2 * work / 1e6:.2f}", f"{plan.traffic / 1e6:.2f}"]
            cells += [f"{room / 1e6:.2f}", f"{bound * 1e6:.1f}", f"{seconds * 1e6:.1f}", f"{bound / seconds:.2f}"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + f"\n\nMultiply-adds on registers: {adds / 1e9:.0f} GF/s on {threads} threads."


def bound_of(plan: Plan, operations: float, bytes_copied: float) -> float:
    """Seconds that the calls of a plan take at least, at these rates a second."""
    work = zip(plan.calls, multiply_adds(plan.calls), strict=True)
    return sum(max(2 * adds / operations, call.touched / bytes_copied) for call, adds in work)


def multiply_adds(calls: Sequence[KernelCall]) -> Iterator[float]:
    """The multiply-adds of each call's products, from the shapes of its operands; 0 for calls of other kinds."""
    states: list[tuple[int, int]] = []  # of recurrent layers, which the backward pass visits in reverse
    for call in calls:
        if call.label.removesuffix("_taped") in ("lstm", "simple_rnn", "gru"):
            x, kernel, _, recurrent_kernel = call.slots[:4]
            states.append((math.prod(x.shape[:2]) * kernel.count, math.prod(x.shape[:2]) * recurrent_kernel.count))
            yield sum(states[-1])
        elif call.label in ("lstm_vjp", "simple_rnn_vjp", "gru_vjp"):
            if call.kernel.__name__ == "backward":
                of_input, of_state = states.pop()
                yield of_state + _of_joined(call, of_input, of_state)
            else:  # a product for the gradients of weights or input, or what moves its operands
                yield _matmul(call.slots) if "gemm" in call.kernel.__name__ else 0
        else:
            yield _PRODUCTS.get(call.label, _none)(call.slots)


def _of_joined(call: KernelCall, of_input: int, of_state: int) -> int:
    """The multiply-adds for the gradients of weights and input, unless products behind the walk back give them."""
    whole, dx = call.slots[-6:-4]
    if call.label == "gru_vjp" or len(whole.shape) != 2:
        return 0
    return of_input + of_state + (of_input if len(dx.shape) == 3 else 0)


def _none(slots: Sequence[Slot]) -> float:
    return 0


def _matmul(slots: Sequence[Slot]) -> float:
    """Of (m, k), (k, n) and (m, n) in whatever order and layout; the first axes of stacks are alike."""
    one, two, three = slots[:3]
    stacked = math.prod(one.shape[:-2])
    sizes = (math.prod(slot.shape) for slot in (one, two, three))  # windows with gaps span more
    return math.sqrt(math.prod(sizes) / stacked)


def _convolution(slots: Sequence[Slot]) -> float:
    """Every output pixel meets every weight; what packs the weights has one image less."""
    images = [slot for slot in slots if len(slot.shape) == 4]
    pixels = [math.prod(slot.shape[:3]) for slot in images]
    return min(pixels) * slots[1].count if len(images) > 1 else 0


def _weights_of_convolution(slots: Sequence[Slot]) -> float:
    if len(slots) < 4:  # a copy that transposes them
        return 0
    x, dy, kernel = slots[:3]
    return min(math.prod(x.shape[:3]), math.prod(dy.shape[:3])) * kernel.count


def _attention(products: float) -> Callable[[Sequence[Slot]], float]:
    """Of queries and keys (N, T, H, D), where each query sees half of the keys, as in causal attention."""

    def count(slots: Sequence[Slot]) -> float:
        queries, keys = slots[:2]
        return products / 2 * queries.count * keys.shape[1]

    return count


_PRODUCTS: dict[str, Callable[[Sequence[Slot]], float]] = {
    "matmul": _matmul,
    "conv": _convolution,
    "conv_input": _convolution,
    "conv_weight": _weights_of_convolution,
    "attention": _attention(2),
    "attention_vjp": _attention(5),
}


def _plan(row: Row) -> Plan:
    from bench.workers.fnet.steps import Inference, Training

    assert isinstance(row.problem, Network)
    if row.do == "step":
        training = Training(row.problem)
        return training.step.plan(*training.arguments)
    inference = Inference(row.problem)
    return inference.apply.plan(inference.x)


def _rate(row: Row, peers: Sequence[Peer], rounds: int, burst: float) -> float:
    """Floating-point operations, or numbers read and written, a second in the best burst."""
    assert isinstance(row.problem, kinds.Operation)
    work = row.problem.flops or row.problem.traffic
    return work / min(measure(row, peers, rounds, burst).seconds["fnet"])
