"""How long statements may take that keep house, or are for people to read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from django.db import transaction

from jobs.store.base import Store

#: For how many seconds a table is waited for at most: somebody may have locked it.
PATIENCE = 2.0


def within(store: Store[Any], seconds: float) -> AbstractContextManager[Any]:
    """A statement in the body fails after that many seconds, as far as the database can
    do that.
    """
    if store.keeps_documents:
        import pymongo

        # djongo's driver hasn't got it.
        return pymongo.timeout(seconds) if hasattr(pymongo, "timeout") else nullcontext()
    return _limited(store, "statement_timeout", seconds)


def waiting(store: Store[Any]) -> AbstractContextManager[Any]:
    """A statement in the body fails once it has waited PATIENCE for what somebody else
    has locked.

    It may work for as long as it takes. MongoDB locks no tables.
    """
    return _limited(store, "lock_timeout", PATIENCE)


def _limited(store: Store[Any], setting: str, seconds: float) -> AbstractContextManager[Any]:
    """SQLite locks the whole file: one that gave up would meet the same lock with its
    next statement, so each waits for its turn as long as the connection's `timeout`.
    """
    connection = store.connection
    # In a transaction, it would hold for the rest of it.
    if connection.in_atomic_block or connection.vendor != "postgresql":
        return nullcontext()
    return _in_a_transaction(store, f"SET LOCAL {setting} = {max(int(seconds * 1000), 1)}")


@contextmanager
def _in_a_transaction(store: Store[Any], limit: str) -> Iterator[None]:
    with transaction.atomic(using=store.alias):
        with store.connection.cursor() as cursor:
            cursor.execute(limit)
        yield
