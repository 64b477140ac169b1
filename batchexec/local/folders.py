"""Folders for this user alone: logs hold what jobs print."""

from pathlib import Path


def make_private(folder: Path) -> None:
    """Makes `folder` and the missing folders above it, which nobody else may open."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
