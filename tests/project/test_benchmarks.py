"""The benchmarks are run by `make bench`, never by a test; what becomes of their
figures is tested on figures made up here.
"""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench import report
from bench.figures import Figures, ratio
from bench.on_batch import STEPS
from bench.peers import catalogue
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
    """Both pages that are made of some records, and the plot beside them."""

    def write(*records: dict, **machine: Any) -> str:
        found = {"machine": {**MACHINE, **machine}, "records": list(records)}
        report.write(found, tmp_path)
        ElementTree.parse(tmp_path / "benchmarks.svg")
        pages = ("benchmarks.md", "benchmarks-more.md")
        return "\n".join((tmp_path / page).read_text() for page in pages)

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


def test_each_subject_is_shown_with_its_range_beside_the_limit_and_what_it_promises(written):
    page = written(
        *drained("bare", 1000, 2000, 4000),
        *drained("jobs", 900, 1000, 2000),
        *drained("django-tasks-db", 90, 100, 100),
    )
    limit, ours, peer = (
        row(page, "SQLite", subject)[2:]
        for subject in ("the driver alone", "this queue", "django-tasks-db")
    )
    assert limit == ["2,000 (1,000-4,000)", "1.00", "", ""]
    assert ours == ["1,000 (900-2,000)", "0.50", "", "tried again after a lease; not kept"]
    assert peer == ["100 (90-100)", "0.05", "10.0", "stays `RUNNING` for ever; kept"]


def test_the_overview_marks_what_falls_short_of_its_target(written):
    page = written(*drained("bare", 1000), *drained("jobs", 790), *drained("django-tasks-db", 200))
    assert row(page, "drain, of the driver alone") == [
        "drain, of the driver alone",
        "**0.79 (≥ 0.8)**",
    ]
    assert row(page, "drain, times the fastest durable peer")[1] == "3.95 (≥ 3)"
    assert row(page, "pick-up by an idle worker, median")[1] == "not measured"


def test_a_peer_that_may_lose_jobs_is_shown_and_is_no_target(written):
    page = written(*drained("jobs", 100), *drained("huey", 200), *drained("django-tasks-db", 50))
    assert row(page, "SQLite", "huey with SQLite")[4] == "0.5"
    assert row(page, "drain, times the fastest durable peer")[1] == "**2.00 (≥ 3)**"


def test_a_peer_that_could_not_be_measured_is_named_with_the_reason(written):
    page = written(*drained("jobs", 100), missing=["celery with Redis needs a redis-server"])
    assert "Not measured: celery with Redis needs a redis-server." in page


@pytest.mark.parametrize(
    ("name", "importable", "server", "obstacle"),
    [
        ("procrastinate", set(), None, "procrastinate isn't installed"),
        ("django-ox", set(), None, "django-ox isn't installed (it needs Python 3.12)"),
        ("celery", {"celery"}, None, "celery with Redis needs a redis-server"),
        ("celery", {"celery"}, "/usr/bin/redis-server", ""),
        ("procrastinate", {"procrastinate"}, None, ""),
    ],
)
def test_a_peer_is_measured_where_it_and_what_it_needs_are_installed(
    monkeypatch, name, importable, server, obstacle
):
    monkeypatch.setattr(shutil, "which", lambda program: server)
    assert catalogue.BY_NAME[name].obstacle(importable) == obstacle


def test_each_peer_has_a_module_that_can_do_what_the_catalogue_says():
    for peer in catalogue.PEERS:
        tree = ast.parse((Path(ROOT) / f"bench/peers/{peer.module}.py").read_text())
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        for node in tree.body:
            if isinstance(node, ast.ImportFrom):
                names |= {found.name for found in node.names}
        wanted = {"enqueue", "enqueue_note", "drain", "finished", "unfinished", "forget"}
        assert wanted <= names, peer.name
        assert ("enqueue_many" in names) == bool(peer.many), peer.name


