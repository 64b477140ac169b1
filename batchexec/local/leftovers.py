"""Remembers on disk which process groups a server started.

If the server is killed, the next one ends what it left behind.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from jobs.folders import make_private

PROC = Path("/proc")


def signal_group(pid: int, number: int) -> None:
    """Sends a signal to a process group. A group that is gone isn't an error."""
    # macOS answers EPERM if only a zombie of the group is left.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def identity(pid: int) -> str | None:
    """Tells a living process from earlier and later ones with the same id.

    None if the process is gone, or if there is no /proc to tell by.
    """
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    state, start_time = fields[0], fields[19]
    return None if state in "ZX" else f"{boot} {start_time}"


class ProcessGroups:
    """A folder with one file for each running process group.

    The file's name is the leader's process id, its content the leader's identity.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def add(self, pid: int) -> None:
        make_private(self.folder)
        (self.folder / str(pid)).write_text(identity(pid) or "")

    def remove(self, pid: int) -> None:
        (self.folder / str(pid)).unlink(missing_ok=True)

    def end_leftovers(self, grace: float) -> list[int]:
        """Ends the groups that a killed server left: SIGTERM, `grace` seconds, SIGKILL.

        Only a group whose leader is provably the noted process is ended. All others
        (the leader is gone, its id was used again, or there is no /proc to tell) are
        forgotten and not touched. Returns the ids of the ended groups.
        """
        if not self.folder.exists():
            return []
        files = [file for file in self.folder.iterdir() if file.name.isdigit()]
        noted = {int(file.name): file.read_text() for file in files}
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
