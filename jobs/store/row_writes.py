"""The conditional writes of one row, by which everything is decided."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic

from jobs.store.reading import M

#: Field names to values; a name may end in `__in`, `__nin`, `__lt`, `__lte`, `__gt`,
#: `__gte` or `__icontains`. `a|b__icontains` has a list of texts, of which one must
#: be in one of these columns.
Conditions = Mapping[str, Any]


class RowWrites(ABC, Generic[M]):
    @abstractmethod
    def now(self) -> dt.datetime:
        """The database's time, in UTC.

        Leases are measured by it, because the clocks of the workers may disagree.
        """

    @abstractmethod
    def change(self, pk: Any, where: Conditions, changes: Mapping[str, Any]) -> bool:
        """Changes one row if it still is as `where` says, in one write; returns whether
        it was.
        """

    def apply(self, row: M, where: Conditions, changes: Mapping[str, Any]) -> bool:
        """Like `change`, for a row in hand: where it was changed, the instance is, too.

        Sets `updated_at` to the database's time.
        """
        changes = {**changes, "updated_at": self.now()}
        if not self.change(row.pk, where, changes):
            return False
        for name, value in changes.items():
            setattr(row, name, value)
        return True

    @abstractmethod
    def delete(self, pk: Any, where: Conditions) -> bool:
        """Deletes one row if it still is as `where` says, in one write; returns whether
        it was.
        """
