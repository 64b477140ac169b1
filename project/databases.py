"""Translates DATABASE_URL into Django's DATABASES entry."""

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
LOCAL_MONGO = f"127.0.0.1:{LOCAL_MONGO_PORT}"
LOCAL_MONGO_URL = f"mongodb://{LOCAL_MONGO}/delayed_jobs?serverSelectionTimeoutMS=5000"


def embedded_url(base_dir: Path) -> str:
    """The URL that is used while DATABASE_URL is unset.

    It is SecantusDB's, or SQLite's if SecantusDB isn't installed.
    """
    if importlib.util.find_spec("secantus"):
        return LOCAL_MONGO_URL
    note = "SecantusDB isn't installed here: using SQLite in var/ as the embedded database."
    print(note, file=sys.stderr)  # noqa: T201
    return f"sqlite:///{base_dir / 'var' / 'db.sqlite3'}"


def parse(url: str) -> dict[str, Any]:
    """The DATABASES entry for `url`.

    Raises ImproperlyConfigured if we don't know its scheme or can't read it.
    """
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
        f"DATABASE_URL starts with {scheme!r}: use mongodb://, mongodb+srv://, postgres://, "
        "sqlite:/// or djongo+mongodb://."
    )


def is_on_this_machine(url: str) -> bool:
    """Whether only this machine can reach the database.

    So it is if that is a file, a socket, or on loopback addresses alone.
    """
    entry = parse(url)
    if url.startswith("sqlite:"):
        return True
    if url.startswith(("postgres:", "postgresql:")):
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


def _mongodb(url: str) -> dict[str, Any]:
    try:
        name = unquote(urlsplit(url).path.lstrip("/"))
    except ValueError as error:
        reason = f"DATABASE_URL can't be read as a MongoDB URL: {error}."
        raise ImproperlyConfigured(reason) from error
    # The driver itself reads user, password, TLS, replica set and time-outs from it.
    return {"ENGINE": "django_mongodb_backend", "HOST": url, "NAME": name or "delayed_jobs"}


def _djongo(url: str) -> dict[str, Any]:
    entry = _mongodb(url.removeprefix("djongo+"))
    return {
        "ENGINE": "djongo",
        "NAME": entry["NAME"],
        "CLIENT": {"host": entry["HOST"]},
        # All threads share one client, which is thread-safe. A request that ends must
        # not close it while the others use it.
        "CONN_MAX_AGE": None,
    }


def _postgres(url: str) -> dict[str, Any]:
    config = dict(environ.Env.db_url_config(url))
    # A server that vanishes silently is noticed within a minute. The system's defaults
    # take a quarter of an hour.
    noticed = {
        "connect_timeout": 10,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "tcp_user_timeout": 60_000,
    }
    options = {"prepare_threshold": "5", **noticed, **config.get("OPTIONS", {})}
    # The queue's own statements are prepared from the fifth time on. Behind a pooler
    # that can't do that, `?prepare_threshold=none` switches it off.
    threshold = str(options["prepare_threshold"])
    options["prepare_threshold"] = int(threshold) if threshold.isdecimal() else None
    return {**config, "OPTIONS": options}


def _sqlite(url: str) -> dict[str, Any]:
    config = dict(environ.Env.db_url_config(url))
    config["OPTIONS"] = {
        "timeout": 30,
        # Otherwise a transaction that reads first and writes later fails instead of
        # waiting for its turn.
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL;",
    }
    if config["NAME"] != ":memory:":
        Path(config["NAME"]).parent.mkdir(parents=True, exist_ok=True)
        # A file, because the tests start worker processes that must see the database.
        config["TEST"] = {"NAME": f"{config['NAME']}.test"}
    return config
