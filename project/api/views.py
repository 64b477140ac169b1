from __future__ import annotations

from typing import Any

from django.db import models
from django.urls import reverse
from rest_framework.exceptions import NotFound
from rest_framework.viewsets import ModelViewSet

from project.api import bodies, ids
from project.api.filters import ReferenceFilter
from project.api.schema import ResourceSchema


class ResourceViewSet(ModelViewSet):
    """The records of one model as a REST resource: `queryset` and `serializer_class` are all that it needs.

    Bodies may be plain or wrapped in the model's name. Ids that are unknown or malformed are not found.
    """

    lookup_field = "pk"
    lookup_url_kwarg = "id"
    schema = ResourceSchema()
    filter_backends = [ReferenceFilter]
    #: Query parameter → the relation that it filters by.
    filters: dict[str, str] = {}

    @property
    def model(self) -> type[models.Model]:
        return self.queryset.model

    def get_object(self) -> models.Model:
        found = ids.find(self.get_queryset(), self.kwargs[self.lookup_url_kwarg])
        if found is None:
            raise NotFound(f"There is no {self.model._meta.verbose_name} with this id.")
        return found

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        if "data" in kwargs:
            fields = self.get_serializer_class()().fields.items()
            writable = [name for name, field in fields if not field.read_only]
            kwargs["data"] = bodies.unwrap(kwargs["data"], self.model._meta.model_name, writable)
        return super().get_serializer(*args, **kwargs)

    def get_success_headers(self, data: Any) -> dict[str, str]:
        path = reverse(f"{self.model._meta.model_name}-detail", args=[data["id"]])
        return {"Location": self.request.build_absolute_uri(path)}
