"""Whether the database refused a row because its unique key is held, by the database's
own word.

Any other refusal (another unique field, a check, a trigger, a value that is missing) is
the caller's to hear of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, models

#: PostgreSQL's SQLSTATE `unique_violation`.
UNIQUE_VIOLATION = "23505"


def unique_column(model: type[models.Model]) -> str | None:
    """The column that one row at most may hold a value of; None if there is none.

    `unique_key`, or the unique field of a model that has no such column.
    """
    fields = {field.attname: field for field in model._meta.concrete_fields}
    if "unique_key" in fields:
        return "unique_key"
    unique = (name for name, field in fields.items() if field.unique and not field.primary_key)
    return next(unique, None)


def is_duplicate(error: IntegrityError, model: type[models.Model], column: str) -> bool:
    """Whether the column's value is taken; for an error of Django's SQL backends."""
    cause = error.__cause__
    diagnostics = getattr(cause, "diag", None)
    if diagnostics is not None:  # psycopg's
        state, name = diagnostics.sqlstate, diagnostics.constraint_name
        return state == UNIQUE_VIOLATION and name in _constraints(model, column)
    text = str(cause)
    if text.startswith("UNIQUE constraint failed: "):  # SQLite's
        return text == f"UNIQUE constraint failed: {model._meta.db_table}.{column}"
    return any(name in text for name in _constraints(model, column))


def is_duplicate_document(failure: Mapping[str, Any], column: str) -> bool:
    """The same, for what MongoDB says of a duplicate key."""
    pattern = failure.get("keyPattern")
    if pattern is None:  # MongoDB before 4.2, and others that speak its protocol
        return column in str(failure.get("errmsg", "")).partition("dup key")[0]
    return list(pattern) == [column]


def _constraints(model: type[models.Model], column: str) -> set[str]:
    """The names of what keeps the column unique: declared, or PostgreSQL's own for a
    field that is `unique`.
    """
    declared = {
        constraint.name
        for constraint in model._meta.constraints
        if isinstance(constraint, models.UniqueConstraint) and constraint.fields == (column,)
    }
    return {*declared, f"{model._meta.db_table}_{column}_key"}
