"""`/schema` and `/docs`: what describes the API to programs and to people.

The schema is the same for everybody until the next deployment, so it is made once for
each process. Making it isn't safe in two threads: drf-spectacular keeps the operation
that it describes on the views' shared schema objects.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer2, OpenApiYamlRenderer2
from drf_spectacular.settings import spectacular_settings
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.views import APIView


@dataclass(frozen=True)
class Document:
    content: bytes
    etag: str


class Documents:
    """The schema as each renderer writes it, made when somebody first asks for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[type[Any], Document] = {}

    def get(self, renderer: type[Any]) -> Document:
        with self._lock:
            if renderer not in self._made:
                generator: Any = SchemaGenerator
                schema = generator().get_schema(request=None, public=True)
                content = renderer().render(schema, renderer_context={})
                etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
                self._made[renderer] = Document(content, etag)
            return self._made[renderer]


documents = Documents()


class SchemaView(APIView):
    """The OpenAPI schema with an ETag.

    JSON comes first, so it is the default: more programs read it than YAML.
    """

    renderer_classes = [OpenApiJsonRenderer2, OpenApiYamlRenderer2]
    schema = None

    def get(self, request: Request) -> HttpResponseBase:
        if problem := _problem(request._request):
            raise ParseError(problem)
        renderer: Any = request.accepted_renderer
        document = documents.get(type(renderer))
        response = HttpResponse(document.content, content_type=renderer.media_type)
        response["Vary"] = "Accept"
        return _revalidated(request._request, response, document.etag)


@require_safe
def docs(request: HttpRequest) -> HttpResponseBase:
    """The page to try the API."""
    if problem := _problem(request):
        return JsonResponse({"detail": problem}, status=400)
    response = render(request, "project/docs.html", {"title": spectacular_settings.TITLE})
    return _revalidated(request, response, f'"{hashlib.sha256(response.content).hexdigest()[:32]}"')


def _problem(request: HttpRequest) -> str | None:
    """`?version=` can only be the version that there is."""
    version: str = spectacular_settings.VERSION
    if request.GET.get("version", version) != version:
        return f"The API has no such version, only {version}."
    return None


def _revalidated(request: HttpRequest, response: HttpResponse, etag: str) -> HttpResponseBase:
    """`response`, or a 304 if the client has it. A client must ask each time."""
    response["ETag"] = etag
    response["Cache-Control"] = "no-cache"
    return get_conditional_response(request, etag=etag, response=response) or response
