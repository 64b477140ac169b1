"""Model instances in a payload: stored by reference, and read again."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import (
    DEFAULT_DB_ALIAS,
    DatabaseError,
    DataError,
    InterfaceError,
    connections,
    models,
    router,
)

from jobs.exceptions import DeserializationError, NotKnownYet
from jobs.store import from_primary

#: What a key raises that no row of the model can have: when the query is made, and when
#: the database gets it.
MALFORMED: tuple[type[Exception], ...] = (ValueError, TypeError, ValidationError)
IMPOSSIBLE: tuple[type[Exception], ...] = (OverflowError, ValidationError, DataError)
try:
    from bson.errors import BSONError
except ImportError:  # without MongoDB
    pass
else:
    IMPOSSIBLE += (BSONError,)
MAY_BE_OF_KEY: tuple[type[Exception], ...] = (*IMPOSSIBLE, DatabaseError)


def reference(instance: models.Model) -> list[Any]:
    """The label of the model. Raises ValueError for an unsaved instance."""
    if instance.pk is None or instance._state.adding:
        raise ValueError(
            f"An unsaved {instance._meta.label} can't be stored in a job: save it first."
        )
    return [instance._meta.label_lower]


def alias_of(instance: models.Model) -> str | None:
    """The database that writes of this instance go to; None for the default.

    Not the one that it was read from, which may be a replica that lags.
    """
    alias = router.db_for_write(type(instance), instance=instance)
    return None if alias == DEFAULT_DB_ALIAS else alias


def read(label: str, pk: Any, alias: str | None = None) -> models.Model:
    """The row as it is now, from the database that writes go to.

    Raises DeserializationError if there is none, NotKnownYet for a model or a database
    that this process doesn't know, and whatever the database raises if it can't answer.
    A connection that the server ended meanwhile is made anew once.
    """
    try:
        model: Any = apps.get_model(label)
    except (LookupError, ValueError) as error:
        raise NotKnownYet(f"There is no model {label!r} here.") from error
    using = router.db_for_write(model) if alias is None else alias
    if using not in connections:
        raise NotKnownYet(f"There is no database {using!r} here.")
    try:
        row = model._base_manager.using(using).filter(pk=pk)
    except MALFORMED as error:
        raise DeserializationError(f"{label} can't have the key {pk!r}.") from error
    try:
        return _the_one(row, connections[using])
    except model.DoesNotExist as error:
        raise DeserializationError(f"{label} {pk} doesn't exist.") from error
    except MAY_BE_OF_KEY as error:
        if not _is_of_key(error):
            raise
        raise DeserializationError(f"{label} can't have the key {pk!r}.") from error


def _the_one(row: Any, connection: Any) -> models.Model:
    with from_primary(connection):
        try:
            return row.get()
        except (DatabaseError, InterfaceError) as error:
            if connection.in_atomic_block or _is_of_key(error):
                raise
            connection.close()
        return row.all().get()


def _is_of_key(error: BaseException | None) -> bool:
    """Whether the key is to blame; djongo hides that behind an error of its own."""
    while error is not None and not isinstance(error, IMPOSSIBLE):
        error = error.__cause__
    return error is not None
