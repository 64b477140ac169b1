"""`manage.py` on a terminal: a real one, but for the person before it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.processes import ROOT, environment, wait_for

CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Terminal:
    """A command with a terminal of so many columns and lines."""

    def __init__(self, *arguments: str, columns: int = 80, lines: int = 24, **extra: str):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        env = {**environment(), "TERM": "xterm", **extra}
        for name in ("COLUMNS", "LINES", "NO_COLOR", "DJANGO_COLORS"):
            if name not in extra:
                env.pop(name, None)
        self.popen = subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=env,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._ours = ours
        self._written = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._ours, 65_536)
            except OSError:  # the other end is closed
                return
            if not data:
                return
            self._written += data

    @property
    def written(self) -> str:
        """All that was written, steering included."""
        return self._written.decode(errors="replace").replace("\r\n", "\n")

    @property
    def text(self) -> str:
        return CONTROLS.sub("", self.written)

    def shows(self, text: str, seconds: float = 120) -> None:
        wait_for(lambda: text in self.text, seconds, what=f"{text!r} on the terminal")

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.popen.send_signal(signal.SIGINT)

    def wait(self, seconds: float = 120) -> int:
        """Its exit status, once all is read that it wrote."""
        status = self.popen.wait(seconds)
        self._thread.join(120)
        assert not self._thread.is_alive(), "something of it goes on"
        return status

    def close(self) -> None:
        if self.popen.poll() is None:
            os.killpg(self.popen.pid, signal.SIGKILL)  # else its children keep the terminal
            self.popen.wait(120)
        # The thread would read from whatever gets the same descriptor next.
        self._thread.join(120)
        assert not self._thread.is_alive(), "something of it goes on"
        os.close(self._ours)


@contextmanager
def terminal(*arguments: str, **options: Any) -> Iterator[Terminal]:
    """Ended with the body."""
    found = Terminal(*arguments, **options)
    try:
        yield found
    finally:
        found.close()
