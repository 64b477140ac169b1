"""docs/versions.md says what the lanes ran, and nothing else."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import django
import pytest

from tests.versions import page, results


def result(**changes: object) -> results.Result:
    same = {"python": "3.12.1", "django": "6.1.3", "database": "sqlite", "driver": ""}
    return {**same, "passed": 9, "failed": 0, "skipped": 1, "on": "2026-01-01", **changes}


def test_the_page_is_made_of_the_results() -> None:
    assert (
        page.PAGE.read_text().partition(page.MARK)[2].strip() == page.table(results.load()).strip()
    )


def test_a_lane_is_counted_by_this_interpreter_and_what_it_has(tmp_path: Path) -> None:
    suite = ET.Element("testsuite", tests="10", failures="1", errors="2", skipped="3")
    report = tmp_path / "junit.xml"
    ET.ElementTree(suite).write(report)
    found = results.of_this_environment(report, "sqlite")
    assert (found["passed"], found["failed"], found["skipped"]) == (4, 3, 3)
    assert found["django"] == django.get_version()
    assert results.line_of(found["python"]) == sys.version_info[:2]


def test_a_lanes_last_run_replaces_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "FILE", tmp_path / "versions.json")
    results.record(result(failed=3))
    results.record(result(python="3.13.0"))
    results.record(result(django="6.1.4"))
    kept = json.loads(results.FILE.read_text())
    assert [(one["python"], one["django"], one["failed"]) for one in kept] == [
        ("3.12.1", "6.1.4", 0),
        ("3.13.0", "6.1.3", 0),
    ]


def test_what_failed_and_what_was_not_run_can_be_seen() -> None:
    table = page.table([result(failed=2), result(python="3.13.0", django="5.2.1")])
    assert table.splitlines() == [
        "| database | Django | Python 3.12 | Python 3.13 |",
        "|---|---|---|---|",
        "| SQLite | 5.2.1 |  | 9 passed |",
        "| SQLite | 6.1.3 | 9 passed, **2 failed** |  |",
    ]
