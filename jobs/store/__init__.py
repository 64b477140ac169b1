"""Where jobs are kept. The only package of `jobs` that knows which database that is."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.db import connections, router

if TYPE_CHECKING:
    from jobs.store.base import Store
    from jobs.store.reading import M

_BY_VENDOR = {"mongodb": "jobs.store.mongodb.MongoStore", "djongo": "jobs.store.djongo.DjongoStore"}
_stores: dict[tuple[type, str], Any] = {}


def store_for(model: type[M]) -> Store[M]:
    """The store of a model, for the database that the routers name for writing it."""
    alias = router.db_for_write(model)
    if (model, alias) not in _stores:
        path = _BY_VENDOR.get(connections[alias].vendor, "jobs.store.sql.SqlStore")
        module, _, name = path.rpartition(".")
        _stores[model, alias] = getattr(import_module(module), name)(model, alias)
    return _stores[model, alias]


def from_primary(connection: Any) -> AbstractContextManager[Any]:
    """Django's queries in the body see what was written last, not what a replica has.

    For a MongoDB whose URL sends reads to secondaries. On other databases a replica is
    a database of its own.
    """
    if connection.vendor != "mongodb":
        return nullcontext()
    from jobs.store.mongodb import reading_from_primary

    return reading_from_primary(connection)
