"""The base of the API's serializers: strict strings, ids as strings, safe updates."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db import models
from rest_framework import serializers
from rest_framework.exceptions import NotFound

from project.api import fields

Record = TypeVar("Record", bound=models.Model)


class ResourceSerializer(serializers.ModelSerializer[Record]):
    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: fields.TextField,
        models.TextField: fields.TextField,
    }
    id = fields.IdField()

    def update(self, instance: Record, validated_data: dict[str, Any]) -> Record:
        """Writes only the fields that were sent.

        If the record was deleted meanwhile, raises NotFound and doesn't bring it back.
        """
        record = type(instance)._default_manager.filter(pk=instance.pk)
        if validated_data and not record.update(**validated_data):
            raise NotFound
        for name, value in validated_data.items():
            setattr(instance, name, value)
        return instance