def test_many_at_once_stand_beside_what_the_driver_has_for_many(written):
    rates = {
        "bare": 100,
        "jobs": 70,
        "bulk": 1000,
        "many": 500,
        "lazy": 600,
        "procrastinate many": 200,
    }
    found = [record("enqueue", subject, per_second=rate) for subject, rate in rates.items()]
    page = written(*found)
    assert row(page, "SQLite", "this queue")[3] == "0.70"
    assert row(page, "SQLite", "this queue, `enqueue_many`")[3] == "0.50"
    assert row(page, "SQLite", "this queue, `enqueue_many(returning=False)`")[3] == "0.60"
    assert row(page, "SQLite", "procrastinate, `batch_defer`")[3] == "0.20"
    assert "nan" not in written(*(one for one in found if one["subject"] not in ("bare", "bulk")))


def test_several_workers_are_shown_by_their_number_and_the_herd_by_its_claims(written):
    page = written(
        *(
            record(
                "workers",
                subject,
                "postgres",
                {"kind": "processes", "number": number},
                per_second=rate * number,
            )
            for subject, rate in (("jobs", 1000), ("procrastinate", 300))
            for number in (1, 2)
        ),
        record("herd", database="postgres", workers=100, claims=[3, 3, 4], others=[0, 0, 0]),
    )
    assert row(page, "processes", "this queue")[2:] == ["1,000", "2,000"]
    assert row(page, "processes", "procrastinate")[2:] == ["300", "600"]
    assert "they send 3 to 4 claims and 0 other statements." in page
    assert row(page, "claims when 100 workers are idle and one job comes")[1] == "3.00 (≤ 5)"


def test_the_steps_to_aws_batch_are_medians_for_each_interval_of_looks(written):
    def steps(seconds: float) -> dict[str, float]:
        return dict.fromkeys(STEPS, seconds)

    page = written(
        *(
            record("on_batch", of={"poll": poll}, settle=30.0, steps=[*map(steps, found)])
            for poll, found in ((1.0, (0.001, 0.002, 0.009)), (10.0, (0.2,)))
        )
    )
    assert row(page, "SQLite", "1 / 30 s")[2:] == ["2.0"] * len(STEPS) + ["12.0", "10.0"]
    assert row(page, "SQLite", "10 / 30 s")[2:] == ["200"] * len(STEPS) + ["1,200", "1,000"]


def test_the_memory_of_an_iterator_is_told_before_and_after(written):
    page = written(
        record("iterator", number=1_000_000, per_second=50_000.0, before=50.2, after=51.4)
    )
    assert row(page, "SQLite", "1,000,000")[2:] == ["50,000", "50", "51"]


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


def test_pick_up_is_told_in_milliseconds_with_its_99th_percentile(written):
    seconds = [0.001 * number for number in range(1, 102)]
    limit = [0.0001 * number for number in range(1, 102)]
    page = written(
        record("pick_up", seconds=seconds), record("pick_up", subject="bare", seconds=limit)
    )
    assert row(page, "SQLite", "this queue")[2:] == ["51.0", "100", "101"]
    assert row(page, "SQLite", "the driver alone")[2:] == ["5.1", "10.0", "10.1"]
    assert row(page, "the driver alone as a worker, median")[1:] == ["5.10 ms"]


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


def test_the_admins_pages_and_actions_are_told_with_their_number_of_jobs(written):
    page = written(
        record(
            "on_call",
            "page",
            of={"what": "errors", "number": 1000},
            ms=[20.4, 30.6, 25],
            statements=4,
        ),
        record(
            "on_call",
            "action",
            of={"what": "retry", "number": 1000},
            asked=0.26,
            done=3.14,
            jobs=1234,
        ),
    )
    assert row(page, "SQLite", "errors")[2:] == ["20 to 31 ms", "4"]
    assert row(page, "SQLite", "retry")[2:] == ["1,234", "0.3 s", "3.1 s"]
    assert "among 1,000 jobs" in page


def test_what_was_not_measured_has_no_section(written):
    page = written(*drained("bare", 10))
    assert "## Drain\n" in page
    for title in ("Depth", "Enqueue", "Pick-up", "Idle", "Start-up", "Slots", "On AWS Batch"):
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


def test_the_committed_pages_are_what_the_committed_figures_make(tmp_path):
    docs = Path(ROOT) / "docs"
    report.write(json.loads((docs / "benchmarks.json").read_text()), tmp_path)
    for name in ("benchmarks.md", "benchmarks-more.md", "benchmarks.svg"):
        assert (docs / name).read_text() == (tmp_path / name).read_text(), name
