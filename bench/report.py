"""The figures as Markdown, and the page that keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.measure import Result
from bench.protocol import NO_SUCH_ROW

PAGE = Path(__file__).parent / "RESULTS.md"
_NOTES = "<!-- notes: kept by hand; what is below this line survives a new run -->"
_EMPTY = "\n\n## Notes\n"


def summary_table(results: Sequence[Result]) -> str:
    """One line for each row: fnet beside the fastest peer and the target."""
    lines = [
        "| training step or call | fnet us | fastest peer | us | peer / fnet | target |",
        "|---|---:|---|---:|---:|---:|",
    ]
    for result in results:
        best = result.best_peer()
        if best is None or "fnet" not in result.seconds:
            continue
        target = result.row.targets.get("best") or result.row.targets.get(best)
        cells = [result.row.title, _us(result.median("fnet")), best, _us(result.median(best))]
        cells += [f"{result.ratio(best):.2f}", f"{target:g}" if target else ""]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def peers_table(results: Sequence[Result]) -> str:
    """One line for each peer of each row: time a step, and how many times fnet's time that is."""
    lines = ["| row | peer | median us | min us | peer / fnet | target |", "|---|---|---:|---:|---:|---:|"]
    for result in results:
        title, best = result.row.title, result.best_peer()
        for peer, seconds in result.seconds.items():
            ratio = f"{result.ratio(peer):.2f}" if "fnet" in result.seconds and peer != "fnet" else ""
            target = result.row.targets.get(peer) or (result.row.targets.get("best") if peer == best else None)
            cells = [title, peer, _us(result.median(peer)), _us(min(seconds)), ratio, f"{target:g}" if target else ""]
            lines.append(f"| {' | '.join(cells)} |")
            title = ""
    return "\n".join(lines)


def absent_list(started: dict[str, str], results: Sequence[Result]) -> str:
    """Who was skipped, and why; nothing for no one. A row that a peer does not offer is no news."""
    lines = [f"- {peer}: {reason}" for peer, reason in started.items()]
    for result in results:
        reasons = {peer: why for peer, why in result.absent.items() if why != NO_SUCH_ROW}
        lines += [f"- {peer}, {result.row.title}: {why}" for peer, why in reasons.items()]
    return "\n".join(["Skipped:\n", *lines]) if lines else ""


def write_page(heading: str, sections: Mapping[str, str]) -> None:
    """Put sections on the page by their titles, each under `heading`; other sections and the notes stay."""
    old = PAGE.read_text() if PAGE.is_file() else ""
    body, _, notes = old.partition(_NOTES)
    kept = dict(section.strip().split("\n", 1) for section in body.split("\n## ")[1:])
    kept |= {title: f"\n{heading}\n\n{text}" for title, text in sections.items()}
    page = [f"## {title}\n{text}" for title, text in kept.items()]
    PAGE.write_text("\n\n".join(["# Results", *page, f"{_NOTES}{notes or _EMPTY}"]))


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:.1f}"
