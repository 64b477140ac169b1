"""Partial indexes, on each database as far as it has them."""

from __future__ import annotations

from typing import Any

from django.db import models


class PartialIndex(models.Index):
    """An index of the rows that meet `condition`, which costs nothing for all others.

    PostgreSQL and SQLite use it for a query whose own conditions imply this one,
    MongoDB only for a plain equality. With any other condition, and on a database that
    can't make partial indexes, it is an index of all rows.
    """

    def create_sql(
        self, model: type[models.Model], schema_editor: Any, using: str = "", **kwargs: Any
    ) -> Any:
        partial = (
            schema_editor.connection.features.supports_partial_indexes
            and schema_editor.connection.vendor != "djongo"
        )
        if not partial and self.condition:
            return self._of_all().create_sql(model, schema_editor, using=using, **kwargs)
        return super().create_sql(model, schema_editor, using=using, **kwargs)

    def get_pymongo_index_model(
        self, model: type[models.Model], schema_editor: Any, **kwargs: Any
    ) -> Any:
        index: Any = super() if self._is_equality or not self.condition else self._of_all()
        return index.get_pymongo_index_model(model, schema_editor, **kwargs)

    @property
    def _is_equality(self) -> bool:
        children = self.condition.children if self.condition else []
        return len(children) == 1 and isinstance(children[0], tuple) and "__" not in children[0][0]

    def _of_all(self) -> models.Index:
        index = self.clone()
        index.condition = None
        return index
