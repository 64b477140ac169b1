"""What a job does with a database connection, besides sending plain statements.

A connection's class is replaced by one that notes it, because nobody else could say:
what is done through the driver's own objects passes Django's cursors by.
"""

from __future__ import annotations

import sys
from typing import Any
from weakref import WeakSet

from jobs.store.plain import is_plain
from jobs.text import one_line

#: Databases whose connections have no session that lasts.
WITHOUT_SESSION = ("mongodb", "djongo")
#: What code may ask of a driver's cursor that changes nothing but the cursor.
# fmt: off
OF_RESULTS = frozenset({
    "arraysize", "description", "fetchall", "fetchmany", "fetchone", "itersize", "lastrowid",
    "mogrify", "name", "nextset", "query", "rowcount", "rownumber", "scroll", "statusmessage",
})
# fmt: on
#: Characters of a statement that the log shows.
SHOWN = 200
#: Where a connection keeps the use that a job makes of it.
USE = "_use_by_job"
#: Of the modules that may handle a driver's objects: Django, and the queue itself.
TRUSTED = ("django.", "jobs.")

_classes: dict[tuple[type, type], type] = {}


class Use:
    """The use that one job makes of one connection."""

    def __init__(self, connection: Any):
        #: Why the connection can't be used again; empty if it can.
        self.alteration = ""
        #: Cursors that aren't closed yet. Those of a name stay open on the server, even
        #: when nobody has them any longer.
        self._cursors: WeakSet[Any] | None = None  # made when there is one
        self._named: set[Any] = set()
        self._wrappers = list(connection.execute_wrappers)
        self._debug = connection.force_debug_cursor

    def note(self, alteration: str) -> None:
        self.alteration = self.alteration or alteration

    def opened(self, cursor: Any) -> None:
        if self._cursors is None:
            self._cursors = WeakSet()
        self._cursors.add(cursor)
        if getattr(vars(cursor)["cursor"], "name", None):
            self._named.add(cursor)

    def closed(self, cursor: Any) -> None:
        if self._cursors is not None:
            self._cursors.discard(cursor)
        self._named.discard(cursor)

    def end(self, connection: Any) -> None:
        """Puts back what Django keeps of the connection in this process."""
        if connection.execute_wrappers != self._wrappers:
            connection.execute_wrappers[:] = self._wrappers
        connection.force_debug_cursor = self._debug
        if self._cursors or self._named:
            self.note("it left a cursor open")


def begin(connection: Any) -> Use | None:
    """From now on its use is noted; returns the use that an outer job makes of it."""
    if connection.vendor in WITHOUT_SESSION:
        return None
    if not isinstance(connection, _Watched):
        connection.__class__ = _noting(type(connection), _Watched)
    outer: Use | None = vars(connection).get(USE)
    vars(connection)[USE] = Use(connection)
    return outer


def end(connection: Any, outer: Use | None) -> str:
    """Why the connection can't be used again, in a few words; empty if it can."""
    if connection.vendor in WITHOUT_SESSION:
        return ""
    use: Use | None = vars(connection).get(USE)
    if use is None:  # it was made during the job
        return "it was opened by the job"
    vars(connection)[USE] = outer
    use.end(connection)
    return use.alteration


class _Watched:
    """A connection of Django, by its class's other base."""

    @property
    def connection(self) -> Any:
        """The driver's connection."""
        use = self.__dict__.get(USE)
        if use is not None and not use.alteration and not _is_trusted(self):
            use.note("it used the driver's connection itself")
        return self.__dict__["connection"]

    @connection.setter
    def connection(self, connection: Any) -> None:
        self.__dict__["connection"] = connection

    def connect(self) -> None:
        """What is done with a new connection while it is made, as by receivers of
        Django's signal, is done with each.
        """
        use, self.__dict__[USE] = self.__dict__.get(USE), None
        try:
            super().connect()  # type: ignore[misc]
        finally:
            self.__dict__[USE] = use
        if use is not None:
            use.alteration = ""  # of a connection that is gone

    def make_cursor(self, cursor: Any) -> Any:
        return _noted(self, super().make_cursor(cursor))  # type: ignore[misc]

    def make_debug_cursor(self, cursor: Any) -> Any:
        return _noted(self, super().make_debug_cursor(cursor))  # type: ignore[misc]


class _WatchedCursor:
    """A cursor of Django, by its class's other base, that was made during a job."""

    db: Any

    @property
    def cursor(self) -> Any:
        """The driver's cursor."""
        if not _is_trusted(self.db):
            self._note("it used the driver's cursor itself")
        return self.__dict__["cursor"]

    @cursor.setter
    def cursor(self, cursor: Any) -> None:
        self.__dict__["cursor"] = cursor

    def execute(self, sql: Any, params: Any = None) -> Any:
        self._look_at(sql)
        return super().execute(sql, params)  # type: ignore[misc]

    def executemany(self, sql: Any, param_list: Any) -> Any:
        self._look_at(sql)
        return super().executemany(sql, param_list)  # type: ignore[misc]

    def callproc(self, *args: Any, **kwargs: Any) -> Any:
        self._note("it called a procedure")
        return super().callproc(*args, **kwargs)  # type: ignore[misc]

    def close(self) -> None:
        if use := self._use:
            use.closed(self)
        self.__dict__["cursor"].close()

    def __getattr__(self, name: str) -> Any:
        if name not in OF_RESULTS and not _is_trusted(self.db):
            self._note(f"it used the driver's cursor itself ({name})")
        return super().__getattr__(name)  # type: ignore[misc]

    @property
    def _use(self) -> Use | None:
        found: Use | None = vars(self.db).get(USE)
        return found

    def _look_at(self, sql: Any) -> None:
        if not is_plain(sql, self.db.vendor):
            self._note(f"it sent a statement that may change it: {one_line(str(sql)[:SHOWN])}")

    def _note(self, alteration: str) -> None:
        if use := self._use:
            use.note(alteration)


def _noted(connection: Any, cursor: Any) -> Any:
    use: Use | None = vars(connection).get(USE)
    if use is not None:
        cursor.__class__ = _noting(type(cursor), _WatchedCursor)
        use.opened(cursor)
    return cursor


def _noting(base: type, mixin: type) -> type:
    if (base, mixin) not in _classes:
        modules = frozenset(each.__module__ for each in base.__mro__)
        own = {"__module__": base.__module__, "_modules": modules}
        _classes[base, mixin] = type(base.__name__, (mixin, base), own)
    return _classes[base, mixin]


def _is_trusted(connection: Any) -> bool:
    """Whether the code that asks for a driver's object is Django's, the queue's, or the
    database backend's own.
    """
    frame: Any = sys._getframe(2)
    while frame.f_globals.get("__name__") == "django.utils.connection":
        frame = frame.f_back  # `django.db.connection` stands for a connection
    name: str = frame.f_globals.get("__name__", "")
    return name.startswith(TRUSTED) or name in connection._modules
