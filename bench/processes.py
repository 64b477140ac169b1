"""Real processes, measured from outside: what they take from the machine, and how long."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.databases import Database
from tests.servers import ROOT

TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def running(
    database: Database, *arguments: str, python: str = sys.executable, **environment: str
) -> Iterator[int]:
    """`python <arguments>`, or `manage.py <arguments>`, until the end of the block, when it is told to stop; its process id."""
    command = [python, *arguments] if arguments[0] == "-m" else [python, "manage.py", *arguments]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**database.environment, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def timed(command: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Runs it to its end: seconds by the clock and of the processor, and the most memory it had, in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    assert process.stderr is not None
    said = process.stderr.read().decode()
    process.stderr.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{said}")
    return {
        "seconds": seconds,
        "cpu": usage.ru_utime + usage.ru_stime,
        "megabytes": usage.ru_maxrss / 1024,
    }


def memory(pid: int) -> dict[str, float]:
    """In MB: what the process holds (rss), and its share of what it shares with others (pss)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return {
        name.lower(): int(re.search(rf"^{name}:\s+(\d+)", text, re.M)[1]) / 1024
        for name in ("Rss", "Pss")
    }  # type: ignore[index]


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def with_children(pid: int) -> list[int]:
    found = [pid]
    for child in children(pid):
        found += with_children(child)
    return found


def wait_until(condition: Any, seconds: float, pause: float = 0.1) -> float:
    """Seconds until `condition()`; SystemExit after so many."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise SystemExit(f"It took longer than {seconds:g} s.")
        time.sleep(pause)
    return time.monotonic() - began
