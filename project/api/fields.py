from __future__ import annotations

from typing import Any

from django.db import models
from rest_framework import serializers

from project.api import ids


class TextField(serializers.CharField):
    """A string, exactly as sent: numbers aren't converted, spaces aren't trimmed. Only spaces count as blank."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class IdField(serializers.CharField):
    """The record's own id, as a string."""

    def __init__(self, **kwargs: Any):
        super().__init__(**{"source": "pk", "read_only": True, **kwargs})


class ReferenceField(serializers.PrimaryKeyRelatedField):
    """The id of another record, as a string. What names no record is invalid, malformed or not."""

    default_error_messages = {"does_not_exist": "There is no record with this id."}

    def to_representation(self, value: models.Model) -> str:
        return str(value.pk)

    def to_internal_value(self, data: Any) -> models.Model:
        found = ids.find(self.get_queryset(), data)
        if found is None:
            self.fail("does_not_exist")
        return found
