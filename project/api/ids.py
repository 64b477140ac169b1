"""Ids as the API shows them: always strings, whatever type the primary keys have."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from django.db import models

Record = TypeVar("Record", bound=models.Model)

OBJECT_ID = r"^[0-9a-fA-F]{24}$"
# At most as many digits as the big integer of every SQL database holds.
INTEGER = r"^(0|[1-9][0-9]{0,17})$"


def pattern(model: type[models.Model]) -> str:
    """The regular expression that ids of `model` match."""
    kind = model._meta.pk.get_internal_type()
    return OBJECT_ID if kind == "ObjectIdAutoField" else INTEGER


def schema(model: type[models.Model]) -> dict[str, Any]:
    """The OpenAPI schema of an id of `model`."""
    return {"type": "string", "pattern": pattern(model)}


def parse(model: type[models.Model], text: Any) -> Any:
    """The primary key that `text` stands for, or None if it is malformed."""
    if not isinstance(text, str) or not re.fullmatch(pattern(model), text):
        return None
    return model._meta.pk.to_python(text)


def find(queryset: models.QuerySet[Record], text: Any) -> Record | None:
    """The record with this id, or None if the id is unknown or malformed."""
    pk = parse(queryset.model, text)
    return None if pk is None else queryset.filter(pk=pk).first()
