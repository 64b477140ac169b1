"""MongoDB's client, which all threads of a process share: one that a job closed is
replaced.
"""

from __future__ import annotations

from typing import Any


def is_closed(connection: Any) -> bool:
    """Whether somebody closed the client itself. Django's `close()` doesn't."""
    return connection.vendor == "mongodb" and bool(getattr(connection.connection, "_closed", False))


def forget_closed(connection: Any) -> bool:
    """Has this thread's connection make or find another client; whether it had to."""
    if not is_closed(connection):
        return False
    closed, pools = connection.connection, getattr(connection, "_connection_pools", {})
    connection.connection = None
    connection.session = None
    connection.__dict__.pop("database", None)
    if pools.get(connection.alias) is closed:  # no other thread has made a new one
        pools.pop(connection.alias, None)
    return True
