"""The database of this application while DATABASE_URL is unset."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from jobs.databases import LOCAL_MONGO_PORT

LOCAL_MONGO_URL = (
    f"mongodb://127.0.0.1:{LOCAL_MONGO_PORT}/delayed_jobs?serverSelectionTimeoutMS=5000"
)


def embedded_url(base_dir: Path) -> str:
    """SecantusDB's, or SQLite's where SecantusDB has no wheel."""
    if importlib.util.find_spec("secantus"):
        return LOCAL_MONGO_URL
    print(  # noqa: T201
        "SecantusDB isn't installed here: using SQLite in var/ as the embedded database.",
        file=sys.stderr,
    )
    return f"sqlite:///{base_dir / 'var' / 'db.sqlite3'}"
