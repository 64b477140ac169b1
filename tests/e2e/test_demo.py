"""`make demo`, as the README has it: the whole path with real processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from scripts import stack
from tests.processes import ROOT, wait_for

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def start(output: Path) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL" and not name.startswith("AWS_")}
    with output.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "scripts/demo.py"], cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT
        )


def of_the_demo() -> list[int]:
    """The processes that a demo has started, by the folder in their command line or environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            seen = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue
        if b"delayed_jobs_demo" in seen or b"var/demo" in seen:
            found.append(int(folder.name))
    return found


def test_the_demo_ends_well_and_leaves_no_process_behind(tmp_path):
    output = tmp_path / "output"
    began = time.monotonic()
    assert start(output).wait(180) == 0, output.read_text()
    assert time.monotonic() - began < 120
    text = output.read_text()
    assert len(set(UUID.findall(text))) == 3
    for part in ("Hello AWS Batch!", "Traceback (most recent call last)", "2,985 posts are new", "3 for 3 executions"):
        assert part in text
    wait_for(lambda: not of_the_demo(), what="no process of the demo is left")


def test_the_demo_leaves_no_process_behind_when_it_is_interrupted(tmp_path):
    output = tmp_path / "output"
    demo = start(output)
    wait_for(lambda: "Working:" in output.read_text(), what="the worker was started")
    demo.send_signal(signal.SIGINT)
    assert demo.wait(60) == 130
    wait_for(lambda: not of_the_demo(), what="no process of the demo is left")


def test_a_process_that_does_not_end_when_it_is_told_to_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(stack, "GRACE", 0.2)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"
    process = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    process.stdout.readline()  # it has begun to ignore the signal
    process.stdout.close()
    started = stack.Stack(tmp_path, {})
    started._processes["deaf"] = process
    started.end("deaf")
    assert process.returncode == -signal.SIGKILL
