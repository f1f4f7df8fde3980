"""`python -m bench.check`: do all peers compute the same? Losses of the first steps, from the same weights and data."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bench.peer import Peer, started
from bench.problems import Network
from bench.protocol import NO_SUCH_ROW, UnavailableError
from bench.rows import PEERS, ROWS, Row

STEPS = 4
FIRST = 1e-4  # how far, relatively, a first loss may be from fnet's: rounding
LATER = 1e-2  # and a later one: PyTorch's recurrent layers train two biases where the others have one


def main() -> None:
    """Parse the options, compare, print; ends with status 1 where a peer differs."""
    rows = [row for row in ROWS if row.do == "step"]
    keys = [row.key for row in rows]
    parser = argparse.ArgumentParser(prog="python -m bench.check", description=__doc__)
    parser.add_argument("--rows", nargs="+", default=keys, choices=keys, metavar="ROW", help=f"of {', '.join(keys)}")
    parser.add_argument("--peers", nargs="+", default=PEERS, choices=PEERS, metavar="PEER", help=", ".join(PEERS))
    options = parser.parse_args()
    names = dict.fromkeys(("fnet", *options.peers))
    with started(list(names), threads=2) as (peers, absent):
        for name, reason in absent.items():
            print(f"skipped {name}: {reason}")
        differ = [_compare(row, peers) for row in rows if row.key in options.rows]
    sys.exit(any(differ))


def _compare(row: Row, peers: Sequence[Peer]) -> bool:
    """Print the losses of all peers; whether one differs from fnet, which comes first."""
    assert isinstance(row.problem, Network)
    print(row.title, flush=True)
    expected: list[float] = []
    differs = False
    for peer in peers:
        try:
            losses = peer.losses(row.problem, STEPS)
        except UnavailableError as reason:
            missing = str(reason) != NO_SUCH_ROW
            differs |= missing
            if missing:
                print(f"  {peer.name:14} {reason}")
            continue
        expected = expected or losses
        off = [abs(loss / right - 1) for loss, right in zip(losses, expected, strict=True)]
        wrong = not (off[0] < FIRST and max(off) < LATER)
        differs |= wrong
        figures = " ".join(f"{loss:11.6f}" for loss in losses)
        print(f"  {peer.name:14} {figures}  {'DIFFERS' if wrong else ''}", flush=True)
    return differs


if __name__ == "__main__":
    main()
