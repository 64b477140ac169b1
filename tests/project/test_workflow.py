"""The workflow runs what `.ci/run` runs, on each version of Python that we support."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tests():
    return yaml.safe_load((ROOT / ".github/workflows/tests.yaml").read_text())["jobs"]["tests"]


def test_every_supported_python_runs_what_ci_runs(tests):
    assert tests["strategy"]["matrix"]["python"] == ["3.10", "3.11", "3.12", "3.13"]
    [step] = [step for step in tests["steps"] if step.get("run") == ".ci/run"]
    assert step["env"] == {"PYTHON": "python${{ matrix.python }}"}


def test_the_oldest_python_is_the_one_that_the_project_requires(tests):
    oldest = tests["strategy"]["matrix"]["python"][0]
    assert f'requires-python = ">={oldest}"' in (ROOT / "pyproject.toml").read_text()


def test_the_steps_run_where_ci_can_install_what_it_needs(tests):
    assert tests["container"]["image"] == "python:${{ matrix.python }}-bookworm"
    assert "apt-get install" in (ROOT / ".ci/run").read_text()


def test_every_action_is_pinned_to_a_major_version(tests):
    actions = [step["uses"] for step in tests["steps"] if "uses" in step]
    assert actions
    for action in actions:
        assert re.fullmatch(r"[\w/-]+@v\d+", action)


def test_the_hooks_run_the_tools_of_the_environment_and_fetch_nothing():
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    for hook in repositories[0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].startswith(".venv/bin/")
