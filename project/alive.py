"""`python -m project.alive`: the image's HEALTHCHECK, for whatever the container runs.

The web server must answer, a worker must show signs of life, and anything else (a job,
a migration) is alive as long as it runs. Exit status: 0 or 1.
"""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Sequence
from pathlib import Path

#: Seconds in which the web server must answer.
PATIENCE = 4
#: What the container was started with, behind an init or not.
FIRST = Path("/proc/1/cmdline")


def main(first: Path = FIRST) -> int:
    words = first.read_bytes().decode(errors="replace").split("\0")
    if "jobworker" in words:
        return _worker()
    if any(os.path.basename(word) == "gunicorn" for word in words):
        return _web()
    return 0


def _worker() -> int:
    """Of this container's worker; with Django's start, so it replaces this process."""
    check: Sequence[str] = ("manage.py", "jobs", "workers", "--check")
    os.execv(sys.executable, [sys.executable, *check])  # noqa: S606


def _web() -> int:
    # The headers let the request pass ALLOWED_HOSTS and SECURE_SSL_REDIRECT.
    host = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0].strip().lstrip(".")
    web = http.client.HTTPConnection(
        "127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=PATIENCE
    )
    try:
        web.request("GET", "/healthz", headers={"Host": host, "X-Forwarded-Proto": "https"})
        status = web.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        print(f"The web server doesn't answer: {error}", file=sys.stderr)  # noqa: T201
        return 1
    if status != 200:
        print(f"/healthz answers {status}.", file=sys.stderr)  # noqa: T201
    return int(status != 200)


if __name__ == "__main__":
    sys.exit(main())
