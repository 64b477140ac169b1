"""Database connections after somebody else's code used them: closed if they can't be
trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connections

from jobs.logs import get_logger
from jobs.store import watching
from jobs.store.clients import forget_closed

logger = get_logger(__name__)

#: Of libpq's transaction states, the one in which nothing is open.
PQTRANS_IDLE = 0


@dataclass
class Before:
    """What was with this thread's connections when a job began."""

    #: Aliases on which the caller has `transaction.atomic()` open.
    atomic: set[str]
    #: The use that an outer job makes of them, by alias.
    outer: dict[str, Any]


def before_job() -> Before:
    """From now on it is noted what is done with this thread's connections."""
    before = Before(set(), {})
    for connection in _known():
        _replace_closed_client(connection)
        if connection.connection is not None and _in_atomic(connection):
            before.atomic.add(connection.alias)
        before.outer[connection.alias] = watching.begin(connection)
    return before


def after_job(before: Before, *, interrupted: bool) -> None:
    """Closes each connection that isn't as it was: broken, busy, in a transaction, or
    used for anything but plain statements.

    Connections that were in `atomic()` before the job are the caller's, and stay open.
    `interrupted` says that the job was ended in the middle of something, perhaps a
    query: then every connection is closed. Never raises.
    """
    for connection in _known():
        try:
            _replace_closed_client(connection)
            alteration = watching.end(connection, before.outer.get(connection.alias))
            if connection.connection is None or connection.alias in before.atomic:
                continue
            if _in_atomic(connection) or _is_spoiled(connection):
                text = "A job left the connection %r in a state that can't be used: closed."
                logger.warning(text, connection.alias)
                _close(connection)
            elif interrupted:
                _close(connection)
            elif alteration:
                text = "The connection %r is closed after a job, because %s."
                logger.debug(text, connection.alias, alteration)
                _close(connection)
        except BaseException as error:
            text = "The connection %r that a job left could not be closed: %s"
            logger.warning(text, connection.alias, error)
            connection.connection = None


def _replace_closed_client(connection: Any) -> None:
    if forget_closed(connection):
        text = "A job closed the client of the connection %r, so another one is made."
        logger.warning(text, connection.alias)


def _known() -> list[Any]:
    """This thread's connections, open or not."""
    try:
        return list(connections.all(initialized_only=True))
    except TypeError:  # Django before 4.1
        return list(connections.all())


def disown_all() -> list[Any]:
    """In a forked child: forgets the parent's connections without a word to their
    servers.

    Returns them, because they would be closed when they are collected.
    """
    kept = []
    for connection in _known():
        if connection.connection is None:
            continue
        kept.append(connection.connection)
        _forget_atomic(connection)
        connection.connection = None
    return kept


def _in_atomic(connection: Any) -> bool:
    return bool(connection.in_atomic_block or getattr(connection, "in_atomic_block_mongo", False))


def _is_spoiled(connection: Any) -> bool:
    if connection.autocommit != connection.settings_dict["AUTOCOMMIT"]:
        return True
    if _is_busy(connection):
        return True
    if not connection.errors_occurred:
        return False
    connection.errors_occurred = False
    return not connection.is_usable()


def _is_busy(connection: Any) -> bool:
    """In a transaction or in the middle of a statement, by the driver's own word."""
    raw = connection.connection
    if connection.vendor == "postgresql":
        if raw.closed or int(raw.info.transaction_status) != PQTRANS_IDLE:
            return True
        return bool(getattr(getattr(raw, "pgconn", None), "pipeline_status", 0))
    if connection.vendor == "sqlite":
        return bool(raw.in_transaction)
    if connection.vendor == "mongodb":
        return connection.session is not None
    return False


def _close(connection: Any) -> None:
    if getattr(connection, "session", None) is not None:
        connection.session.end_session()  # which aborts its transaction
        connection.session = None
    _forget_atomic(connection)
    if connection.vendor == "postgresql":
        connection.connection.close()  # else a pool would give it to somebody else
    connection.close()


def _forget_atomic(connection: Any) -> None:
    """Without this, Django would keep a closed connection for the rest of its
    transaction.
    """
    connection.in_atomic_block = False
    connection.needs_rollback = False
    connection.savepoint_ids = []
    connection.run_on_commit = []
    if hasattr(connection, "atomic_blocks"):
        connection.atomic_blocks = []
    if hasattr(connection, "in_atomic_block_mongo"):
        connection.in_atomic_block_mongo = False
