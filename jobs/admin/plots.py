"""Plots that the server draws as SVG: without scripts, in the colours of the theme."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH, HEIGHT, GAP = 8, 28, 2


def bars(counts: Sequence[int], labels: Sequence[str], title: str) -> SafeString:
    """A bar for each count, with its label on hover; `title` says all of it in
    words.
    """
    highest = max(*counts, 1)
    heights = [max(2, round(HEIGHT * count / highest)) if count else 1 for count in counts]
    drawn = [
        (
            place * (WIDTH + GAP),
            HEIGHT - height,
            WIDTH,
            height,
            "job-bar" if count else "job-bar-none",
            f"{label}: {count:,}",
        )
        for place, (count, height, label) in enumerate(zip(counts, heights, labels, strict=True))
    ]
    shapes = format_html_join(
        "",
        '<rect x="{}" y="{}" width="{}" height="{}" class="{}"><title>{}</title></rect>',
        drawn,
    )
    width = len(counts) * (WIDTH + GAP)
    return format_html(
        '<svg class="job-bars" role="img" aria-label="{}" viewBox="0 0 {} {}" '
        'width="{}" height="{}">{}</svg>',
        title,
        width,
        HEIGHT,
        width,
        HEIGHT,
        shapes,
    )
