"""`manage.py localbatch` as a real process."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from batchexec.local.leftovers import ProcessGroups, identity
from tests.batchexec.local_helpers import Batch
from tests.processes import wait_for
from tests.servers import free_port

MANAGE = [sys.executable, str(settings.BASE_DIR / "manage.py"), "localbatch", "--create"]


class Command:
    """The process, started and ready; `line` is what it said."""

    def __init__(self, *arguments: str):
        self.process = subprocess.Popen(
            [*MANAGE, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # The database is none of its business.
            env={**os.environ, "DATABASE_URL": "mongodb://127.0.0.1:1/none"},
        )
        assert self.process.stdout
        self.line = self.process.stdout.readline().strip()
        self.url = self.line.rpartition("=")[2]

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(120)

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *exception: object) -> None:
        with self.process:  # closes the pipe, and waits
            self.process.kill()


@pytest.fixture
def port() -> Iterator[str]:
    port = free_port()
    yield str(port)
    shutil.rmtree(settings.BASE_DIR / "var" / f"localbatch-{port}", ignore_errors=True)


def start_sleeper(batch: Batch, folder: Path) -> int:
    """The process id of a running job."""
    batch.submit(
        "sh",
        "-c",
        f"echo $$ > {folder}/pid.part; mv {folder}/pid.part {folder}/pid; exec sleep 600",
    )
    wait_for((folder / "pid").exists)
    return int((folder / "pid").read_text())


def lives(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return identity(pid) is not None
    return False


def test_it_serves_until_a_signal_and_ends_its_jobs(port: str, tmp_path: Path) -> None:
    with Command("--port", port, "--start-delay", "0", "--max-running", "1") as command:
        assert (
            command.line
            == f"AWS Batch is served: export AWS_ENDPOINT_URL_BATCH=http://127.0.0.1:{port}"
        )
        batch = Batch(command.url)
        pid = start_sleeper(batch, tmp_path)
        waiting = batch.submit("true")
        assert lives(pid)
        assert batch.status(waiting) != "RUNNING"
        assert command.end(signal.SIGTERM) == 0
        assert not lives(pid)
        assert command.process.stdout
        assert command.process.stdout.read() == ""


def test_after_a_kill_the_next_start_on_the_port_ends_what_was_left(
    port: str, tmp_path: Path
) -> None:
    with Command("--port", port, "--start-delay", "0") as command:
        pid = start_sleeper(Batch(command.url), tmp_path)
        noted = settings.BASE_DIR / "var" / f"localbatch-{port}" / "processes" / str(pid)
        wait_for(lambda: noted.exists() and noted.read_text())
        command.end(signal.SIGKILL)
    assert lives(pid)
    with Command("--port", port) as command:
        assert "Ended 1 processes" in command.line
        assert command.process.stdout
        assert "AWS Batch is served" in command.process.stdout.readline()
        wait_for(lambda: not lives(pid))
        assert command.end(signal.SIGTERM) == 0


def test_a_process_that_only_has_the_same_id_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        groups = ProcessGroups(tmp_path)
        (tmp_path / str(stranger.pid)).write_text("another-boot 12345")
        assert groups.end_leftovers(grace=0.1) == []
        assert lives(stranger.pid)
        assert list(tmp_path.iterdir()) == []
        groups.add(stranger.pid)
        assert groups.end_leftovers(grace=30) == [stranger.pid]


def test_options_reach_the_server(port: str) -> None:
    with Command(
        "--port",
        port,
        "--allow-short-timeouts",
        "--stop-grace",
        "0.1",
        "--fault",
        "ListJobs:429",
        "--echo",
    ) as command:
        batch = Batch(command.url)
        job = batch.submit("echo", "echoed")
        late = batch.submit("sleep", "600", timeout={"attemptDurationSeconds": 1})
        with pytest.raises(batch.client.exceptions.ClientError):
            batch.listed()
        assert batch.finished(job)["status"] == "SUCCEEDED"
        assert batch.finished(late)["statusReason"] == "Job attempt duration exceeded timeout"
        assert (
            settings.BASE_DIR / "var" / f"localbatch-{port}" / f"{job}.log"
        ).read_text() == "echoed\n"
        assert command.end(signal.SIGINT) == 0
        assert command.process.stdout
        assert f"{job[:8]} echoed" in command.process.stdout.read()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fault", "nonsense"], "The fault 'nonsense' is not of the form"),
        (["--max-running", "0"], "At least one container must be allowed to run, not 0."),
        (["--start-delay", "-1"], "start_delay must be 0 seconds or more, not -1.0."),
        (["--forget-after", "nan"], "forget_after must be 0 seconds or more, not nan."),
        (["--lag", "-1"], "A lag is 0 seconds or more, not -1.0."),
        (["--tps", "0"], "At least one call a second must be taken, not 0.0."),
        (["--port", "99999"], "'99999' is not a port: a whole number from 1 to 65535."),
    ],
)
def test_bad_arguments_are_one_clear_error(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=re.escape(message)):
        call_command("localbatch", *arguments)


def test_a_taken_port_is_one_line(port: str) -> None:
    with Command("--port", port) as command:
        done = subprocess.run(
            [*MANAGE, "--port", port], capture_output=True, text=True, timeout=120
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            f"CommandError: Port {port} of 127.0.0.1 can't be listened on: "
            "Address already in use.\n"
        )
        assert command.end(signal.SIGTERM) == 0
