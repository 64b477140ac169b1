"""Insecure or impossible settings stop the application at its start, with one sentence that says what to do."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.servers import ROOT

KEY = "k5v9-w3r8y2u6i1o4p7a0s5d8f3g6h9j2l4z7x1c"
PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": KEY,
    "ALLOWED_HOSTS": "example.org",
    "DATABASE_URL": "mongodb://db.example.org/app",
    "ENV_FILE": os.devnull,
}


def check(**changes: str) -> subprocess.CompletedProcess[str]:
    environment = {
        name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ
    }
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**environment, **PRODUCTION, **changes},
        capture_output=True,
        text=True,
        check=False,
    )


def test_production_settings_are_accepted():
    result = check()
    assert (result.returncode, result.stdout) == (
        0,
        "System check identified no issues (0 silenced).\n",
    ), result.stderr


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY is missing, short or a development key"),
        ({"SECRET_KEY": "insecure-" + KEY}, "SECRET_KEY is missing, short or a development key"),
        ({"SECRET_KEY": "a" * 50}, "SECRET_KEY is missing, short or a development key"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS is empty"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS is '*'"),
        ({"DEBUG": "true"}, "DEBUG is on while ALLOWED_HOSTS names hosts beyond this machine"),
        ({"DATABASE_URL": ""}, "DATABASE_URL is not set"),
        ({"DATABASE_URL": "oracle://db"}, "DATABASE_URL starts with 'oracle'"),
        ({"JOBS_LEASE": "0.5"}, "JOBS['LEASE'] is 0.5"),
        ({"JOBS_MAX_ATTEMPTS": "many"}, "JOBS['MAX_ATTEMPTS'] is 'many'"),
    ],
)
def test_insecure_or_impossible_settings_are_refused(changes, sentence):
    result = check(**changes)
    assert result.returncode == 1
    # The others are the traceback's.
    lines = [
        line for line in result.stderr.splitlines() if sentence in line and not line.startswith(" ")
    ]
    assert len(lines) == 1, result.stderr
    assert lines[0].endswith(".")
