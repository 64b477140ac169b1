from __future__ import annotations

from typing import Any

from django.db import models
from rest_framework import serializers
from rest_framework.exceptions import NotFound

from project.api import fields


class ResourceSerializer(serializers.ModelSerializer):
    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: fields.TextField,
        models.TextField: fields.TextField,
    }
    id = fields.IdField()

    def update(self, instance: models.Model, validated_data: dict[str, Any]) -> models.Model:
        """Writes the fields that were sent and no others, and never brings back a record deleted meanwhile."""
        if validated_data and not type(instance)._default_manager.filter(pk=instance.pk).update(
            **validated_data
        ):
            raise NotFound
        for name, value in validated_data.items():
            setattr(instance, name, value)
        return instance
