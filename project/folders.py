"""Folders for this user alone: they hold databases, logs, and what jobs print."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from jobs.folders import make_private


def keep_private(folder: Path) -> None:
    """The same, and a folder that is there already is closed to others.

    Where the files are read-only or another user's, it does nothing.
    """
    with suppress(OSError):
        make_private(folder)
        folder.chmod(0o700)
