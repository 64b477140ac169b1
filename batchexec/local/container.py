"""Runs a container as a process group of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from batchexec.local.leftovers import ProcessGroups, signal_group
from jobs.folders import make_private

# A task on AWS is told its region. Its credentials are its role's, and its endpoints
# AWS's own.
KEPT_AWS_VARIABLES = {"AWS_REGION", "AWS_DEFAULT_REGION"}


def base_environment() -> dict[str, str]:
    """This process's environment without its AWS variables.

    A container needs the database, not our credentials.
    """
    return {
        name: value
        for name in list(os.environ)
        if not name.startswith("AWS_") or name in KEPT_AWS_VARIABLES
        # Another thread may take a variable away meanwhile.
        if (value := os.environ.get(name)) is not None
    }


class Container:
    """A command in a session of its own, whose output is appended to `log`.

    Raises OSError or ValueError if the command can't be executed.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        log: Path,
        groups: ProcessGroups,
    ):
        if not command:
            raise ValueError("no command specified")
        if command[0] == "python":
            command = [sys.executable, *command[1:]]
        make_private(log.parent)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**base_environment(), **environment},
                start_new_session=True,
            )
        self._groups = groups
        groups.add(self._process.pid)

    def wait(self) -> int:
        """Blocks until the command ends, then ends whatever it left running.

        Returns its exit code, or 128 + n if signal n killed it.
        """
        process = self._process
        if hasattr(os, "waitid"):
            # The process isn't reaped yet, so the signal below can't reach another
            # group that got the same id.
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        else:
            process.wait()
        signal_group(process.pid, signal.SIGKILL)
        code = process.wait()
        self._groups.remove(process.pid)
        return code if code >= 0 else 128 - code

    def signal(self, number: int) -> None:
        """Tells the first process only, as AWS does. SIGKILL ends all of them."""
        if self._process.returncode is not None:
            return
        if number == signal.SIGKILL:
            signal_group(self._process.pid, number)
        else:
            # Popen's own would reap a process that has ended, which `wait` is to do.
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)
