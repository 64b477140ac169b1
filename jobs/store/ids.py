"""What is the id of a row: a value of its primary key's type, or how that prints."""

from __future__ import annotations

from operator import index
from typing import Any

#: No database has a larger key that is a whole number.
LARGEST = 2**63 - 1


def id_of(field: Any, pk: Any) -> Any:
    """The key as the model keeps it in that field; None if `pk` can't be one.

    Of the texts for a whole number, only the one that it prints as is its id.
    """
    try:
        found = field.to_python(pk)
        if not isinstance(found, int):
            return found
        is_same = str(found) == pk if isinstance(pk, str) else index(pk) == found
    except Exception:
        return None
    is_key = is_same and not isinstance(pk, bool) and abs(found) <= LARGEST
    return found if is_key else None
