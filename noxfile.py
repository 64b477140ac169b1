"""The version lanes: the queue's tests on every supported Python, Django and database.

`make test-lanes` runs them all and writes docs/versions.md; `make test-lanes
LANE="django61 and sqlite"` runs those that match.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

from tests.servers import SERVERS  # noqa: E402

nox.options.default_venv_backend = "uv|venv"  # uv is quicker, where it is installed
nox.options.reuse_venv = "yes"
nox.options.stop_on_first_error = False
DJONGO = ROOT / ".venv-djongo" / "bin" / "python"
#: A lane whose Python isn't on this machine is reported, and not run.
nox.options.error_on_missing_interpreters = False

#: Django's line to the Pythons that it supports, as far as we do.
PYTHONS = {
    "5.2": ("3.10", "3.11", "3.12", "3.13", "3.14"),
    "6.0": ("3.12", "3.13", "3.14"),
    "6.1": ("3.12", "3.13", "3.14"),
}
#: Every Python runs on SQLite. The other databases run on the oldest Python of a line.
#: django-mongodb-backend 6.x asks for more than SecantusDB answers: its lanes need the
#: DocumentDB engine.
LANES = [
    *((python, django, "sqlite") for django, pythons in PYTHONS.items() for python in pythons),
    *((pythons[0], django, "postgres") for django, pythons in PYTHONS.items()),
    ("3.10", "5.2", "mongodb"),
    ("3.12", "6.0", "documentdb"),
    ("3.12", "6.1", "documentdb"),
]
#: Whatever depends on Python or Django: the queue's contract, and the tests of `jobs`.
TESTS = (
    *("tests/conformance", "tests/jobs", "tests/tasks"),
    # Else only on MongoDB.
    *("tests/jobs/test_bases.py", "tests/jobs/test_payloads.py", "tests/jobs/test_settings.py"),
)
#: What a lane chooses by itself, and what no test of these imports.
LEFT_OUT = (
    *("django", "django-mongodb-backend", "secantusdb"),
    *("django-stubs", "djangorestframework-stubs", "mypy", "ruff", "nox", "build", "hatchling"),
    *("schemathesis", "selenium", "axe-core-python", "import-linter"),
)


def _let_pyenv_offer_all_versions() -> None:
    """pyenv's commands `python3.x` answer only for the versions that are chosen."""
    if "PYENV_VERSION" not in os.environ and shutil.which("pyenv"):
        found = subprocess.run(
            ["pyenv", "versions", "--bare"],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
        os.environ["PYENV_VERSION"] = ":".join(found.stdout.split())


_let_pyenv_offer_all_versions()


def source(file: str) -> Path:
    """The short list that a requirements file is compiled from, if there is one."""
    short = (ROOT / file).with_suffix(".in")
    return short if short.exists() else ROOT / file


def pinned(name: str, file: str) -> str:
    """The line of a requirements file that pins `name`."""
    lines = source(file).read_text().splitlines()
    return next(line for line in lines if line.startswith(f"{name}=="))


def requirements(file: str) -> list[str]:
    """The pins of a requirements file and those that it includes, without LEFT_OUT."""
    found = []
    for line in source(file).read_text().splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        if line.startswith("-r "):
            found += requirements(line[3:].strip())
        elif line and re.split(r"[\[=<>~;\s]", line)[0].lower() not in LEFT_OUT:
            found.append(line)
    return found


@nox.session
@nox.parametrize(
    ("python", "django", "database"),
    # Ids of words, because LANE picks lanes by words.
    [nox.param(*lane, id="py{}, django{}, {}".format(*lane).replace(".", "")) for lane in LANES],
)
def tests(session: nox.Session, django: str, database: str) -> None:
    """One lane; its result goes to docs/versions.json and docs/versions.md."""
    if database not in ("sqlite", *SERVERS):
        session.skip(f"These tests have no database {database!r}.")
    # The driver's errors are tested on every database.
    wanted = [f"{name}~={django}.0" for name in ("django", "django-mongodb-backend")]
    if database == "mongodb":
        wanted.append(pinned("secantusdb", "requirements-local.txt"))
    if not django.startswith("5."):
        # Somebody else's tasks, which need Django's own.
        wanted.append(pinned("django-maintenance-tasks", "requirements-documentdb.txt"))
    session.install(
        "--quiet", "--disable-pip-version-check", *wanted, *requirements("requirements-dev.txt")
    )
    if database == "documentdb":
        session.run("python", "-m", "tests.documentdb.chroot")
    workers = ("--numprocesses", os.environ.get("WORKERS", "3"))
    _run(session, "python", database, *TESTS, *workers, *session.posargs)


@nox.session(python=False)
def djongo(session: nox.Session) -> None:
    """djongo in an environment of its own, which `make test-lanes` makes."""
    os.environ.setdefault("LOCALMONGO_PYTHON", sys.executable)
    _run(session, str(DJONGO), "djongo", "-c", "pytest-djongo.ini", *session.posargs)


def _run(session: nox.Session, python: str, database: str, *arguments: str) -> None:
    """The tests in one environment, and their result into the table."""
    report = Path(session.create_tmp()).resolve() / "junit.xml"
    report.unlink(missing_ok=True)
    environment = {"TEST_DATABASE": database, "DATABASE_URL": ""}
    pytest = ("-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}")
    try:
        session.run(python, *pytest, *arguments, env=environment, external=True)
    finally:
        # The result of a part says nothing.
        if report.exists() and not session.posargs:
            record = ("-m", "tests.versions", "record", str(report), database)
            session.run(python, *record, env=environment, external=True)
