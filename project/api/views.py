"""The base of the API's resources: list, create, retrieve, update, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.urls import reverse
from rest_framework import viewsets
from rest_framework.exceptions import NotFound

from project.api import bodies, ids
from project.api.filters import ReferenceFilter
from project.api.schema import ResourceSchema
from project.api.serializers import ResourceSerializer

if TYPE_CHECKING:
    ModelViewSet = viewsets.ModelViewSet[Any]
else:  # at run time the class takes no parameter
    ModelViewSet = viewsets.ModelViewSet


class ResourceViewSet(ModelViewSet):
    """The records of one model as a REST resource.

    A subclass needs only `queryset` and `serializer_class`. Bodies may be plain, or
    wrapped in the model's name. Unknown and malformed ids are not found.
    """

    queryset: models.QuerySet[Any]
    serializer_class: type[ResourceSerializer[Any]]
    lookup_field = "pk"
    lookup_url_kwarg = "id"
    schema = ResourceSchema()
    filter_backends = [ReferenceFilter]
    #: The relation that each query parameter filters by.
    filters: dict[str, str] = {}

    @property
    def model(self) -> type[models.Model]:
        return self.queryset.model

    @property
    def model_name(self) -> str:
        """Wraps bodies and begins the names of URLs: `post`."""
        return str(self.model._meta.model_name)

    def get_object(self) -> models.Model:
        found = ids.find(self.get_queryset(), self.kwargs[self.lookup_url_kwarg])
        if found is None:
            raise NotFound(f"There is no {self.model._meta.verbose_name} with this id.")
        return found

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        if "data" in kwargs:
            fields = self.serializer_class().fields.items()
            writable = [name for name, field in fields if not field.read_only]
            kwargs["data"] = bodies.unwrap(kwargs["data"], self.model_name, writable)
        return super().get_serializer(*args, **kwargs)

    def get_success_headers(self, data: Any) -> dict[str, str]:
        path = reverse(f"{self.model_name}-detail", args=[data["id"]])
        return {"Location": self.request.build_absolute_uri(path)}
