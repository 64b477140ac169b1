""".env.example names every variable that the settings read, and nothing else."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from batchexec.conf import settings as batchexec_options
from jobs.conf import settings as jobs_options
from jobs.conf.options import Options

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / ".env.example"

#: What boto3 reads by itself: nothing of this project names them.
AWS = {
    "AWS_REGION",
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL_BATCH",
}


def documented() -> dict[str, str]:
    """The variables of the example with their defaults."""
    return dict(re.findall(r"^#([A-Z][A-Z0-9_]*)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))


def read_by_settings() -> set[str]:
    """The names in calls such as `env.bool("DEBUG", default=True)`."""
    tree = ast.parse((ROOT / "project" / "settings.py").read_text())
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    return {
        call.args[0].value
        for call in calls
        if isinstance(call.func.value, ast.Name)
        and call.func.value.id == "env"
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }


def variables(options: Options) -> set[str]:
    return {f"{options._name}_{key}" for key in options._options}


def test_every_variable_is_documented_and_every_documented_variable_is_read():
    known = read_by_settings() | variables(jobs_options) | variables(batchexec_options) | AWS
    assert set(documented()) == known


def test_the_settings_are_read_as_this_test_believes():
    assert {"DATABASE_URL", "SECRET_KEY", "DEBUG", "BEHIND_TLS_PROXY"} <= read_by_settings()


def test_a_copy_of_the_example_changes_nothing():
    lines = [line for line in EXAMPLE.read_text().splitlines() if line and not line.startswith("#")]
    assert lines == []


def test_every_variable_has_a_comment_of_one_line_before_it():
    lines = EXAMPLE.read_text().splitlines()
    for number, line in enumerate(lines):
        if re.match("#[A-Z][A-Z0-9_]*=", line):
            assert lines[number - 1].startswith("# "), line
            assert not lines[number - 2].startswith("# "), line


def test_the_environment_file_is_mentioned():
    assert "ENV_FILE" in EXAMPLE.read_text()


@pytest.mark.parametrize(
    "options", [jobs_options, batchexec_options], ids=lambda options: options._name
)
def test_the_documented_defaults_are_the_defaults(options):
    given = options.from_environment(documented())
    for key, option in options._options.items():
        assert option.convert(given.get(key, option.default)) == option.convert(option.default), key


def test_the_whole_example_uncommented_is_accepted(tmp_path):
    env_file = tmp_path / "env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in documented().items()))
    inherited = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    result = subprocess.run(
        [sys.executable, "manage.py", "check", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={**inherited, "ENV_FILE": str(env_file)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
