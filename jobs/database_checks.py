"""System checks of the database: what the queue wants of it, and DATABASES lacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper

from jobs import mongodb

#: The first SQLite with RETURNING, which the claim needs.
OLDEST_SQLITE = (3, 35)

#: Kinds of keys that MongoDB doesn't make.
WHOLE_NUMBERS = {"AutoField", "BigAutoField", "SmallAutoField"}

#: Which extra of the package brings the driver of an ENGINE.
EXTRAS = {
    "django.db.backends.postgresql": "postgres",
    "django_mongodb_backend": "mongodb",
}


@checks.register("jobs")
def check_database(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Asks the settings and the driver alone; connects to nothing."""
    alias = router.db_for_write(apps.get_model("jobs", "Job"))
    try:
        connection = connections[alias]
    except ImproperlyConfigured as error:
        engine = connections.settings[alias]["ENGINE"]
        reason = str(error).splitlines()[0].rstrip(".:")
        return [
            checks.Error(
                f"DATABASES[{alias!r}] can't be used: {reason}.",
                hint=f"pip install 'django-delayed-batch[{EXTRAS[engine]}]'"
                if engine in EXTRAS
                else None,
                id="jobs.E005",
            )
        ]
    missing = _BY_VENDOR.get(connection.vendor, _unknown)
    return list(missing(connection, connection.settings_dict.get("OPTIONS", {})))


Options = dict[str, Any]


def _sqlite(connection: BaseDatabaseWrapper, options: Options) -> Iterator[checks.CheckMessage]:
    version: tuple[int, ...] = connection.Database.sqlite_version_info  # type: ignore[attr-defined]
    if version < OLDEST_SQLITE:
        yield checks.Error(
            f"SQLite {'.'.join(map(str, version))} is too old for the queue, which needs "
            f"{'.'.join(map(str, OLDEST_SQLITE))} or newer: use a Python that brings one.",
            id="jobs.E005",
        )
    if str(options.get("transaction_mode")).upper() not in ("IMMEDIATE", "EXCLUSIVE"):
        yield _wanting(
            connection,
            "jobs.W001",
            '"transaction_mode": "IMMEDIATE"',
            "a transaction that enqueues can fail with 'database is locked'",
        )


def _postgres(connection: BaseDatabaseWrapper, options: Options) -> Iterator[checks.CheckMessage]:
    from django.db.backends.postgresql.psycopg_any import is_psycopg3

    if not is_psycopg3:
        yield checks.Error(
            "The queue needs psycopg 3, and Django found psycopg2 alone: "
            "pip install 'django-delayed-batch[postgres]'.",
            id="jobs.E005",
        )
    elif "prepare_threshold" not in options:
        yield _wanting(
            connection,
            "jobs.W002",
            '"prepare_threshold": 5 (or None behind a pooler that can\'t prepare)',
            "PostgreSQL plans the queue's statements anew each time",
        )


def _djongo(connection: BaseDatabaseWrapper, options: Options) -> Iterator[checks.CheckMessage]:
    if connection.settings_dict["CONN_MAX_AGE"] is not None:
        yield checks.Warning(
            f'DATABASES[{connection.alias!r}] has no "CONN_MAX_AGE": None, so a request that '
            "ends closes the client that all threads share: add it, or use "
            "jobs.databases.parse(url).",
            id="jobs.W003",
        )


def _mongodb(connection: BaseDatabaseWrapper, options: Options) -> Iterator[checks.CheckMessage]:
    """What the queue wants of the driver, its store sets on its own collections."""
    whole = [
        model._meta.label
        for label in ("jobs", *mongodb.MIGRATION_MODULES)
        if label in apps.app_configs
        for model in apps.get_app_config(label).get_models()
        if router.db_for_write(model) == connection.alias
        and model._meta.pk.get_internal_type() in WHOLE_NUMBERS
    ]
    if whole:
        yield checks.Error(
            f"DATABASES[{connection.alias!r}] is MongoDB, and {', '.join(whole)} have whole "
            "numbers as keys: set INSTALLED_APPS, MIGRATION_MODULES and DEFAULT_AUTO_FIELD by "
            "jobs.mongodb, as docs/getting-started.md describes.",
            id="jobs.E006",
        )


def _unknown(connection: BaseDatabaseWrapper, options: Options) -> Iterator[checks.CheckMessage]:
    yield checks.Warning(
        f"DATABASES[{connection.alias!r}] is {connection.display_name}, on which the queue was "
        "never tested: use PostgreSQL, MongoDB or SQLite.",
        id="jobs.W004",
    )


def _wanting(
    connection: BaseDatabaseWrapper, id: str, option: str, consequence: str
) -> checks.CheckMessage:
    return checks.Warning(
        f"DATABASES[{connection.alias!r}]['OPTIONS'] lacks {option}, so {consequence}: "
        "add it, or use jobs.databases.parse(url).",
        id=id,
    )


_BY_VENDOR = {"sqlite": _sqlite, "postgresql": _postgres, "djongo": _djongo, "mongodb": _mongodb}
