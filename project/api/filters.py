"""Filtering a list by a reference: `/comments?post_id=<id>`."""

from __future__ import annotations

from typing import Any

from django.db import models
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend

from project.api import ids


class ReferenceFilter(BaseFilterBackend):
    """Chooses the records that refer to another record.

    With `filters = {"post_id": "post"}` in a view, `?post_id=` chooses by the relation
    `post`. An unknown id chooses nothing; a malformed one is a ValidationError.
    """

    def filter_queryset(
        self, request: Any, queryset: models.QuerySet[Any, Any], view: Any
    ) -> models.QuerySet[Any, Any]:
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
    target = model._meta.get_field(relation).related_model
    assert isinstance(target, type), f"{model.__name__}.{relation} is not a relation."
    return target
