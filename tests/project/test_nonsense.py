"""Whatever is wrong in the environment or on the command line, or missing in the
database, is named by one sentence.
"""

from __future__ import annotations

import os
import runpy
import socket
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError

from jobs.management import failures
from tests.servers import ROOT

#: Refused at once, and still the driver asks for so long. With less time, it may not
#: even have asked, on a busy machine.
AWAY = "mongodb://127.0.0.1:1/x?serverSelectionTimeoutMS=3000"


def manage(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = ("PATH", "HOME", "SYSTEMROOT", "TMPDIR")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env={**environment, "ENV_FILE": os.devnull, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture
def empty(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/empty.sqlite3"


@pytest.mark.parametrize(
    "command",
    [
        ["jobs", "list"],
        ["batchjobs", "list"],
        ["runjob", "1"],
        ["jobworker"],
        ["jobworker", "--processes", "2"],
    ],
    ids=" ".join,
)
def test_a_database_that_isnt_migrated_is_named_at_once(empty, command):
    result = manage(*command, DATABASE_URL=empty, AWS_REGION="us-east-1")
    assert result.returncode == 1, result.stderr
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert "The database isn't migrated (" in line
    assert line.endswith("): run manage.py migrate.")


class ToItsOwn:
    def db_for_write(self, model, **hints):
        return "queue"


def test_the_database_to_be_migrated_is_named_unless_it_is_the_default(settings):
    error = OperationalError("no such table: jobs_job")
    assert failures.of_the_database(error).endswith(": run manage.py migrate.")
    settings.DATABASE_ROUTERS = [ToItsOwn()]
    assert failures.of_the_database(error).endswith(": run manage.py migrate --database queue.")


@pytest.mark.parametrize(
    "command",
    [["jobs", "list"], ["batchjobs", "show", "1"]],
    ids=" ".join,
)
def test_a_database_that_is_away_is_named(command):
    result = manage(*command, DATABASE_URL=AWAY)
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert "The database can't be reached: 127.0.0.1:1: " in line


PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": "k5v9-w3r8y2u6i1o4p7a0s5d8f3g6h9j2l4z7x1c-b8n5m2q9e6t3",
    "ALLOWED_HOSTS": "example.org",
}


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("DEBUG", "maybe", "DEBUG is 'maybe': it takes true or false."),
        ("METRICS", "2", "METRICS is '2': it takes true or false."),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL is 'LOUD': it takes DEBUG, INFO, WARNING, "),
        ("LOG_FORMAT", "xml", "LOG_FORMAT is 'xml': it takes text, json."),
        ("DATABASE_URL", "nonsense", "DATABASE_URL isn't a URL: use mongodb://, "),
        ("DATABASE_URL", "mysql://x/y", "DATABASE_URL starts with 'mysql': use mongodb://, "),
        ("DATABASE_URL", "postgres://h:99999999/x", "DATABASE_URL can't be read."),
        ("DATABASE_URL", "sqlite:////dev/null/x/y", "DATABASE_URL names a file whose folder "),
        ("ENV_FILE", "/nowhere/.env", "ENV_FILE names '/nowhere/.env', and there is no such file."),
        ("SECURE_COOKIES", "maybe", "SECURE_COOKIES is 'maybe': it takes true or false."),
        ("SECURE_SSL_REDIRECT", "2", "SECURE_SSL_REDIRECT is '2': it takes true or false."),
        ("BEHIND_TLS_PROXY", "nginx", "BEHIND_TLS_PROXY is 'nginx': it takes true or false."),
        ("SECURE_HSTS_SECONDS", "a year", "SECURE_HSTS_SECONDS is 'a year': it takes a whole "),
        ("SECURE_HSTS_SECONDS", "-1", "SECURE_HSTS_SECONDS is '-1': it takes a whole number"),
    ],
)
def test_a_variable_that_means_nothing_is_named(empty, monkeypatch, variable, value, sentence):
    variables = {"ENV_FILE": os.devnull, "DATABASE_URL": empty, **PRODUCTION, variable: value}
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    with pytest.raises(ImproperlyConfigured) as caught:
        runpy.run_path(str(ROOT / "project" / "settings.py"))
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_wrong_settings_are_one_line_on_the_terminal(empty):
    result = manage("jobs", "list", DATABASE_URL=empty, LOG_LEVEL="LOUD")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        "The settings are wrong: LOG_LEVEL is 'LOUD': it takes DEBUG, INFO, WARNING, ERROR, "
        "CRITICAL.\n"
    )


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("JOBS_LEESE", "do you mean JOBS_LEASE?"),
        ("BATCHEXEC_JOBQUEUE", "do you mean BATCHEXEC_JOB_QUEUE?"),
    ],
)
def test_a_misspelt_variable_is_named(empty, variable, meant):
    """By a warning: it may be somebody else's."""
    result = manage("check", **{"DATABASE_URL": empty, variable: "5"})
    dictionary = variable.partition("_")[0]
    assert f"{variable} is set, but {dictionary} has no such key: {meant}" in result.stderr
    assert result.returncode == 0


