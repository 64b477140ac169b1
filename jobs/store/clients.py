"""MongoDB's client, which all threads of a process share: one that a job closed is
replaced.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

_replacing = threading.Lock()


def is_closed(connection: Any) -> bool:
    """Whether somebody closed the client itself. Django's `close()` doesn't."""
    return connection.vendor == "mongodb" and bool(getattr(connection.connection, "_closed", False))


def forget_closed(connection: Any) -> bool:
    """Has this thread's connection find another client; returns whether it had to."""
    if not is_closed(connection):
        return False
    closed, pools = connection.connection, getattr(connection, "_connection_pools", {})
    connection.connection = None
    connection.session = None
    connection.__dict__.pop("database", None)
    with _replacing:
        if pools.get(connection.alias) is closed:  # else another thread was quicker
            # Not removed, because other threads may connect at this moment.
            pools[connection.alias] = _like(closed, connection)
    return True


def forget_all(connections: Iterable[Any]) -> list[Any]:
    """In a forked process: has each connection make a client of its own.

    MongoDB's driver warns of clients that are used across a fork, because they have
    locks. Returns them, because they would be closed when they are collected.
    """
    kept: list[Any] = []
    for connection in connections:
        pools = getattr(connection, "_connection_pools", {})
        kept += pools.values()
        pools.clear()
        connection.__dict__.pop("database", None)
    return kept


def _like(closed: Any, connection: Any) -> Any:
    return type(closed)(**connection.get_connection_params(), driver=connection._driver_info())
