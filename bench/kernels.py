"""`python -m bench.kernels`: single operations beside the libraries' own, and what the machine can do at most."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence

from bench.measure import Result, measure
from bench.peer import started
from bench.problems import Operation
from bench.problems import operations as kinds
from bench.rows import Row

PEERS = ("fnet", "torch", "jax")

_FORWARD_ONLY: dict[str, Operation] = {
    **{f"GEMM {n} x {n} x {n}": kinds.Gemm(n, n, n) for n in (32, 64, 128, 256, 512, 1024, 2048)},
    "GEMM 128 x 300 x 784": kinds.Gemm(128, 300, 784),
    "GEMM 1 x 300 x 784": kinds.Gemm(1, 300, 784),
    "Adam on 10 million parameters": kinds.AdamUpdate(((10_000_000,),)),
    "Adam on 10 million parameters in 48 arrays": kinds.AdamUpdate(((645, 645), (645,)) * 24),
    "Adam on the 561 parameters of the MLP 16-16-1": kinds.AdamUpdate(((16, 16), (16,)) * 2 + ((16, 1), (1,))),
}
_WITH_GRADIENTS: dict[str, Operation] = {
    "convolution 7x7/2, 224x224x3 to 64, batch 4": kinds.Convolution(4, 224, 3, 64, 7, 2),
    "convolution 3x3, 56x56x64 to 64, batch 8": kinds.Convolution(8, 56, 64, 64, 3),
    "convolution 1x1, 56x56x64 to 256, batch 8": kinds.Convolution(8, 56, 64, 256, 1),
    "convolution 3x3/2, 56x56x128 to 128, batch 8": kinds.Convolution(8, 56, 128, 128, 3, 2),
    "convolution 3x3, 14x14x256 to 256, batch 8": kinds.Convolution(8, 14, 256, 256, 3),
    "convolution 3x3, 7x7x512 to 512, batch 8": kinds.Convolution(8, 7, 512, 512, 3),
    "LSTM(32), 8 steps of 4, batch 32": kinds.LSTM(32, 8, 4, 32),
    "LSTM(64), 100 steps of 26, batch 16": kinds.LSTM(16, 100, 26, 64),
    "LSTM(128), 100 steps of 64, batch 64": kinds.LSTM(64, 100, 64, 128),
    "LSTM(512), 50 steps of 512, batch 64": kinds.LSTM(64, 50, 512, 512),
    "attention, 16 x 64 tokens, 4 heads of 32": kinds.Attention(16, 64, 4, 32),
    "attention, 2 x 1024 tokens, 8 heads of 64": kinds.Attention(2, 1024, 8, 64),
    "softmax 64 x 10": kinds.Softmax(64, 10),
    "softmax 4096 x 1024": kinds.Softmax(4096, 1024),
    "layer normalisation 1024 x 128": kinds.LayerNorm(1024, 128),
    "layer normalisation 4096 x 1024": kinds.LayerNorm(4096, 1024),
    "batch normalisation 32768 x 64": kinds.BatchNorm(32768, 64),
    "max pooling 2x2, 32x32x64, batch 32": kinds.MaxPool(32, 32, 64),
    "embedding 10000 x 64, 32 x 100 words": kinds.Embedding(32, 100, 10000, 64),
    "CTC, 100 steps, 29 classes, 20 labels, batch 16": kinds.CTC(16, 100, 29, 20),
}
_CEILINGS = (
    Row("multiply_adds", "multiply-adds on registers", "forward", kinds.MultiplyAdds(100_000_000)),
    Row("copy", "copying 128 MB", "forward", kinds.Copy(1 << 25)),
)


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.kernels", description=__doc__)
    parser.add_argument("only", nargs="?", default="", help="a part of the titles of the rows wanted")
    parser.add_argument("--peers", nargs="+", default=PEERS, choices=PEERS)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--burst", type=float, default=0.05, help="seconds")
    options = parser.parse_args()
    for table in tables(options.peers, options.threads, options.rounds, options.burst, options.only):
        print(table, "\n")


def rows() -> Iterator[Row]:
    """Every operation; where it is differentiated, once without and once with its gradients."""
    for title, operation in _FORWARD_ONLY.items():
        yield Row(title, title, "forward", operation)
    for title, operation in _WITH_GRADIENTS.items():
        yield Row(title, title, "forward", operation)
        yield Row(f"{title}, both", "the same with gradients", "both", operation)


def tables(names: Sequence[str], threads: Sequence[int], rounds: int, burst: float, only: str = "") -> list[str]:
    """One table for each number of threads; `only` is a part of the titles of the rows wanted."""
    return [_table(names, n, rounds, burst, only) for n in threads]


def _table(names: Sequence[str], threads: int, rounds: int, burst: float, only: str) -> str:
    with started([name for name in PEERS if name in names], threads) as (peers, _):
        fnet = [peer for peer in peers if peer.name == "fnet"]
        others = [peer.name for peer in peers if peer.name != "fnet"]
        before = [highest_rate(measure(row, fnet, rounds, burst)) for row in _CEILINGS]
        results = [measure(row, peers, rounds, burst) for row in rows() if only in row.key]
        after = [highest_rate(measure(row, fnet, rounds, burst)) for row in _CEILINGS]
    arithmetic, memory = map(max, before, after)
    head = f"| {threads} thread{'s' if threads > 1 else ''} | fnet us | rate | of the ceiling |"
    lines = [
        f"{head}{''.join(f' {name} / fnet |' for name in others)}",
        f"|---|---:|---:|---:|{'---:|' * len(others)}",
        f"| ceiling of arithmetic | | {arithmetic / 1e9:.0f} GF/s | |{' |' * len(others)}",
        f"| ceiling of memory: copying 128 MB | | {memory / 1e9:.1f} GB/s | |{' |' * len(others)}",
    ]
    for result in results:
        time = f"{result.median('fnet') * 1e6:.1f}" if "fnet" in result.seconds else ""
        cells = [result.row.title, time, *against(result, arithmetic, memory)]
        cells += [f"{result.ratio(name):.2f}" if {"fnet", name} <= set(result.seconds) else "" for name in others]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def against(result: Result, arithmetic: float, memory: float) -> tuple[str, str]:
    """The rate of fnet and its part of the ceiling: of arithmetic where operations are counted, else of memory."""
    work = _work(result.row)
    if not work or "fnet" not in result.seconds:
        return "", ""
    rate = work / result.median("fnet")
    if _counts_operations(result.row):
        return f"{rate / 1e9:.0f} GF/s", f"{100 * rate / arithmetic:.0f} %"
    return f"{rate / 1e9:.1f} GB/s", f"{100 * rate / memory:.0f} %"


def highest_rate(result: Result, peer: str = "fnet") -> float:
    """Work a second in the best burst of a peer."""
    return _work(result.row) / min(result.seconds.get(peer, ()), default=math.inf)


def _work(row: Row) -> int:
    """Floating-point operations of a call, else bytes; 0 where neither is known."""
    assert isinstance(row.problem, Operation)
    if _counts_operations(row):
        return row.problem.flops * (3 if row.do == "both" else 1)
    return 0 if row.do == "both" else 4 * row.problem.traffic


def _counts_operations(row: Row) -> bool:
    return isinstance(row.problem, Operation) and row.problem.flops > 0


if __name__ == "__main__":
    main()