@pytest.mark.parametrize("command", [["runjob", "1"], ["jobworker"]], ids=" ".join)
def test_a_misspelt_variable_is_named_where_jobs_are_performed(empty, command):
    result = manage(*command, DATABASE_URL=empty, JOBS_LEESE="5")
    assert "JOBS_LEESE is set, but JOBS has no such key" in result.stderr


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["jobs", "prune", "--older-than", "-1d"], "'-1d' is not a length of time"),
        (["jobs", "prune", "--older-than=-5"], "'-5' is not a length of time"),
        (["jobs", "check", "--max-age", "-1h"], "'-1h' is not a length of time"),
        (["jobs", "list", "--limit", "-5x"], "'-5x' is not a whole number"),
        (["localmongo", "--port", "99999999"], "'99999999' is not a port"),
        (["localmongo", "--port", "-1"], "'-1' is not a port"),
        (["localmongo", "--port", "x"], "'x' is not a port"),
        (["localbatch", "--port", "99999999"], "'99999999' is not a port"),
        (["localbatch", "--start-delay", "-1"], "start_delay must be 0 seconds or more"),
        (["jobworker", "--sleep-delay", "-1"], "'-1' is not a number of seconds"),
        (["jobworker", "--sleep-delay", "soon"], "'soon'"),
        (["jobworker", "--min-priority", "99999999999"], "'99999999999' is not a priority"),
        (["jobworker", "--max-priority", "high"], "'high' is not a priority"),
        (["jobworker", "--processes", "-1"], "'-1' is not a whole number"),
        (["localmongo", "--data", "/dev/null/x"], "--data /dev/null/x can't be made"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_value_that_makes_no_sense_is_named(command, sentence):
    with pytest.raises(CommandError) as caught:
        call_command(*command)
    assert sentence in str(caught.value)


def test_bounds_that_no_job_is_between_are_refused(empty):
    url = empty
    result = manage("jobworker", "--min-priority", "5", "--max-priority", "1", DATABASE_URL=url)
    assert result.returncode == 1
    assert result.stderr == (
        "CommandError: No priority is at least 5 and at most 1, so no job would ever be taken: "
        "make the minimum priority the smaller one.\n"
    )
    variables = {"JOBS_MIN_PRIORITY": "5", "JOBS_MAX_PRIORITY": "1", "DATABASE_URL": url}
    result = manage("check", **variables)
    assert result.returncode == 1
    assert "(jobs.E008) JOBS['MIN_PRIORITY'] is 5 and JOBS['MAX_PRIORITY'] is 1" in result.stderr


@pytest.mark.parametrize("command", ["localmongo", "localbatch"])
def test_a_port_in_use_is_named(empty, command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = manage(command, "--port", str(port), DATABASE_URL=empty)
    assert result.returncode == 1
    assert (
        f"Port {port} of 127.0.0.1 can't be listened on: Address already in use"
        in (result.stderr.splitlines()[-1])
    )
    assert "Traceback" not in result.stderr


def test_view_site_of_the_admin_leads_to_a_page(client):
    response = client.get("/", follow=True)
    assert response.status_code == 200
    assert response.redirect_chain == [("/docs", 302)]
