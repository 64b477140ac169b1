"""DATABASE_URL to Django's DATABASES entry, with the options that the queue wants.

A settings file calls `databases.parse(os.environ["DATABASE_URL"])`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from jobs.folders import make_private

#: The port that `manage.py localmongo` listens on, unless you name another.
LOCAL_MONGO_PORT = 27117

#: Keys of a DATABASES entry that may stand in a URL's query; all others are OPTIONS.
ENTRY_KEYS = {
    "CONN_MAX_AGE",
    "CONN_HEALTH_CHECKS",
    "ATOMIC_REQUESTS",
    "DISABLE_SERVER_SIDE_CURSORS",
}

#: What the queue wants of SQLite. A transaction that reads first and writes later would
#: fail instead of waiting for its turn, were it not IMMEDIATE.
SQLITE_OPTIONS = {
    "timeout": 30,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL;",
}

#: What the queue wants of PostgreSQL. A server that vanishes without a word is noticed
#: within a minute, not after the system's quarter of an hour. The queue's own
#: statements are prepared from the fifth time on.
POSTGRES_OPTIONS = {
    "prepare_threshold": 5,
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "tcp_user_timeout": 60_000,
}


UNREADABLE = (
    "DATABASE_URL can't be read. In the user and the password, write every character but "
    "letters and digits as its %-code, such as %2F for a slash."
)


class Missing(ImproperlyConfigured):
    """The package isn't installed that a database of this kind needs."""


def parse(url: str) -> dict[str, Any]:
    """The DATABASES entry for `url`: mongodb, mongodb+srv, postgres, sqlite or
    djongo+mongodb.

    Options in the URL's query come before the ones that the queue wants. Raises
    ImproperlyConfigured if the URL names another database, can't be read, or needs a
    package that isn't installed.
    """
    scheme = url.partition("://")[0]
    if scheme not in _BY_SCHEME:
        begins = f"starts with {scheme!r}" if _is_scheme(url) else "isn't a URL"
        raise ImproperlyConfigured(
            f"DATABASE_URL {begins}: use mongodb://, mongodb+srv://, postgres://, "
            "sqlite:/// or djongo+mongodb://."
        )
    try:
        _check(url)
        return _BY_SCHEME[scheme](url)
    except ImproperlyConfigured:
        raise
    except OSError as error:
        raise ImproperlyConfigured(
            f"DATABASE_URL names a file whose folder can't be made: {error.strerror} "
            f"({error.filename})."
        ) from None
    except Exception:
        # Whatever it is, its text and its cause may quote a part of the password.
        raise ImproperlyConfigured(UNREADABLE) from None


def problem(url: str) -> str:
    """Why `parse` won't take it, in a sentence without the URL.

    Empty if it does, or if only the package is missing here that it needs.
    """
    try:
        parse(url)
    except Missing:
        return ""
    except ImproperlyConfigured as error:
        return str(error)
    return ""


def hosts(url: str) -> list[str]:
    """The hosts that a URL names. An empty one, or a path, is this machine's socket."""
    try:
        return _hosts(urlsplit(url))[0].split(",")
    except ValueError:
        raise ImproperlyConfigured(UNREADABLE) from None


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


def _mongodb(url: str) -> dict[str, Any]:
    _require("django_mongodb_backend", url, "mongodb")
    _check_as_the_driver_does(url)
    # The driver itself reads user, password, TLS and so on from it.
    return {"ENGINE": "django_mongodb_backend", "HOST": url, "NAME": _database_of(url)}


def _djongo(url: str) -> dict[str, Any]:
    if find_spec("djongo") is None:
        raise ImproperlyConfigured(
            "DATABASE_URL starts with djongo+mongodb://, and djongo isn't installed: see "
            "docs/djongo.md for the environment that it needs."
        )
    url = url.removeprefix("djongo+")
    _check_as_the_driver_does(url)
    # All threads share one client, which is thread-safe: a request that ends must not
    # close it under the others.
    return {
        "ENGINE": "djongo",
        "NAME": _database_of(url),
        "CLIENT": {"host": url},
        "CONN_MAX_AGE": None,
    }


def _check_as_the_driver_does(url: str) -> None:
    from pymongo.uri_parser import parse_uri

    # A name of the service's is not looked up here, so it is read as a host's.
    parse_uri(re.sub(r"^mongodb\+srv:", "mongodb:", url), validate=False)


def _database_of(url: str) -> str:
    return unquote(urlsplit(url).path.lstrip("/")) or "delayed_jobs"


def _postgres(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    given, options = _query(parts)
    options = {**POSTGRES_OPTIONS, **options}
    if not isinstance(options["prepare_threshold"], int):
        options["prepare_threshold"] = None  # `?prepare_threshold=none`
    host, port = _hosts(parts)
    name = unquote(parts.path.lstrip("/"))
    if not name and "service" not in options:
        raise ImproperlyConfigured("DATABASE_URL names no database: end it with /name.")
    _require("psycopg", url, "postgres")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": int(port) if port.isdecimal() else port,
        **given,
        "OPTIONS": options,
    }


def _hosts(parts: SplitResult) -> tuple[str, str]:
    """Host and port; several of each, separated by commas, name the members of a
    cluster.
    """
    names, ports = [], []
    for one in parts.netloc.rpartition("@")[2].split(","):
        split = urlsplit(f"//{one}")
        # A folder with the server's socket is written with %2F.
        names.append(unquote(split.hostname or ""))
        ports.append(str(split.port or ""))
    return ",".join(names), ",".join(ports) if any(ports) else ""


def _sqlite(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.netloc not in ("", ":memory:"):
        raise ImproperlyConfigured(
            "DATABASE_URL has a host, which SQLite hasn't: write sqlite:///db.sqlite3, or four "
            "slashes for a path from the root."
        )
    name = unquote(parts.path.removeprefix("/")) or ":memory:"
    given, options = _query(parts)
    entry: dict[str, Any] = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": name,
        **given,
        "OPTIONS": {**SQLITE_OPTIONS, **options},
    }
    if name != ":memory:":
        make_private(Path(name).parent)
        # Tests start real worker processes, which an in-memory database would keep out.
        entry["TEST"] = {"NAME": f"{name}.test"}
    return entry


def _query(parts: SplitResult) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keys of the entry, and OPTIONS, from a URL's query."""
    given, options = {}, {}
    for name, values in parse_qs(parts.query).items():
        if name.upper() in ENTRY_KEYS:
            given[name.upper()] = _value(values[0])
        else:
            options[name] = int(values[0]) if values[0].isdecimal() else values[0]
    return given, options


def _value(text: str) -> Any:
    words = {"none": None, "true": True, "false": False}
    return words[text.lower()] if text.lower() in words else int(text)


def _require(module: str, url: str, extra: str) -> None:
    if find_spec(module) is None:
        raise Missing(
            f"DATABASE_URL starts with {url.partition(':')[0]}://, and {module} isn't "
            f"installed: pip install 'django-delayed-batch[{extra}]'."
        )


_BY_SCHEME: dict[str, Callable[[str], dict[str, Any]]] = {
    "mongodb": _mongodb,
    "mongodb+srv": _mongodb,
    "djongo+mongodb": _djongo,
    "postgres": _postgres,
    "postgresql": _postgres,
    "sqlite": _sqlite,
}
