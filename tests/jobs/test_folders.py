"""Where the development commands keep their files in a project that isn't like ours."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from jobs.folders import project_folder


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, in which no manage.py is running."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["django-admin"])
    return tmp_path


def test_a_project_needs_no_base_dir(elsewhere: Path, settings: Any) -> None:
    del settings.BASE_DIR
    assert project_folder() == elsewhere


def test_a_base_dir_without_manage_py_is_not_the_projects_folder(
    elsewhere: Path, settings: Any
) -> None:
    settings.BASE_DIR = elsewhere / "shop"
    assert project_folder() == elsewhere


def test_the_manage_py_that_is_running_comes_first(
    elsewhere: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere / "manage.py").touch()
    monkeypatch.setattr(sys, "argv", [str(elsewhere / "manage.py"), "localbatch"])
    monkeypatch.chdir("/")
    assert elsewhere != settings.BASE_DIR
    assert project_folder() == elsewhere
