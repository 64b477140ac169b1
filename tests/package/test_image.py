"""The Dockerfile's steps as processes: what can be shown without a container engine.

Paths of the image are folders of the test, so nothing is shown of the base image, of
layers and of copying between stages.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.test_packaging import ignored, stages
from tests.servers import ROOT

#: Where the image has what, and the folder of the test that stands for it.
PLACES = ("/opt/venv", "/opt/sbom.json", "/opt/sbom", "/tmp/build.sqlite3")
ENVIRONMENT = {
    "DEBUG": "false",
    "ALLOWED_HOSTS": "jobs.example.com",
    "SECRET_KEY": "".join(chr(ord("a") + n % 26) for n in range(60)),
    "PYTHONDONTWRITEBYTECODE": "1",
}


class Image:
    """The folders of an image, and its steps as shell commands in them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.app = folder / "app"
        self.app.mkdir()
        (folder / "tmp").mkdir()
        (folder / "opt").mkdir()

    @property
    def python(self) -> Path:
        return self.folder / "opt/venv/bin/python"

    def step(self, command: str) -> None:
        """A RUN instruction."""
        for place in PLACES:
            command = re.sub(rf"{place}(?![\w.])", f"{self.folder}{place}", command)
        path = f"{self.folder}/opt/venv/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-ec", command],
            cwd=self.app,
            env={
                **os.environ,
                "PATH": path,
                "DEBUG": "false",
                "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            },
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"

    def copy(self, source: str) -> None:
        """A COPY instruction from the context, less what .dockerignore keeps out."""
        tracked = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", source],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()
        for name in tracked:
            if not ignored(name) and (ROOT / name).is_file():
                (self.app / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, self.app / name)

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """As the image runs it."""
        return subprocess.run(
            [self.python, *arguments],
            cwd=self.app,
            env={
                **ENVIRONMENT,
                "TMPDIR": str(self.folder / "tmp"),
                "DATABASE_URL": f"sqlite:///{self.folder}/tmp/db.sqlite3",
                **environment,
            },
            capture_output=True,
            text=True,
        )


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Built by the steps of the stages that the production image is made of."""
    folder = tmp_path_factory.mktemp("image")
    built = Image(folder)
    found = stages()
    for name in ("packages", "sbom", "code"):
        for word, rest in found[name].instructions:
            if word == "COPY":
                built.copy(rest.split()[0])
            elif word == "RUN":
                built.step(rest)
    shutil.copy(folder / "opt/sbom.json", built.app / "sbom.json")
    return built


def test_the_image_has_no_pip_and_no_tool_that_made_it(image):
    for module in ("pip", "cyclonedx_py", "moto", "secantus", "pytest"):
        assert image.run("-c", f"import {module}").returncode == 1
    assert not list((image.folder / "opt/venv/bin").glob("pip*"))


def test_the_list_of_what_is_in_it_names_what_is_installed(image):
    sbom = json.loads((image.app / "sbom.json").read_text())
    assert sbom["bomFormat"] == "CycloneDX"
    names = {component["name"].lower() for component in sbom["components"]}
    installed = image.run(
        "-c",
        "import importlib.metadata as m; print(*{d.name.lower() for d in m.distributions()})",
    )
    assert names == set(installed.stdout.split())
    assert {"django", "boto3", "psycopg", "gunicorn", "django-mongodb-backend"} <= names
    assert all(component["purl"] for component in sbom["components"])


def test_the_static_files_are_collected_and_everything_is_compiled(image):
    assert (image.app / "staticfiles/staticfiles.json").exists()
    assert list((image.app / "jobs/__pycache__").glob("worker.*.pyc"))


def test_a_job_is_performed_and_nothing_is_written_but_to_tmp(image):
    before = sorted(path for path in image.app.rglob("*"))
    migrated = image.run("manage.py", "migrate", "--noinput")
    assert migrated.returncode == 0, migrated.stderr
    enqueued = image.run(
        "-c",
        "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'project.settings'; "
        "django.setup(); import jobs; from batchexec.doctor.canary import Canary; "
        "print(jobs.enqueue(Canary()).pk)",
    )
    assert enqueued.returncode == 0, enqueued.stderr
    performed = image.run("manage.py", "runjob", enqueued.stdout.strip())
    assert performed.returncode == 0, performed.stderr
    assert sorted(path for path in image.app.rglob("*")) == before
