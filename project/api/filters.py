from __future__ import annotations

from typing import Any

from django.db import models
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend

from project.api import ids


class ReferenceFilter(BaseFilterBackend):
    """The records that refer to another one: `filters = {"post_id": "post"}` in a view lets `?post_id=` choose them.

    An unknown id chooses none; a malformed one is invalid.
    """

    def filter_queryset(
        self, request: Any, queryset: models.QuerySet, view: Any
    ) -> models.QuerySet:
        for parameter, relation in view.filters.items():
            text = request.query_params.get(parameter)
            if text is None:
                continue
            pk = ids.parse(_target(queryset.model, relation), text)
            if pk is None:
                raise ValidationError({parameter: ["This is not an id."]})
            queryset = queryset.filter(**{relation: pk})
        return queryset

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {"name": parameter, "in": "query", "schema": ids.schema(_target(view.model, relation))}
            for parameter, relation in view.filters.items()
        ]


def _target(model: type[models.Model], relation: str) -> type[models.Model]:
    return model._meta.get_field(relation).related_model
