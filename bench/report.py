"""Writes the pages and the plot of raw figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench import chart, front_page, second_page
from bench.figures import Figures


def write(found: dict[str, Any], folder: Path) -> None:
    """Writes benchmarks.md, benchmarks-more.md and benchmarks.svg to `folder`.

    `found` holds the `machine` and the `records` of benchmarks.json.
    """
    figures = Figures(found["records"])
    (folder / "benchmarks.md").write_text(front_page.write(figures, found["machine"]))
    (folder / "benchmarks-more.md").write_text(second_page.write(figures))
    (folder / "benchmarks.svg").write_text(chart.draw(figures))
