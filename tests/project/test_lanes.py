"""No test is in no lane: `make test-all` runs all, and `make test` nearly all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import lanes
from tests.servers import SERVERS

MAKEFILE = lanes.ROOT.parent / "Makefile"
FILES = sorted(path.relative_to(lanes.ROOT) for path in lanes.ROOT.rglob("test_*.py"))
#: Has a target of its own, because its engine needs root and Debian.
ELSEWHERE = "documentdb"
#: Whole files that take too long for `make test`.
LEFT_OUT = (
    "batchexec/test_deploy_again.py",
    "batchexec/test_deploy_allowed.py",
    "batchexec/test_deploy_destroy.py",
    "batchexec/test_deploy_failing.py",
    "batchexec/test_deploy_order.py",
    "batchexec/test_deploy_unreadable.py",
    "batchexec/test_deploy_values.py",
    "batchexec/test_doctor_canary.py",
    "batchexec/test_doctor_garbage.py",
    "batchexec/test_job_logs.py",
    "batchexec/test_late_words.py",
    "batchexec/test_slow_objects.py",
    "e2e/test_many.py",
    "e2e/test_overview.py",
    "e2e/test_pictures.py",
    "faults/test_one_file.py",
    "fuzz/test_api.py",
    "jobs/test_locked_tables.py",
    "project/test_hanging.py",
    "project/test_types.py",
)


def lanes_of(target: str) -> set[str]:
    """The databases, and `package`, of the lanes that a target of the Makefile runs."""
    (recipe,) = re.findall(rf"^{target}:.*\n\t(.*)$", MAKEFILE.read_text(), re.MULTILINE)
    return set(re.findall(r"test-(\w+)", recipe))


def collected(path: Path, lane: str, monkeypatch: pytest.MonkeyPatch, *, short: bool) -> bool:
    named = [lanes.BY_NAME] if lane == "package" else []
    monkeypatch.setattr(lanes, "SHORT", short)
    monkeypatch.setenv("TEST_DATABASE", "sqlite" if lane == "package" else lane)
    return not lanes.is_left_out(lanes.ROOT / path, named)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_file_is_in_a_lane_of_make_test_all(path, monkeypatch):
    # djongo's lane has a list of its own, which leaves out most.
    here = lanes_of("test-all") - {"djongo"}
    assert here == {"mongodb", "sqlite", "postgres", "package"}
    if path.parts[0] == ELSEWHERE:
        here = {ELSEWHERE}
    assert any(collected(path, lane, monkeypatch, short=False) for lane in here)


def test_make_test_leaves_out_the_stand_ins_the_wheel_and_what_takes_long(monkeypatch):
    here = lanes_of("test")
    assert here == {"mongodb", "sqlite"}
    left_out = {
        path
        for path in FILES
        if not any(collected(path, lane, monkeypatch, short=True) for lane in here)
    }
    assert left_out == {
        path
        for path in FILES
        if path.match("batchexec/test_local_*.py")
        or path.parts[0] in (ELSEWHERE, "package")
        or str(path) in LEFT_OUT
    }


def test_a_short_run_has_nothing_that_a_full_one_has_not(monkeypatch):
    for path in FILES:
        for lane in lanes_of("test"):
            if collected(path, lane, monkeypatch, short=True):
                assert any(
                    collected(path, other, monkeypatch, short=False) for other in ("mongodb", lane)
                ), path


def test_every_rule_names_tests_and_databases_that_there_are():
    for rule in lanes.RULES:
        for word in re.findall(r"\w+", rule.some):
            assert word in (lanes.ROOT / rule.tests).read_text(), word
        assert set(f"{rule.all} {rule.short}".split()) <= {*SERVERS, "sqlite"}, rule
    for file, repetitions in lanes.REPETITIONS.items():
        for name in re.findall(r"test_\w+", repetitions):
            assert name in (lanes.ROOT / file).read_text(), name
    for tests in (*(rule.tests for rule in lanes.RULES), lanes.LONGEST):
        for part in tests.split():
            assert part == "." or list(lanes.ROOT.glob(part)), part
