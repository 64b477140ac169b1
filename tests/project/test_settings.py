"""Insecure or impossible settings stop the application at its start, with one sentence
that says what to do.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from project import databases
from tests.servers import ROOT

KEY = "k5v9-w3r8y2u6i1o4p7a0s5d8f3g6h9j2l4z7x1c-b8n5m2q9e6t3"
PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": KEY,
    "ALLOWED_HOSTS": "example.org",
    "DATABASE_URL": "mongodb://db.example.org/app",
    "ENV_FILE": os.devnull,
}


def check(*command: str, **changes: str) -> subprocess.CompletedProcess[str]:
    environment = {
        name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ
    }
    return subprocess.run(
        [sys.executable, "manage.py", *(command or ["check"])],
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


@pytest.mark.parametrize(
    "command", [["check"], ["jobworker"], ["jobworker", "--batch"], ["runjob", "1"]]
)
@pytest.mark.parametrize(
    "changes",
    [
        {"SECRET_KEY": ""},
        {"SECRET_KEY": "insecure-" + KEY},
        {"SECRET_KEY_FALLBACKS": "django-insecure-" + KEY},
        {"JOBS_SIGNING_KEYS": f"{KEY},short"},
    ],
)
def test_a_development_key_is_refused_with_a_database_beyond_this_machine(command, changes):
    without = {"DEBUG": "true", "ALLOWED_HOSTS": "", **changes}
    if not without.get("SECRET_KEY", KEY):
        without["SECRET_KEY"] = (
            "insecure-development-key-never-use-it-where-anybody-else-can-connect"
        )
    result = check(*command, **without)
    assert result.returncode == 1
    assert "names a database beyond this machine" in result.stderr


def test_a_development_key_is_accepted_with_a_database_on_this_machine():
    changes = {"DEBUG": "true", "ALLOWED_HOSTS": "", "SECRET_KEY": "insecure-development"}
    result = check(DATABASE_URL="mongodb://127.0.0.1:1/x", **changes)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:////tmp/somewhere.sqlite3", True),
        ("mongodb://127.0.0.1:27117/x?serverSelectionTimeoutMS=5000", True),
        ("mongodb://user:p%40ss@localhost,[::1]:27018/x?replicaSet=r", True),
        ("mongodb://%2Ftmp%2Fmongodb-27017.sock/x", True),
        ("mongodb://127.0.0.1,db.example.org/x", False),
        ("mongodb://localhost.example.org/x", False),
        ("mongodb://localhost:p@db.example.org", False),
        ("mongodb://db.example.org?x=@localhost", False),
        ("mongodb+srv://localhost/x", False),
        ("djongo+mongodb://127.0.0.1:27017/x", True),
        ("djongo+mongodb://10.0.0.1:27017/x", False),
        ("postgres://u:p@127.0.0.1:5432/x", True),
        ("postgres:///x", True),
        ("postgres:///x?host=/var/run/postgresql", True),
        ("postgres:///x?host=db.example.org", False),
        ("postgres://localhost/x?hostaddr=10.0.0.1", False),
        ("postgres://localhost/x?service=prod", False),
        ("postgres://u:p@db.example.org/x", False),
        ("postgres://0.0.0.0/x", False),
    ],
)
def test_which_databases_are_on_this_machine(url, expected, monkeypatch):
    for name in ("PGHOST", "PGHOSTADDR", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)
    assert databases.is_on_this_machine(url) is expected
    if url == "postgres:///x":
        monkeypatch.setenv("PGHOST", "db.example.org")
        assert databases.is_on_this_machine(url) is False
