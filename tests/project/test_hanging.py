"""A test that hangs is named, and costs no other test its turn."""

from __future__ import annotations

import subprocess
import sys

from tests.processes import ROOT

#: Seconds. The other tests must not take that long, however busy the machine is.
LIMIT = 15
TESTS = """
import threading
import pytest

@pytest.mark.parametrize("number", range(4))
def test_others(number): ...

def test_that_hangs():
    threading.Event().wait()
"""


def test_a_test_that_hangs_is_named_and_the_others_are_run(tmp_path):
    (tmp_path / "test_some.py").write_text(TESTS)
    ours = ("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), "-p", "no:django")
    many = ("-n", "2", "--dist", "worksteal", "-o", f"faulthandler_timeout={LIMIT}", str(tmp_path))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *ours, *many],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    assert "1 failed, 4 passed" in run.stdout
    assert "crashed while running 'test_some.py::test_that_hangs'" in run.stdout
    assert "in test_that_hangs" in run.stderr  # where it hung
