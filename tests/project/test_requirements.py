"""What is installed is pinned with hashes, and every licence is in one table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from scripts import licences

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted([*ROOT.glob("requirements*.in"), *ROOT.glob("bench/requirements*.in")])

each_file = pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.name)


def lines(file: Path, *, included: bool = True) -> list[str]:
    """The lines of a .in file without comments; with those of the files that it
    includes.
    """
    found = []
    for line in file.read_text().splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        if line.startswith("-r "):
            found += lines(ROOT / line[3:].strip()) if included else []
        elif line:
            found.append(line)
    return sorted(set(found))


def compiled(file: Path) -> dict[str, set[str]]:
    """The packages of the compiled file, with their versions: another Python may take
    another one.
    """
    found: dict[str, set[str]] = {}
    for name, version in re.findall(
        r"^([\w.-]+)(?:\[.*\])?==(\S+)", file.with_suffix(".txt").read_text(), re.MULTILINE
    ):
        found.setdefault(licences.normal(name), set()).add(version)
    return found


@each_file
def test_every_line_is_pinned(file):
    for line in lines(file, included=False):
        assert re.fullmatch(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[A-Za-z0-9.]+(\s*;.+)?", line), line


@each_file
def test_nothing_is_named_twice(file):
    names = [licences.normal(re.split(r"[\[=<>~;\s]", line)[0]) for line in lines(file)]
    assert names == sorted(set(names), key=names.index)


@each_file
def test_what_is_compiled_is_what_its_source_says(file):
    found = compiled(file)
    for line in lines(file):
        name, version = re.match(r"([\w.-]+)(?:\[.*?\])?==([^\s;]+)", line).groups()
        assert found[licences.normal(name)] == {version}, f"{line}: run `make requirements`"


@each_file
def test_every_package_has_hashes_and_comes_from_no_address(file):
    text = re.sub(r"^\s*#.*\n", "", file.with_suffix(".txt").read_text(), flags=re.MULTILINE)
    packages = re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]
    assert len(packages) >= len(lines(file))
    for package in packages:
        assert re.match(r"[\w.-]+(\[[\w,]+\])?==[\w.]+ ", package), package
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", package), package
    assert "://" not in text
    assert "-index" not in text


def test_the_application_has_the_same_versions_everywhere():
    dev = compiled(ROOT / "requirements-dev.in")
    for name in ("requirements.in", "requirements-postgres.in", "requirements-local.in"):
        for package, versions in compiled(ROOT / name).items():
            assert versions <= dev[package], package


def test_every_dependency_has_its_licence_in_the_table():
    rows = dict(re.findall(r"^\| ([\w.-]+) \| ([^|]+) \|", licences.PAGE.read_text(), re.MULTILINE))
    wanted = {name for file in licences.FILES for name in licences.named(ROOT / file)}
    assert set(rows) - {"package"} == wanted, "run `make licences`"
    assert rows["secantusdb"].startswith("GPL-2.0")
    assert rows["psycopg"] == "LGPL-3.0-only"
    assert rows["djongo"].startswith("AGPL-3.0")


def test_the_image_has_no_package_under_the_gpl():
    for line in licences.PAGE.read_text().splitlines():
        if line.endswith("| yes |"):
            assert not re.search(r"\bA?GPL", line), line


def test_a_licence_that_is_not_known_is_an_error():
    with pytest.raises(ValueError, match=r"The licence of \w+ .* isn't known"):
        licences.page({})


def test_ci_fails_on_a_known_vulnerability():
    workflow = yaml.safe_load((ROOT / ".github/workflows/audit.yaml").read_text())
    [job] = workflow["jobs"].values()
    command = "\n".join(step.get("run", "") for step in job["steps"])
    for name in ("requirements-dev.txt", "requirements-postgres.txt"):
        assert name in command
    assert "pip-audit" in command
    assert "|| true" not in command
    assert not any(step.get("continue-on-error") for step in job["steps"])


def test_secantusdb_still_has_the_number_that_localmongo_lowers():
    transactions = pytest.importorskip("secantus.transactions")
    assert transactions._RETRYABLE_RECORD_MAX == 10_000
