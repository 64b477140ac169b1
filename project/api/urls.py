"""URL patterns of the API's resources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path

from project.api.views import ResourceViewSet


def tolerant(route: str, view: Callable[..., Any], name: str) -> list[URLPattern]:
    """Patterns for `route`, with and without a trailing slash.

    Neither redirects to the other, because a redirected POST loses its body.
    """
    return [path(route, view, name=name), path(f"{route}/", view)]


def resource(prefix: str, viewset: type[ResourceViewSet]) -> list[URLPattern]:
    """Patterns for `<prefix>` and `<prefix>/<id>`.

    Their names are `<model>-list` and `<model>-detail`.
    """
    name = viewset.queryset.model._meta.model_name
    records = viewset.as_view({"get": "list", "post": "create"})
    record = viewset.as_view(
        {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}
    )
    return [
        *tolerant(prefix, records, name=f"{name}-list"),
        *tolerant(f"{prefix}/<str:id>", record, name=f"{name}-detail"),
    ]
