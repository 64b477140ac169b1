from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.package.terminal import Terminal
from tests.servers import ROOT


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, as a release would build it."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def terminal(
    wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Terminal]]:
    """Makes terminals in which pip finds this wheel under the package's name."""
    opened = []

    def make() -> Terminal:
        folder = tmp_path_factory.mktemp("user")
        constraint = folder / "constraints.txt"
        constraint.write_text(f"django-delayed-batch=={wheel.name.split('-')[1]}\n")
        places = f"{os.environ.get('PIP_FIND_LINKS', '')} {wheel.parent}"
        pip = {"PIP_CONSTRAINT": str(constraint), "PIP_FIND_LINKS": places, "PIP_QUIET": "1"}
        opened.append(Terminal(folder, **pip, PIP_DISABLE_PIP_VERSION_CHECK="1"))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture(scope="session")
def bare(terminal: Callable[[], Terminal]) -> Path:
    """An environment with Django and the package, and none of its extras."""
    shell = terminal()
    shell.run("python3 -m venv venv && venv/bin/pip install django-delayed-batch")
    return shell.folder / "venv"
