"""The package `jobs` must be the one that came with this one."""

from __future__ import annotations

from pathlib import Path

import jobs


def require_our_jobs() -> None:
    """Raises ImportError if a project's own folder `jobs` hides django-delayed-batch's.

    Without this, the error would be that some module of `jobs` doesn't exist.
    """
    found = Path(next(iter(jobs.__path__)))
    if found.resolve().parent != Path(__file__).resolve().parent.parent:
        raise ImportError(
            f"The package `jobs` in {found} hides django-delayed-batch's, which has that name: "
            "rename yours, as docs/getting-started.md describes."
        )
