"""Open transactions that a row waits for, because it can't be part of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import django
from django.db import DEFAULT_DB_ALIAS, connections, transaction

#: Django's own argument for connections that this thread has used.
_USED = {"initialized_only": True} if django.VERSION >= (4, 1) else {}


def awaited(alias: str, on_commit: bool | None) -> list[str]:
    """The databases whose open transactions a row in the database `alias` waits for.

    True: those of all databases on which this thread has a transaction open. None, the
    default: none if one is open on the row's own database, because the row is part of
    it; otherwise those of the others, whose data the row may be about. The transaction
    that Django's TestCase puts around a test is not one that somebody opened; only with
    True the row waits in it, as a callback of `transaction.on_commit` does.

    Raises TypeError for anything else.
    """
    if on_commit is False:
        return []
    if on_commit is not None and on_commit is not True:
        raise TypeError(f"on_commit must be True, False or None, not {on_commit!r}.")
    if on_commit is None and len(connections.databases) == 1:
        return []  # there are no others
    used: list[Any] = list(connections.all(**_USED))
    opened = [connection.alias for connection in used if _has_transaction(connection)]
    if on_commit is None:
        return [] if alias in opened else opened
    return opened or list(_of_the_test(used, alias))


def after(aliases: list[str], call: Callable[[], None]) -> None:
    """Calls `call` once all transactions that are open there now have been committed.

    It isn't called if one of them, or the savepoint in it, is rolled back. What it
    raises reaches who commits the last one, as with `transaction.on_commit`.

    Raises TransactionManagementError for a connection whose autocommit is off.
    """
    waiting = set(aliases)

    def committed(alias: str) -> None:
        if alias in waiting:
            waiting.remove(alias)
            if not waiting:
                call()

    for alias in aliases:
        transaction.on_commit(partial(committed, alias), using=alias)


def _has_transaction(connection: Any) -> bool:
    on_mongodb = getattr(connection, "in_atomic_block_mongo", None)
    if on_mongodb is not None:  # there Django's own atomic() does nothing
        return bool(on_mongodb)
    if not connection.in_atomic_block:
        return connection.connection is not None and not connection.autocommit
    blocks = getattr(connection, "atomic_blocks", ())  # Django has them from 4.1 on
    return not blocks or not all(getattr(block, "_from_testcase", False) for block in blocks)


def _of_the_test(used: list[Any], alias: str) -> Iterator[str]:
    """Where a test looks for callbacks: Django's default, or else the queue's own."""
    around = {connection.alias for connection in used if connection.in_atomic_block}
    for one in (DEFAULT_DB_ALIAS, alias):
        if one in around:
            yield one
            return
