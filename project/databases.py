"""Translates DATABASE_URL into Django's DATABASES entry."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from project.folders import make_private

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
    scheme = url.partition("://")[0]
    parsers = {
        "mongodb": _mongodb,
        "mongodb+srv": _mongodb,
        "djongo+mongodb": _djongo,
        "sqlite": _sqlite,
        "postgres": _postgres,
        "postgresql": _postgres,
    }
    if scheme not in parsers:
        begins = f"starts with {scheme!r}" if _is_scheme(url) else "isn't a URL"
        raise ImproperlyConfigured(
            f"DATABASE_URL {begins}: use mongodb://, mongodb+srv://, postgres://, "
            "sqlite:/// or djongo+mongodb://."
        )
    try:
        _check(url)
        return parsers[scheme](url)
    except Exception:
        # Whatever it is, its text and its cause may quote a part of the password.
        raise ImproperlyConfigured(
            "DATABASE_URL can't be read. In the user and the password, write every "
            "character but letters and digits as its %-code, such as %2F for a slash."
        ) from None


def _is_scheme(url: str) -> bool:
    return re.match(r"[a-z][a-z0-9+]{0,30}://", url) is not None


def _check(url: str) -> None:
    """Raises ValueError if a character ends the password too early.

    Then drivers would take a part of the password for a host, a port or a database, and
    show it in their errors.
    """
    parts = urlsplit(url)
    if "@" in parts.path + parts.query + parts.fragment or parts.netloc.count("@") > 1:
        raise ValueError("an @ that isn't the end of the password")
    if any(character.isspace() or not character.isprintable() for character in url):
        raise ValueError("white space")


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
    from pymongo.uri_parser import parse_uri

    # A name of the service's is not looked up here, so it is read as a host's.
    parse_uri(re.sub(r"^mongodb\+srv:", "mongodb:", url), validate=False)
    name = unquote(urlsplit(url).path.lstrip("/"))
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
    if urlsplit(url).netloc not in ("", ":memory:"):
        raise ValueError("a host")
    config = dict(environ.Env.db_url_config(url))
    config["OPTIONS"] = {
        "timeout": 30,
        # Otherwise a transaction that reads first and writes later fails instead of
        # waiting for its turn.
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL;",
    }
    if config["NAME"] != ":memory:":
        make_private(Path(config["NAME"]).parent)
        # A file, because the tests start worker processes that must see the database.
        config["TEST"] = {"NAME": f"{config['NAME']}.test"}
    return config
