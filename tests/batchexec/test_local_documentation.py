"""Each rule in `docs/localbatch.md` is held by a test, and each such test is there."""

from __future__ import annotations

import re

import pytest
from django.conf import settings

from batchexec.local.causes import CAUSES

PAGE = (settings.BASE_DIR / "docs" / "localbatch.md").read_text()
FOLDER = settings.BASE_DIR / "tests" / "batchexec"
NAMED = re.findall(r"`(test_local_\w+\.py)::(test_\w+)`", PAGE)
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and "test_local_" in line
]


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_the_named_test_exists(file: str, name: str) -> None:
    assert f"def {name}(" in (FOLDER / file).read_text()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_rule_has_a_source(row: list[str]) -> None:
    rule, source, tests = row
    assert rule
    assert re.match(r"(model|AWS|report|ours)\b", source)
    assert re.fullmatch(r"(`test_local_\w+\.py::test_\w+`(, )?)+", tests)


@pytest.mark.parametrize("file", ["test_local_model.py", "test_local_rules.py"])
def test_each_test_of_a_rule_is_named(file: str) -> None:
    defined = set(re.findall(r"^def (test_\w+)\(", (FOLDER / file).read_text(), re.MULTILINE))
    assert defined == {name for named, name in NAMED if named == file}


def test_each_cause_is_on_the_page() -> None:
    assert [cause for cause in CAUSES if f"`{cause}`" not in PAGE] == []
