"""What a command says when the database fails it: one sentence, with what to do."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from django.apps import apps
from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, router
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from jobs.models import Job
from jobs.store import store_for
from jobs.store.patience import brief
from jobs.text import first_line

#: What SQLite says of a table or column that isn't there, and PostgreSQL's SQLSTATEs.
NO_SUCH = ("no such table", "no such column", "has no column named")
UNDEFINED = ("42P01", "42703")


def explained(error: Exception) -> str:
    """The sentence for an error that a command didn't expect."""
    if known := of_the_database(error):
        return known
    return f"{type(error).__name__}: {first_line(str(error))}"


def of_the_database(error: Exception) -> str:
    """The sentence for a database that isn't migrated or can't be reached; empty for
    any other error.
    """
    if is_not_migrated(error):
        return _not_migrated(brief(error))
    if store_for(Job).is_unavailable(error):
        return f"The database can't be reached: {brief(error)}"
    return ""


def require_migrated() -> None:
    """Raises CommandError if migrations of the queue's apps have not been applied.

    Says nothing if the database can't be reached: whoever works with it waits for it.
    """
    connection = connections[router.db_for_write(Job)]
    try:
        applied = set(MigrationRecorder(connection).applied_migrations())
    except Exception as error:
        if store_for(Job).is_unavailable(error):
            return
        raise
    finally:
        if not connection.in_atomic_block:
            connection.close()  # a supervisor needs it no more, and forks
    labels = [label for label in ("jobs", "batchexec") if label in apps.app_configs]
    missing = [
        f"{label}.{name}"
        for label in labels
        for name in _names(label)
        if (label, name) not in applied
    ]
    if missing:
        shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        raise CommandError(_not_migrated(shown))


def _not_migrated(found: str) -> str:
    alias = router.db_for_write(Job)
    of_it = "" if alias == DEFAULT_DB_ALIAS else f" --database {alias}"
    return f"The database isn't migrated ({found}): run manage.py migrate{of_it}."


def _names(label: str) -> list[str]:
    """The app's migrations by name. They are not loaded, which would take its time."""
    module, _ = MigrationLoader.migrations_module(label)
    if module is None:
        return []  # the settings say that it has none
    found = pkgutil.iter_modules(import_module(module).__path__)
    return sorted(one.name for one in found if not one.ispkg and one.name[0] not in "_~")


def is_not_migrated(error: BaseException) -> bool:
    """Whether it says that a table or a column isn't there."""
    if not isinstance(error, DatabaseError):
        return False
    cause = error.__cause__
    sqlstate = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return sqlstate in UNDEFINED or any(text in str(error) for text in NO_SUCH)
