"""What the wheel contains, and what its metadata says."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

import jobs
from tests.servers import ROOT


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_it_holds_both_packages_whole_the_templates_and_nothing_else(names: set[str]) -> None:
    sources = {
        str(path.relative_to(ROOT))
        for package in ("jobs", "batchexec")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    templates = {f"batchexec/infra/{path.name}" for path in (ROOT / "infra").iterdir()}
    assert {name for name in names if ".dist-info/" not in name} == sources | templates


@pytest.mark.parametrize(
    "name",
    [
        "jobs/py.typed",
        "batchexec/py.typed",
        "jobs/migrations/0001_initial.py",
        "batchexec/migrations/0001_initial.py",
        "jobs/mongodb/migrations/auth/0001_initial.py",
        "jobs/management/commands/localmongo.py",
        "batchexec/management/commands/localbatch.py",
        "batchexec/infra/batch.yaml",
        "jobs/templates/admin/jobs/pagination.html",
    ],
)
def test_what_a_foreign_project_needs_is_in_it(names: set[str], name: str) -> None:
    assert name in names


def test_the_templates_are_found_where_nothing_but_the_wheel_is(
    wheel: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = "from batchexec.deploying import templates as t; print(*map(t.parameters, t.STACKS))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, "WorkerCount" in done.stdout) == (0, True), done.stderr


def test_name_version_and_licence(metadata: Message) -> None:
    assert metadata["Name"] == "django-delayed-batch"
    assert metadata["Version"] == jobs.__version__
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata["Requires-Python"] == ">=3.10"
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    urls = {entry.partition(",")[0] for entry in metadata.get_all("Project-URL", [])}
    assert urls == {"Changelog", "Documentation", "Issues", "Source"}


def test_django_alone_is_required_and_the_rest_are_extras(metadata: Message) -> None:
    required = metadata.get_all("Requires-Dist", [])
    assert [line for line in required if "extra ==" not in line] == ["django>=5.2"]
    assert set(metadata.get_all("Provides-Extra", [])) == {
        *("batch", "import", "local", "metrics", "mongodb", "otel", "postgres", "tasks")
    }
    packages = {re.split(r"[\[=<>;\s]", line)[0]: line for line in required}
    assert {"boto3", "django-mongodb-backend", "psycopg", "moto", "secantusdb"} <= set(packages)


def test_pytest_finds_the_fixtures(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith("/entry_points.txt"))
        declared = archive.read(name).decode()
        held = archive.namelist()
    found = dict(re.findall(r"^(\w+) = ([\w.]+)$", declared.partition("[pytest11]")[2], re.M))
    assert found == {"jobs": "jobs.pytest_plugin", "batchexec": "batchexec.pytest_plugin"}
    assert {f"{module.replace('.', '/')}.py" for module in found.values()} <= set(held)
