"""Draws the plot of docs/benchmarks.md as SVG: two groups of bars."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from bench.databases import TITLES
from bench.figures import ratio

if TYPE_CHECKING:
    from bench.figures import Figures

COLOURS = {"bare": "#9aa5b1", "jobs": "#2f6fde", "peer": "#e08e3c"}
NAMED = {"bare": "the driver alone", "jobs": "this queue", "peer": "django-tasks-db"}
WIDTH, BAR, GAP, LEFT, SCALE = 860, 16, 4, 250, 470


def draw(figures: Figures) -> str:
    """The plot as the text of an SVG file."""
    body: list[str] = []
    y = _legend(body, 24)
    y = _title(body, y, "Drain: part of the bare limit (jobs per second)")
    for database in figures.databases("drain"):
        bare = figures.of("drain", "per_second", database=database, subject="bare")
        for subject in figures.values("drain", "subject", database=database):
            rates = figures.of("drain", "per_second", database=database, subject=subject)
            y = _bar(body, y, TITLES[database], subject, ratio(rates, bare), median(rates))
        y += GAP * 2
    y = _title(body, y + 10, "Depth: jobs per second beside the shallowest table")
    for database in figures.databases("depth"):
        for state in figures.values("depth", "state", database=database):
            depths = figures.values("depth", "depth", database=database, state=state)
            of = {"database": database, "state": state, "subject": "jobs"}
            shallowest = figures.of("depth", "per_second", depth=depths[0], **of)
            deepest = figures.of("depth", "per_second", depth=depths[-1], **of)
            label = f"{TITLES[database]}, {depths[-1]:,} {state}"
            y = _bar(body, y, label, "jobs", ratio(deepest, shallowest), median(deepest))
        y += GAP * 2
    height = y + 10
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12" role="img" aria-label="Benchmarks">'
    )
    background = '<rect width="100%" height="100%" fill="#ffffff"/>'
    return "\n".join([head, background, *body, "</svg>"]) + "\n"


def _legend(body: list[str], y: int) -> int:
    x = LEFT
    for subject, colour in COLOURS.items():
        body.append(f'<rect x="{x}" y="{y - 11}" width="12" height="12" fill="{colour}"/>')
        body.append(f'<text x="{x + 18}" y="{y}">{escape(NAMED[subject])}</text>')
        x += 150
    return y + 26


def _title(body: list[str], y: int, text: str) -> int:
    body.append(f'<text x="10" y="{y}" font-size="14" font-weight="bold">{escape(text)}</text>')
    return y + 10


def _bar(body: list[str], y: int, label: str, subject: str, part: float, rate: float) -> int:
    length = max(1, round(min(part, 1.15) * SCALE / 1.15))
    body.append(f'<text x="{LEFT - 8}" y="{y + BAR - 4}" text-anchor="end">{escape(label)}</text>')
    body.append(
        f'<rect x="{LEFT}" y="{y}" width="{length}" height="{BAR}" fill="{COLOURS[subject]}"/>'
    )
    body.append(
        f'<text x="{LEFT + length + 6}" y="{y + BAR - 4}">{part:.2f}  ({rate:,.0f}/s)</text>'
    )
    return y + BAR + GAP
