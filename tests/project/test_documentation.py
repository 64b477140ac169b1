"""Everything that the documentation names exists.

Files, headings, tests, settings, commands and make targets.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from batchexec.conf import settings as batchexec_options
from jobs.conf import settings as jobs_options
from jobs.conf.options import Options

ROOT = Path(__file__).resolve().parents[2]
README, REFERENCE = ROOT / "README.md", ROOT / "docs" / "reference.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "examples/README.md"])
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


each_page = pytest.mark.parametrize("page", PAGES, ids=name)
#: Not what bench/report.py writes.
each_written_page = pytest.mark.parametrize(
    "page", [page for page in PAGES if not page.name.startswith("benchmarks")], ids=name
)


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@cache
def existing_tests() -> set[str]:
    return {
        node.name
        for file in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@each_page
def test_every_relative_link_leads_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@each_page
def test_every_test_that_is_named_exists(page):
    named = set(re.findall(r"`(test_\w+)`", page.read_text()))
    assert named - existing_tests() == set()
    assert len(named) > 20 or page.name not in ("parity.md", "hand-over.md")


def test_every_kind_of_fault_names_the_tests_that_hold_it_and_their_files():
    table = (ROOT / "docs" / "robustness.md").read_text()
    lines = re.findall(r"^\| ([A-Q])\d? \|.*\| (.+) \|$", table, re.MULTILINE)
    assert {letter for letter, _ in lines} == set("ABCDEFGHIJKLMNOPQ")
    for letter, held_by in lines:
        named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", held_by)
        assert len(named) == held_by.count("`") / 2 > 0, letter
        for file, test in named:
            assert f"def {test}(" in (ROOT / "tests" / file).read_text(), (letter, test)


each_app = pytest.mark.parametrize(
    "options", [jobs_options, batchexec_options], ids=lambda options: options._name
)


@each_app
def test_every_setting_is_in_the_reference_under_its_name(options: Options):
    table = REFERENCE.read_text().partition(f"\n| {options._name} |")[2].partition("\n\n")[0]
    first_column = "\n".join(row.split("|")[1] for row in table.splitlines() if "|" in row)
    named = set(re.findall(r"`([A-Z_]+)`", first_column))
    assert named == set(options._options)


@each_page
def test_every_command_of_manage_py_that_is_named_exists(page):
    apps = get_commands()
    for words in re.findall(r"manage\.py ([a-z][a-z_ ]*)", page.read_text()):
        name, *more = words.split()
        assert name in apps, words
        if name in ("jobs", "batchjobs", "batchexec") and more:
            assert more[0] in subcommands(name), words


@pytest.mark.parametrize("name", ["jobs", "batchjobs", "batchexec"])
def test_every_subcommand_is_in_the_reference(name):
    text = REFERENCE.read_text()
    for subcommand in subcommands(name):
        assert f"`{name} {subcommand}" in text


def subcommands(name: str) -> set[str]:
    parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
    return {
        choice
        for action in parser._actions
        if isinstance(action.choices, dict)
        for choice in action.choices
    }


@each_page
def test_every_make_target_that_is_named_exists(page):
    text = page.read_text()
    code = "\n".join(re.findall(r"^    .+$|`[^`\n]+`|`make [a-z-]+", text, re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", code)) <= targets()


def test_the_readme_shows_a_job_the_worker_and_aws_batch_in_its_first_thirty_lines():
    beginning = "\n".join(README.read_text().splitlines()[:30])
    for part in ("(jobs.Performable)", "def perform(", "jobs.enqueue("):
        assert part in beginning
    for command in ("jobworker", "jobworker --batch"):
        assert f"    python manage.py {command} " in beginning


@each_written_page
def test_every_file_of_the_project_that_is_named_exists(page):
    text = FENCE.sub("", page.read_text())
    named = re.findall(
        r"`((?:jobs|batchexec|infra|posts|tests|bench|scripts|project|docs)/[\w./-]+)`", text
    )
    for path in named:
        assert (ROOT / path).exists(), path


@each_written_page
def test_prose_wraps(page):
    code = False
    for line in page.read_text().splitlines():
        code ^= line.lstrip().startswith("```")
        if not code and not line.startswith(("|", "    ", "#", "![")):
            assert len(line) <= 90 or " " not in line.strip(" -"), line


@each_page
def test_nothing_of_one_machine_is_in_it(page):
    assert not re.search(r"/(?:home|root|Users|work)/\w", page.read_text())


@cache
def code_of_checks() -> str:
    folders = ("jobs", "batchexec", "jobs/conf", "batchexec/conf", "jobs/tasks")
    return "".join(path.read_text() for name in folders for path in (ROOT / name).glob("*.py"))


@each_written_page
def test_every_check_that_is_named_exists(page):
    text, code = page.read_text(), code_of_checks()
    for check in re.findall(r"`(?:jobs|batchexec)\.([EW]\d{3})`", text):
        assert f'.{check}"' in code, check
