"""Serializer fields: strings exactly as sent, and ids as strings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from rest_framework import serializers

from project.api import ids

if TYPE_CHECKING:
    PrimaryKeyField = serializers.PrimaryKeyRelatedField[models.Model]
else:  # at run time the class takes no parameter
    PrimaryKeyField = serializers.PrimaryKeyRelatedField


class TextField(serializers.CharField):
    """A string exactly as sent: numbers aren't converted, and spaces aren't trimmed.

    A string of nothing but spaces counts as blank.
    """

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class IdField(serializers.CharField):
    """The record's own id, as a string."""

    def __init__(self, **kwargs: Any):
        super().__init__(**{"source": "pk", "read_only": True, **kwargs})


class ReferenceField(PrimaryKeyField):
    """The id of another record, as a string. Unknown and malformed ids are invalid."""

    default_error_messages = {"does_not_exist": "There is no record with this id."}

    def to_representation(self, value: Any) -> str:
        return str(value.pk)

    def to_internal_value(self, data: Any) -> models.Model:
        queryset = self.get_queryset()
        assert queryset is not None, "A ReferenceField needs a queryset to look ids up in."
        found = ids.find(queryset, data)
        if found is None:
            self.fail("does_not_exist")
        return found
