"""Which process groups a server started, on disk, so that the next one can end what a killed one left behind."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


def signal_group(pid: int, number: int) -> None:
    """Sends a signal to a process group; one that is gone already is not an error."""
    # macOS answers EPERM for a group of which only a zombie is left.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def identity(pid: int) -> str | None:
    """What tells a living process from another one that had or will have its id; None if it's gone or can't be told."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    state, start_time = fields[0], fields[19]
    return None if state in "ZX" else f"{boot} {start_time}"


class ProcessGroups:
    """A folder with one file per running process group: its name the leader's id, its content the leader's identity."""

    def __init__(self, folder: Path):
        self.folder = folder

    def add(self, pid: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / str(pid)).write_text(identity(pid) or "")

    def remove(self, pid: int) -> None:
        (self.folder / str(pid)).unlink(missing_ok=True)

    def end_leftovers(self, grace: float) -> list[int]:
        """Ends the groups whose leader is provably the process noted: SIGTERM, `grace` seconds, SIGKILL.

        Returns their ids. Others (gone, id used again, or no /proc to prove it by) are forgotten and not touched.
        """
        if not self.folder.exists():
            return []
        noted = {
            int(file.name): file.read_text()
            for file in self.folder.iterdir()
            if file.name.isdigit()
        }
        ours = [pid for pid, was in noted.items() if was and identity(pid) == was]
        for pid in ours:
            signal_group(pid, signal.SIGTERM)
        deadline = time.monotonic() + grace
        while any(identity(pid) == noted[pid] for pid in ours) and time.monotonic() < deadline:
            time.sleep(0.02)
        for pid in ours:
            signal_group(pid, signal.SIGKILL)
        for pid in noted:
            self.remove(pid)
        return ours
