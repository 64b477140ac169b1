"""Where the development commands keep their files, for this user alone."""

from __future__ import annotations

import sys
from pathlib import Path

from django.conf import settings


def project_folder() -> Path:
    """The folder of `manage.py`.

    It is that of the running command, else the settings' BASE_DIR if they have one. A
    project without `manage.py` has its files in the current folder.
    """
    candidates = [Path(sys.argv[0]).resolve().parent]
    if base := getattr(settings, "BASE_DIR", None):
        candidates.append(Path(base))
    return next((path for path in candidates if (path / "manage.py").exists()), Path.cwd())


def make_private(folder: Path) -> None:
    """Makes `folder` and the missing folders above it, which nobody else may open."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
