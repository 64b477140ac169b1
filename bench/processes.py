"""Measures processes from outside: how long they take, and what of the machine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.databases import Database
from tests.servers import ROOT

TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def running(
    database: Database, *arguments: str, python: str = sys.executable, **environment: str
) -> Iterator[int]:
    """Runs `manage.py <arguments>` during the block, and yields its process id.

    Arguments that begin with `-m` are Python's own. At the end of the block the process
    is told to stop.
    """
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
    """Runs a command to its end.

    Returns its `seconds` by the clock, its `cpu` seconds, and the most memory it had in
    `megabytes`. Raises SystemExit with its output if it fails.
    """
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
    """The memory of a process in MB: `rss`, and `pss`.

    `rss` is all that the process holds, `pss` counts its share of shared memory only.
    """
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kilobytes = dict(re.findall(r"^(Rss|Pss):\s+(\d+)", text, re.MULTILINE))
    return {name.lower(): int(size) / 1024 for name, size in kilobytes.items()}


def cpu_seconds(pid: int) -> float:
    """What the process has used of the processor until now."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def descriptors(pid: int) -> int:
    """How many files and connections the process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def with_children(pid: int) -> list[int]:
    found = [pid]
    for child in children(pid):
        found += with_children(child)
    return found


def wait_until(condition: Callable[[], object], seconds: float, pause: float = 0.1) -> float:
    """Waits until `condition()` is true, and returns how many seconds that took.

    Raises SystemExit if it takes longer than `seconds`.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise SystemExit(f"It took longer than {seconds:g} s.")
        time.sleep(pause)
    return time.monotonic() - began
