"""Draws the plot of docs/benchmarks.md as SVG: groups of bars."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from bench.databases import TITLES
from bench.figures import ratio
from bench.tables import SUBJECTS, is_many, limit_of, subject_title

if TYPE_CHECKING:
    from bench.figures import Figures

OURS, LIMIT, PEERS = "#2f6fde", "#9aa5b1", "#e08e3c"
COLOURS = {"the driver alone": LIMIT, "this queue": OURS, "other queues": PEERS}
WIDTH, BAR, GAP, LEFT, SCALE = 920, 16, 4, 370, 400
#: The longest part of the limit that has room.
MOST = 1.2


class Chart:
    """The body of the SVG, and how far down it goes."""

    def __init__(self) -> None:
        self.body: list[str] = []
        self.y = 24
        x = LEFT
        for title, colour in COLOURS.items():
            self.body.append(
                f'<rect x="{x}" y="{self.y - 11}" width="12" height="12" fill="{colour}"/>'
            )
            self._text(x + 18, self.y, title)
            x += 150
        self.y += 26

    def title(self, text: str) -> None:
        self.y += 10
        self._text(10, self.y, text, 'font-size="14" font-weight="bold"')
        self.y += 10

    def bar(self, label: str, colour: str, part: float, value: str) -> None:
        """A bar as long as `part` of the scale, with the value beside it."""
        length = max(1, round(min(part, MOST) * SCALE / MOST))
        self._text(LEFT - 8, self.y + BAR - 4, label, 'text-anchor="end"')
        self.body.append(
            f'<rect x="{LEFT}" y="{self.y}" width="{length}" height="{BAR}" fill="{colour}"/>'
        )
        self._text(LEFT + length + 6, self.y + BAR - 4, value)
        self.y += BAR + GAP

    def gap(self) -> None:
        self.y += GAP * 2

    def text(self) -> str:
        height = self.y + 10
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" '
            'font-family="sans-serif" font-size="12" role="img" aria-label="Benchmarks">'
        )
        background = '<rect width="100%" height="100%" fill="#ffffff"/>'
        return "\n".join([head, background, *self.body, "</svg>"]) + "\n"

    def _text(self, x: int, y: int, text: str, options: str = "") -> None:
        place = f'x="{x}" y="{y}" {options}'.strip()
        self.body.append(f"<text {place}>{escape(text)}</text>")


def draw(figures: Figures) -> str:
    """The plot as the text of an SVG file."""
    chart = Chart()
    _beside_the_limit(chart, figures, "drain", "Drain: part of the driver alone (jobs per second)")
    _beside_the_limit(chart, figures, "enqueue", "Enqueue: part of the driver alone")
    _workers(chart, figures)
    return chart.text()


def _beside_the_limit(chart: Chart, figures: Figures, suite: str, title: str) -> None:
    databases = figures.databases(suite)
    if databases:
        chart.title(title)
    for database in databases:
        rates_of = figures.by_subject(suite, database)
        for subject in sorted(rates_of, key=is_many):
            rates, limit = rates_of[subject], rates_of.get(limit_of(subject))
            if not limit:
                continue
            part = ratio(rates, limit)
            label = f"{TITLES[database]}, {subject_title(subject).replace('`', '')}"
            chart.bar(label, _colour(subject), part, f"{part:.2f}  ({median(rates):,.0f}/s)")
        chart.gap()


def _workers(chart: Chart, figures: Figures) -> None:
    """Each beside the most that any of them reaches."""
    rates = figures.of("workers", "per_second")
    if not rates:
        return
    chart.title("Several workers on PostgreSQL: jobs per second")
    for kind in figures.values("workers", "kind"):
        for number in figures.values("workers", "number", kind=kind):
            for subject in figures.values("workers", "subject", kind=kind, number=number):
                of = {"kind": kind, "number": number, "subject": subject}
                rate = median(figures.of("workers", "per_second", **of))
                label = f"{number} {kind}, {subject_title(subject)}"
                chart.bar(label, _colour(subject), rate / max(rates), f"{rate:,.0f}/s")
        chart.gap()


def _colour(subject: str) -> str:
    if subject in ("bare", "bulk"):
        return LIMIT
    return OURS if subject in SUBJECTS else PEERS
