"""New rows on SQL, where one row at most holds a unique key."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Generic

from django.db import IntegrityError, transaction

from jobs.store.new_rows import NewRows, Statement
from jobs.store.reading import M, inserted
from jobs.store.uniqueness import is_duplicate, unique_column
from jobs.store.writing import Alike

if TYPE_CHECKING:
    from jobs.store.sql import SqlStore


class RowInsertion(Generic[M]):
    """Inserts the rows of a store, in the caller's transaction if one is open."""

    def __init__(self, store: SqlStore[M]):
        self._store = store
        self._column = unique_column(store.model)
        self._new_rows = NewRows(store.model, store.connection)

    def insert(self, rows: list[M], keys: bool) -> list[M]:
        """Returns those whose unique key is held; raises what else is refused."""
        column = self._column
        if column is None or all(getattr(row, column) is None for row in rows):
            self._insert_all(rows, keys)
            return []
        # A refused row would otherwise end a transaction that is open.
        is_alone = self._store.connection.get_autocommit()
        try:
            with nullcontext() if is_alone else self._atomic():
                self._insert_all(rows, keys)
            return []
        except IntegrityError as error:
            if len(rows) == 1:
                if not self._is_held(rows[0], column, error):
                    raise
                rows[0].pk = None
                return rows
        with self._atomic():  # all, or none if one isn't taken
            return self._insert_the_free(rows, column, keys)

    @property
    def inserts_alike(self) -> bool:
        return self._new_rows.makes_alike

    def insert_alike(self, rows: Alike, keys: bool) -> list[Any]:
        """Returns the keys, if they are asked for."""
        statements = self._new_rows.alike(rows, self._store.connection, keys=keys)
        return self._carry_out(statements, keys)

    def _insert_the_free(self, rows: list[M], column: str, keys: bool) -> list[M]:
        free, refused = self._parted(rows, column)
        if not refused:  # that can be seen: one by one, the database says which
            return [one for row in rows for one in self.insert([row], keys)]
        return [*refused, *(self.insert(free, keys) if free else ())]

    def _parted(self, rows: list[M], column: str) -> tuple[list[M], list[M]]:
        """The rows whose keys are free, each once, and the others."""
        keys = [key for row in rows if (key := getattr(row, column)) is not None]
        taken = self._store.taken(column, keys)
        free: list[M] = []
        refused: list[M] = []
        for row in rows:
            key = getattr(row, column)
            (free if key is None or key not in taken else refused).append(row)
            taken.add(key)
        return free, refused

    def _is_held(self, row: M, column: str, error: IntegrityError) -> bool:
        """Whether its key is; the database may have named another reason first."""
        return is_duplicate(error, self._store.model, column) or self._store.rival(row) is not None

    def _insert_all(self, rows: list[M], keys: bool) -> None:
        if len(rows) == 1:
            self._insert_one(rows[0], keys and self._new_rows.gives_keys)
            return
        alias = self._store.alias
        connection = self._store.connection
        statements = self._new_rows.statements(rows, connection, keys=keys)
        if not statements:
            self._store.model._base_manager.using(alias).bulk_create(rows)
            inserted(rows, alias)
            return
        returned = self._carry_out(statements, keys and self._new_rows.gives_keys)
        for row, pk in zip(rows, returned, strict=bool(returned)):
            row.pk = pk
        inserted(rows, alias)

    def _insert_one(self, row: M, returns_key: bool) -> None:
        store, connection = self._store, self._store.connection
        watched = store.is_watched(connection)
        cursor_of = store.cursor if watched else store.cursor_of_statements
        statement = self._new_rows.one(row, connection, keys=returns_key, by_django=watched)
        if statement is None:
            row.save(using=store.alias, force_insert=True)
            return
        with self._marking(connection), cursor_of(connection) as cursor:
            cursor.execute(*statement)
            if returns_key:
                row.__dict__[self._new_rows.key] = self._new_rows.key_in(cursor)
        inserted([row], store.alias)

    def _carry_out(self, statements: list[Statement], keys: bool) -> list[Any]:
        """All or none of them. Returns the primary keys that they return."""
        store, connection = self._store, self._store.connection
        together = self._atomic(savepoint=False) if len(statements) > 1 else nullcontext()
        returned: list[Any] = []
        with together, self._marking(connection):
            for statement in statements:
                with store.cursor(connection) as cursor:
                    cursor.execute(*statement)
                    if keys:
                        returned += [pk for (pk,) in cursor.fetchall()]
        return returned

    def _marking(self, connection: Any) -> AbstractContextManager[Any]:
        """An error in the body spoils a transaction that is open, as with Django."""
        if not connection.in_atomic_block:
            return nullcontext()
        return transaction.mark_for_rollback_on_error(using=self._store.alias)

    def _atomic(self, *, savepoint: bool = True) -> AbstractContextManager[Any]:
        return transaction.atomic(using=self._store.alias, savepoint=savepoint)
