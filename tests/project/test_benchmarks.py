"""The benchmarks are run by `make bench`, never by a test; what becomes of their
figures is tested on figures made up here.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench import report
from bench.figures import Figures, ratio
from tests.processes import ROOT

MACHINE = {
    "date": "2026-01-02",
    "processors": 2,
    "processor": "a processor",
    "memory_gib": 8,
    "system": "a system",
    "python": "3.11.7",
    "packages": {"django": "5.2.1"},
}


def record(
    suite: str,
    subject: str = "jobs",
    database: str = "sqlite",
    of: dict[str, Any] | None = None,
    **figures: Any,
) -> dict:
    return {
        "suite": suite,
        "database": database,
        "subject": subject,
        **(of or {}),
        "figures": figures,
    }


def drained(subject: str, *rates: float) -> list[dict]:
    return [record("drain", subject, per_second=rate) for rate in rates]


@pytest.fixture
def written(tmp_path):
    """The page that is made of some records, and the plot beside it."""

    def write(*records: dict) -> str:
        report.write({"machine": MACHINE, "records": list(records)}, tmp_path)
        ElementTree.parse(tmp_path / "benchmarks.svg")
        return (tmp_path / "benchmarks.md").read_text()

    return write


def row(page: str, *beginning: str) -> list[str]:
    """The cells of the one table row that begins so."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.splitlines()
        if line.startswith("|")
    ]
    [found] = [cells for cells in rows if cells[: len(beginning)] == list(beginning)]
    return found


def test_a_ratio_is_the_median_of_the_rounds_ratios_and_not_the_ratio_of_the_medians():
    assert ratio([10, 20, 90], [10, 40, 100]) == 0.9
    assert ratio([10, 20], []) != ratio([10, 20], [])  # not a number


def test_each_subject_is_shown_with_its_range_beside_the_bare_limit_and_the_peer(written):
    page = written(
        *drained("bare", 1000, 2000, 4000),
        *drained("jobs", 900, 1000, 2000),
        *drained("peer", 90, 100, 100),
    )
    assert row(page, "SQLite", "the driver alone")[2:] == ["2,000 (1,000-4,000)", "1.00", "20.0"]
    assert row(page, "SQLite", "this queue")[2:] == [
        "1,000 (900-2,000)",
        "0.50 (target 0.5)",
        "10.0",
    ]
    assert row(page, "SQLite", "django-tasks-db")[2:] == ["100 (90-100)", "0.05", ""]


def test_many_at_once_stand_beside_what_the_driver_has_for_many(written):
    rates = {"bare": 100, "jobs": 70, "bulk": 1000, "many": 500, "lazy": 600}
    found = [record("enqueue", subject, per_second=rate) for subject, rate in rates.items()]
    page = written(*found)
    assert row(page, "SQLite", "this queue")[3] == "0.70"
    assert row(page, "SQLite", "this queue, enqueue_many")[3] == "0.50"
    assert row(page, "SQLite", "this queue, enqueue_many(returning=False)")[3] == "0.60"


def test_depth_is_the_deepest_table_beside_the_shallowest(written):
    figures = {
        ("jobs", 1000): 500,
        ("jobs", 100_000): 450,
        ("bare", 1000): 1000,
        ("bare", 100_000): 800,
    }
    page = written(
        *(
            record("depth", subject, of={"state": "failed", "depth": depth}, per_second=rate)
            for (subject, depth), rate in figures.items()
        )
    )
    assert row(page, "SQLite", "failed")[2:] == ["1,000: 500", "100,000: 450", "", "0.90", "0.80"]


def test_of_the_tables_that_a_step_was_measured_on_the_slowest_is_shown(written):
    states = {"ready": 0.001, "failed": 0.0042}
    page = written(
        *(
            record("others", of={"state": state, "depth": 1000}, promote=value)
            for state, value in states.items()
        )
    )
    assert row(page, "SQLite", "promote")[2] == "1,000: 4.2 ms"


def test_pick_up_is_told_in_milliseconds_with_its_95th_percentile(written):
    page = written(record("pick_up", seconds=[0.001 * number for number in range(1, 102)]))
    assert row(page, "SQLite", "this queue")[2:] == ["51.0", "96.0", "101.0"]


def test_slots_tell_what_each_costs_and_how_many_were_submitted_twice(written):
    ended = {"exit": 1.25, "taken_over": 3.5, "submissions": 7}
    page = written(
        record(
            "slots",
            slots=101,
            rss=150.0,
            rss_of_one=100.0,
            descriptors=40,
            describes_per_poll=1.0,
            cpu=0.25,
            submission=4.0,
            term=ended,
            kill={**ended, "submissions": 0},
        )
    )
    assert row(page, "SQLite", "101")[2:] == [
        "100 → 150 (512 KB each)",
        "40",
        "1.0",
        "25 %",
        "4 s",
        "1.2 / 3.5 / 7",
        "1.2 / 3.5 / 0",
    ]


def test_what_was_not_measured_has_no_section(written):
    page = written(*drained("bare", 10))
    assert "## Drain\n" in page
    for title in ("Depth", "Enqueue", "Pick-up", "Idle", "Start-up", "Slots"):
        assert f"## {title}\n" not in page
    assert "## Drain\n" not in written()


def test_the_plot_has_a_bar_for_each_subject_as_long_as_its_part_of_the_bare_limit(
    written, tmp_path
):
    written(*drained("bare", 100), *drained("jobs", 50))
    plot = ElementTree.parse(tmp_path / "benchmarks.svg").getroot()
    bars = [
        float(bar.get("width", 0))
        for bar in plot.iter("{http://www.w3.org/2000/svg}rect")
        if bar.get("height") == "16"
    ]
    assert len(bars) == 2
    assert bars[1] == pytest.approx(bars[0] / 2, abs=1)


def test_a_figure_is_found_by_whatever_it_is_of_and_databases_come_in_their_usual_order():
    figures = Figures(
        [
            record("idle", database="postgres", rss=1),
            record("idle", database="sqlite", rss=2, pss=3),
        ]
    )
    assert figures.databases("idle") == ["sqlite", "postgres"]
    assert figures.of("idle", "rss", database="postgres") == [1]
    assert figures.of("idle", "pss") == [3]
    assert figures.one("idle", "mongodb") == {}


def test_an_unknown_suite_is_named():
    command = [sys.executable, "-m", "bench", "--only", "drain,nothing"]
    done = subprocess.run(command, cwd=Path(ROOT), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "nothing: there are drain, enqueue" in done.stderr
