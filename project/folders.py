"""Folders for this user alone: they hold databases, logs, and what jobs print."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def make_private(folder: Path) -> None:
    """Makes `folder` and the missing folders above it, which nobody else may open."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)


def keep_private(folder: Path) -> None:
    """The same, and a folder that is there already is closed to others.

    Where the files are read-only or another user's, it does nothing.
    """
    with suppress(OSError):
        make_private(folder)
        folder.chmod(0o700)
