"""Charts over time that the server draws as SVG.

The drawing stretches with the page, so its texts are HTML beside it, and the same
numbers are in a table for those who don't see it. There is no style attribute, so that
a strict policy lets it through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs.records import BOUNDS

WIDTH, HEIGHT = 960, 120
#: The lowest scale of a chart that counts.
LEAST = 1.0


@dataclass(frozen=True)
class Series:
    """One value for each part of the time; None where there is none to tell."""

    label: str
    #: The class of what is drawn, and of its sign in the legend.
    kind: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Chart:
    """What the template needs."""

    title: str
    #: All of it in a sentence.
    summary: str
    series: Sequence[Series]
    drawing: SafeString
    #: At the top, in the middle and at the bottom of the scale.
    scale: tuple[str, str, str]


def columns(title: str, summary: str, series: Sequence[Series], labels: Sequence[str]) -> Chart:
    """Stacked columns, the first series at the bottom; `labels` are shown on hover."""
    heights = [sum(value or 0 for value in part) for part in zip(*_values(series), strict=True)]
    top = _round_number(max([*heights, LEAST]))
    width = WIDTH / len(labels)
    shapes = []
    for place, part in enumerate(zip(*_values(series), strict=True)):
        below = 0.0
        for one, value in zip(series, part, strict=True):
            if not value:
                continue
            height = max(HEIGHT * value / top, 1)  # one failure among many is to be seen
            y = max(HEIGHT - below - height, 0)
            shapes.append((_at(place * width), _at(y), _at(width * 0.85), _at(height), one.kind))
            below += height
    drawn = format_html_join(
        "", '<rect x="{}" y="{}" width="{}" height="{}" class="job-fill-{}"/>', shapes
    )
    return Chart(title, summary, series, _svg(summary, drawn, labels), _scale(top, number))


def steps(title: str, summary: str, series: Sequence[Series], labels: Sequence[str]) -> Chart:
    """A line for each series of seconds, level within a part, broken where there is no
    value.
    """
    highest = max((value for one in series for value in one.values if value), default=0)
    top = next((bound for bound in BOUNDS if bound >= highest), BOUNDS[-1])
    width = WIDTH / len(labels)
    lines = [(_path(one.values, top, width), one.kind) for one in series]
    drawn = format_html_join("", '<path d="{}" class="job-line-{}"/>', lines)
    return Chart(title, summary, series, _svg(summary, drawn, labels), _scale(top, duration))


def _path(values: Sequence[float | None], top: float, width: float) -> str:
    found, is_drawing = [], False
    for place, value in enumerate(values):
        if value is not None:
            # Half of the line's width stays within the drawing.
            y = _at(1 + (HEIGHT - 2) * (1 - min(value / top, 1)))
            found.append(f"V{y}" if is_drawing else f"M{_at(place * width)} {y}")
            found.append(f"H{_at((place + 1) * width)}")
        is_drawing = value is not None
    return "".join(found)


def _svg(summary: str, drawn: SafeString, labels: Sequence[str]) -> SafeString:
    width = WIDTH / len(labels)
    hovers = format_html_join(
        "",
        '<rect x="{}" y="0" width="{}" height="{}" class="job-hover"><title>{}</title></rect>',
        [(_at(place * width), _at(width), HEIGHT, label) for place, label in enumerate(labels)],
    )
    return format_html(
        '<svg class="job-chart" role="img" aria-label="{}" viewBox="0 0 {} {}" '
        'preserveAspectRatio="none"><path d="M0 0H{}M0 {}H{}" class="job-grid"/>{}{}</svg>',
        summary,
        WIDTH,
        HEIGHT,
        WIDTH,
        HEIGHT // 2,
        WIDTH,
        drawn,
        hovers,
    )


def _values(series: Sequence[Series]) -> list[Sequence[float | None]]:
    return [one.values for one in series]


def _at(position: float) -> str:
    return f"{position:.2f}".rstrip("0").rstrip(".")


def _scale(top: float, written: Callable[[float], str]) -> tuple[str, str, str]:
    return written(top), written(top / 2), "0"


def _round_number(least: float) -> float:
    """1, 2 or 5 and zeros, not below `least`."""
    power = 1.0
    while power * 10 < least:
        power *= 10
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)


def number(value: float) -> str:
    """`1,234`, and small ones with a decimal: `0.5`."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:,.2g}"


def duration(seconds: float | None) -> str:
    """A length of time with its unit and two or three digits: `250 ms`, `1.25 s`."""
    if seconds is None:
        return "-"
    if seconds < 0.9995:
        return f"{seconds * 1000:.3g} ms"
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
