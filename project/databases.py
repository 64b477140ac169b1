"""The database of this application, and whether only this machine can reach it."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import sys
from pathlib import Path
from urllib.parse import unquote

from jobs.databases import LOCAL_MONGO_PORT, parse

LOCAL_MONGO = f"127.0.0.1:{LOCAL_MONGO_PORT}"
LOCAL_MONGO_URL = f"mongodb://{LOCAL_MONGO}/delayed_jobs?serverSelectionTimeoutMS=5000"


def embedded_url(base_dir: Path) -> str:
    """SecantusDB's, or SQLite's where SecantusDB has no wheel."""
    if importlib.util.find_spec("secantus"):
        return LOCAL_MONGO_URL
    print(  # noqa: T201
        "SecantusDB isn't installed here: using SQLite in var/ as the embedded database.",
        file=sys.stderr,
    )
    return f"sqlite:///{base_dir / 'var' / 'db.sqlite3'}"


def is_on_this_machine(url: str) -> bool:
    """Whether only this machine can reach the database.

    So it is if that is a file, a socket, or on loopback addresses alone.
    """
    if url.startswith("sqlite:"):
        return True
    if url.startswith(("postgres:", "postgresql:")):
        entry = parse(url)
        options = entry.get("OPTIONS", {})
        if options.get("service") or os.environ.get("PGSERVICE"):
            return False
        named = (
            options.get("hostaddr")
            or os.environ.get("PGHOSTADDR")
            or entry.get("HOST")
            or options.get("host")
        )
        hosts = (named or os.environ.get("PGHOST") or "").split(",")
        return all(host == "" or _is_loopback(unquote(host)) for host in hosts)
    if url.startswith("mongodb+srv:"):
        return False  # names in the DNS
    netloc = url.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]
    return all(_is_loopback(unquote(_without_port(host))) for host in netloc.split(","))


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_loopback(host: str) -> bool:
    if host.startswith("/") or host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
