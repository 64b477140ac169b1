"""A terminal: what one command exports, the next one has; servers go on in the
background.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.servers import wait_for_port

#: Of the environment that the tests run in; nothing of it is a new user's.
KEPT = ("HOME", "LANG", "LC_ALL", "TMPDIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
#: Seconds. The longest command installs packages.
LONGEST = 600


class Terminal:
    def __init__(self, folder: Path, **environment: str):
        self.folder = folder
        self._state = folder / ".exported"
        self._cwd = folder
        self._servers: list[subprocess.Popen[bytes]] = []
        kept = {
            name: os.environ[name] for name in os.environ if name in KEPT or name.startswith("PIP_")
        }
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self._environment = {**kept, "PATH": path, "PYTHONUNBUFFERED": "1", **environment}

    def run(self, command: str, *, status: int = 0) -> str:
        """What it printed; AssertionError unless it ends with `status`."""
        leave = f"export -p > {self._state}; pwd > {self._state}.cwd"
        done = self._bash(f"set -e\n{command}\n{leave}", timeout=LONGEST)
        if done.returncode == 0:
            self._cwd = Path(Path(f"{self._state}.cwd").read_text().strip())
        assert done.returncode == status, f"$ {command}\n{done.stdout}"
        return done.stdout

    def serve(self, command: str, port: int) -> None:
        """Starts it, and returns once it answers on `port`."""
        log = self.folder / f"server-{port}.log"
        with log.open("ab") as output:
            server = subprocess.Popen(
                ["bash", "-c", f"{self._restore()}\nexec {command}"],
                cwd=self._cwd,
                env=self._environment,
                stdout=output,
                stderr=output,
            )
        self._servers.append(server)
        wait_for_port(port, 120, given_up=lambda: server.poll() is not None, log=log)

    def close(self) -> None:
        for server in self._servers:
            server.terminate()
            server.wait(120)

    def _restore(self) -> str:
        return f". {self._state}" if self._state.exists() else ""

    def _bash(self, script: str, timeout: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", f"{self._restore()}\n{script}"],
            cwd=self._cwd,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )


def server_port(command: str) -> int | None:
    """The port in a command that goes on until it is stopped; None for any other
    command.
    """
    found = re.search(r"manage\.py local(?:batch|mongo)(?: --create)? --port (\d+)$", command)
    return int(found[1]) if found else None
