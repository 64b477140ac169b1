"""Ids as the API shows them: strings, whatever the database's primary keys are."""

from __future__ import annotations

import re
from typing import Any

from django.db import models

OBJECT_ID = r"^[0-9a-fA-F]{24}$"
# No more digits than every SQL database's big integer holds.
INTEGER = r"^(0|[1-9][0-9]{0,17})$"


def pattern(model: type[models.Model]) -> str:
    """The regular expression that ids of `model` match."""
    return OBJECT_ID if model._meta.pk.get_internal_type() == "ObjectIdAutoField" else INTEGER


def schema(model: type[models.Model]) -> dict[str, Any]:
    """An id of `model` in OpenAPI."""
    return {"type": "string", "pattern": pattern(model)}


def parse(model: type[models.Model], text: Any) -> Any:
    """The primary key that `text` stands for, or None where it can't be one."""
    if not isinstance(text, str) or not re.fullmatch(pattern(model), text):
        return None
    return model._meta.pk.to_python(text)


def find(queryset: models.QuerySet, text: Any) -> models.Model | None:
    """The record with this id, or None: unknown and malformed ids are the same to whoever looks one up."""
    pk = parse(queryset.model, text)
    return None if pk is None else queryset.filter(pk=pk).first()
