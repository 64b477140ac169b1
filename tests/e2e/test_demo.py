"""`make demo`, as the README has it: the whole path with real processes."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import stack
from tests.processes import ROOT, wait_for

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
#: In the environment of every process that a test's demo starts, and of no other's.
MARK = "DEMO_OF_THE_TEST"


@pytest.fixture
def alone() -> Iterator[None]:
    """Two demos would share `var/demo`.

    Those of `pytest -n` come one after the other.
    """
    (ROOT / "var").mkdir(exist_ok=True)
    with (ROOT / "var" / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def start(folder: Path) -> subprocess.Popen[bytes]:
    left_out = ("DATABASE_URL", "AWS_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
    environment[MARK] = str(folder)
    with (folder / "output").open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "scripts/demo.py"],
            cwd=ROOT,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
        )


def of_the_demo(folder: Path) -> list[int]:
    """The processes that the demo has started."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        if f"{MARK}={folder}\0".encode() in environment:
            found.append(int(process.name))
    return found


@pytest.mark.usefixtures("alone")
def test_the_demo_ends_well_and_leaves_no_process_behind(tmp_path):
    output = tmp_path / "output"
    assert start(tmp_path).wait(500) == 0, output.read_text()
    text = output.read_text()
    # On a busy machine, the failed job is due again before the other two are done.
    submissions = re.search(r"Submissions +(\d+) for \1 executions\n", text)
    assert submissions, text
    assert len(set(UUID.findall(text))) >= 3
    for part in (
        "Hello AWS Batch!",
        "Traceback (most recent call last)",
        "2,985 posts are new",
    ):
        assert part in text
    wait_for(lambda: not of_the_demo(tmp_path), what="no process of the demo is left")


@pytest.mark.usefixtures("alone")
def test_the_demo_leaves_no_process_behind_when_it_is_interrupted(tmp_path):
    output = tmp_path / "output"
    demo = start(tmp_path)
    text = output.read_text

    def is_working() -> bool:
        assert demo.poll() is None, text()
        return "Working:" in text()

    wait_for(is_working, 400, what="the worker was started")
    assert of_the_demo(tmp_path)
    demo.send_signal(signal.SIGINT)
    assert demo.wait(150) == 130, text()
    wait_for(lambda: not of_the_demo(tmp_path), what="no process of the demo is left")


def test_a_process_that_does_not_end_when_it_is_told_to_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(stack, "GRACE", 0.2)
    deaf = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print(flush=True); signal.pause()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", deaf], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    process.stdout.readline()  # it has begun to ignore the signal
    process.stdout.close()
    started = stack.Stack(tmp_path, {})
    started._processes["deaf"] = process
    started.end("deaf")
    assert process.returncode == -signal.SIGKILL


def test_a_process_that_is_started_when_a_signal_arrives_is_ended_too(tmp_path, monkeypatch):
    popen = subprocess.Popen

    def interrupted(*arguments, **options):
        process = popen(*arguments, **options)
        signal.raise_signal(signal.SIGINT)
        return process

    monkeypatch.setattr(stack.subprocess, "Popen", interrupted)
    started = stack.Stack(tmp_path, {})
    with pytest.raises(KeyboardInterrupt):
        started.start("help", "help", log=False)
    started.end("help")
