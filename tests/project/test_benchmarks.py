"""The benchmarks are run by `make bench`, never by a test; that what is published is what was measured is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import report
from tests.processes import ROOT

DOCS = ROOT / "docs"
FOUND = json.loads((DOCS / "benchmarks.json").read_text())


def test_the_documentation_is_made_of_the_raw_figures_beside_it(tmp_path):
    report.write(FOUND, tmp_path)
    for name in ("benchmarks.md", "benchmarks.svg"):
        assert (tmp_path / name).read_text() == (DOCS / name).read_text(), name
    ElementTree.parse(tmp_path / "benchmarks.svg")


@pytest.mark.parametrize("suite", ["drain", "enqueue", "depth", "pick_up", "idle", "start_up", "slots"])
@pytest.mark.parametrize("database", ["sqlite", "postgres", "mongodb"])
def test_every_database_was_measured(suite, database):
    measured = [one for one in FOUND["records"] if (one["suite"], one["database"]) == (suite, database)]
    assert any(one["subject"] == "jobs" for one in measured)


def test_nothing_was_submitted_twice():
    slots = [one["figures"] for one in FOUND["records"] if one["suite"] == "slots"]
    assert [figures[how]["submissions"] for figures in slots for how in ("term", "kill")] == [0] * 2 * len(slots)


def test_an_unknown_suite_is_named():
    command = [sys.executable, "-m", "bench", "--only", "drain,nothing"]
    done = subprocess.run(command, cwd=Path(ROOT), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "nothing: there are drain, enqueue" in done.stderr
