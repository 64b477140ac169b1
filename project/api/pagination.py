"""Lists by page: the body is a plain array, `Link` headers (RFC 8288) say where the other pages are."""

from __future__ import annotations

import re
from math import ceil
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response


class LinkPagination(BasePagination):
    """`?page=` from 1, `?page_size=` up to `max_page_size` (more is cut to that).

    What is no such number is invalid; a page beyond the last is not found, except the first page of an empty list.
    """

    page_size = 100
    max_page_size = 1000

    def paginate_queryset(
        self, queryset: QuerySet, request: Request, view: Any = None
    ) -> list[Any]:
        self.request = request
        self.size = min(_positive(request, "page_size", self.page_size), self.max_page_size)
        self.page = _positive(request, "page", 1)
        self.last = max(1, ceil(queryset.count() / self.size))
        if self.page > self.last:
            raise NotFound(f"There is no such page: the last one is {self.last}.")
        return list(queryset[(self.page - 1) * self.size : self.page * self.size])

    def get_paginated_response(self, data: Any) -> Response:
        pages = {"first": 1, "prev": self.page - 1, "next": self.page + 1, "last": self.last}
        links = [
            f'<{self._url(page)}>; rel="{rel}"'
            for rel, page in pages.items()
            if 1 <= page <= self.last
        ]
        return Response(data, headers={"Link": ", ".join(links)})

    def _url(self, page: int) -> str:
        query = self.request.query_params.copy()
        query["page"] = str(page)
        return self.request.build_absolute_uri(
            f"{self.request.path}?{urlencode(sorted(query.items()))}"
        )

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        number = {"type": "integer", "minimum": 1}
        cut = f"More than {self.max_page_size} is cut to {self.max_page_size}."
        return [
            {"name": "page", "in": "query", "schema": {**number, "default": 1}},
            {
                "name": "page_size",
                "in": "query",
                "schema": {**number, "default": self.page_size},
                "description": cut,
            },
        ]


def _positive(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not re.fullmatch("0*[1-9][0-9]{0,99}", text):
        raise ValidationError({name: ["A whole number from 1 up is required."]})
    return int(text)
