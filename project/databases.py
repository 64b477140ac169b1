"""DATABASE_URL to Django's DATABASES entry."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

#: Where `manage.py localmongo` listens unless told otherwise.
LOCAL_MONGO_PORT = 27117
LOCAL_MONGO_URL = f"mongodb://127.0.0.1:{LOCAL_MONGO_PORT}/delayed_jobs?serverSelectionTimeoutMS=5000"


def embedded_url(base_dir: Path) -> str:
    """The database used while DATABASE_URL is unset: SecantusDB, or SQLite where that has no wheel."""
    if importlib.util.find_spec("secantus"):
        return LOCAL_MONGO_URL
    print("SecantusDB isn't installed here: using SQLite in var/ as the embedded database.", file=sys.stderr)  # noqa: T201
    return f"sqlite:///{base_dir / 'var' / 'db.sqlite3'}"


def parse(url: str) -> dict[str, Any]:
    """Returns the DATABASES entry for `url`; ImproperlyConfigured where it isn't one we know."""
    scheme = url.partition(":")[0]
    if scheme in ("mongodb", "mongodb+srv"):
        return _mongodb(url)
    if scheme == "djongo+mongodb":
        return _djongo(url)
    if scheme == "sqlite":
        return _sqlite(url)
    if scheme in ("postgres", "postgresql"):
        return _postgres(url)
    raise ImproperlyConfigured(
        f"DATABASE_URL starts with {scheme!r}: use mongodb://, mongodb+srv://, postgres://, sqlite:/// or djongo+mongodb://."
    )


def is_on_this_machine(url: str) -> bool:
    """Whether only this machine can reach the database: a file, a socket, or loopback addresses alone."""
    entry = parse(url)
    if url.startswith("sqlite:"):
        return True
    if url.startswith(("postgres:", "postgresql:")):
        options = entry.get("OPTIONS", {})
        if options.get("service") or os.environ.get("PGSERVICE"):
            return False
        named = options.get("hostaddr") or os.environ.get("PGHOSTADDR") or entry.get("HOST") or options.get("host")
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


def _mongodb(url: str) -> dict[str, Any]:
    try:
        name = unquote(urlsplit(url).path.lstrip("/"))
    except ValueError as error:
        raise ImproperlyConfigured(f"DATABASE_URL can't be read as a MongoDB URL: {error}.") from error
    # The driver reads user, password, TLS, replica set and time-outs from the URL itself.
    return {"ENGINE": "django_mongodb_backend", "HOST": url, "NAME": name or "delayed_jobs"}


def _djongo(url: str) -> dict[str, Any]:
    entry = _mongodb(url.removeprefix("djongo+"))
    # All threads share one client, which is thread-safe: a request that ends must not close it under the others.
    return {"ENGINE": "djongo", "NAME": entry["NAME"], "CLIENT": {"host": entry["HOST"]}, "CONN_MAX_AGE": None}


def _postgres(url: str) -> dict[str, Any]:
    config = dict(environ.Env.db_url_config(url))
    # A server that vanishes without a word is noticed within a minute, not after the system's quarter of an hour.
    noticed = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "tcp_user_timeout": 60_000}
    # The queue's own statements are prepared from the fifth time on; `?prepare_threshold=none` where a pooler can't have that.
    options = {"prepare_threshold": "5", **noticed, **config.get("OPTIONS", {})}
    threshold = options["prepare_threshold"]
    config["OPTIONS"] = {**options, "prepare_threshold": int(threshold) if str(threshold).isdecimal() else None}
    return config


def _sqlite(url: str) -> dict[str, Any]:
    config = dict(environ.Env.db_url_config(url))
    config["OPTIONS"] = {
        "timeout": 30,
        # A transaction that reads first and writes later would fail instead of waiting for its turn.
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL;",
    }
    if config["NAME"] != ":memory:":
        Path(config["NAME"]).parent.mkdir(parents=True, exist_ok=True)
        # Tests start real worker processes, which an in-memory database would keep out.
        config["TEST"] = {"NAME": f"{config['NAME']}.test"}
    return config
