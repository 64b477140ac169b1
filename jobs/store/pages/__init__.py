"""Pages of jobs for people: bounded looks at a table of any size."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from jobs.store import store_for
from jobs.store.pages.base import CUT, Failures, Window

if TYPE_CHECKING:
    from jobs.store.pages.base import Pages
    from jobs.store.reading import M

__all__ = ["CUT", "Failures", "Window", "pages_for"]


def pages_for(model: type[M]) -> Pages[M]:
    """The pages of a model, from the database that the routers name for writing it."""
    store = store_for(model)
    kind = "mongodb" if store.keeps_documents else "sql"
    found: Pages[M] = import_module(f"jobs.store.pages.{kind}").PagesOf(store)
    return found
