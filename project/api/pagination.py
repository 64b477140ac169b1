"""Lists by page: the body is a plain array, and `Link` headers name the other pages.

The headers follow RFC 8288.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import QuerySet
from rest_framework.exceptions import NotFound, ParseError, ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

#: A parameter that is longer is not read as a number.
MAX_DIGITS = 100
#: Bytes of text that a page holds at most, unless a single record has more.
MAX_BYTES = 4 * 1024 * 1024
#: How many records are read from the database at a time.
PART = 40


class LinkPagination(BasePagination):
    """`?page=` counts from 1; `?page_size=` goes up to `max_page_size`.

    A larger size is cut to that. Anything but a whole number from 1 is invalid. A page
    beyond the last is not found, except for the first page of an empty list.

    A page whose records are larger than MAX_BYTES is cut, too. Then `rel="next"` leads
    to the rest of the same page, by `?skip=`. So a client that follows `rel="next"`
    until there is none sees every record.
    """

    page_size = 100
    max_page_size = 1000

    def paginate_queryset(
        self, queryset: QuerySet[Any, Any] | Sequence[Any], request: Request, view: Any = None
    ) -> list[Any]:
        self.request = request
        size = min(_number(request, "page_size", self.page_size), self.max_page_size)
        paginator = Paginator(queryset, size)
        self.page = _number(request, "page", 1)
        self.last = paginator.num_pages
        if self.page > self.last:
            raise NotFound(f"There is no such page: the last one is {self.last}.")
        self.skip = _number(request, "skip", 0, least=0)
        wanted = max(0, size - self.skip)
        start = (self.page - 1) * size + self.skip
        records = _read(queryset, start, wanted)
        self.is_cut = len(records) < wanted and start + len(records) < paginator.count
        self.rest = self.skip + len(records)
        return records

    def get_paginated_response(self, data: Any) -> Response:
        pages = {"first": (1, 0), "last": (self.last, 0)}
        if self.skip or self.page > 1:
            pages["prev"] = (self.page, 0) if self.skip else (self.page - 1, 0)
        if self.is_cut:
            pages["next"] = (self.page, self.rest)
        elif self.page < self.last:
            pages["next"] = (self.page + 1, 0)
        links = [
            f'<{self._url(*pages[rel])}>; rel="{rel}"'
            for rel in ("first", "prev", "next", "last")
            if rel in pages
        ]
        return Response(data, headers={"Link": ", ".join(links)})

    def _url(self, page: int, skip: int) -> str:
        query = self.request.query_params.copy()
        query["page"] = str(page)
        query.pop("skip", None)
        if skip:
            query["skip"] = str(skip)
        text = urlencode(sorted(query.items()))
        return self.request.build_absolute_uri(f"{self.request.path}?{text}")

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        page = {"type": "integer", "minimum": 1, "default": 1}
        size = {**page, "default": self.page_size}
        skip = {"type": "integer", "minimum": 0, "default": 0}
        cut = (
            f"More than {self.max_page_size} is cut to {self.max_page_size}. A page of more than "
            f"{MAX_BYTES // 1024**2} MiB is cut, too: follow the Link to the next one."
        )
        rest = "How many records of the page to leave out. Links to the rest of a page set it."
        return [
            {"name": "page", "in": "query", "schema": page},
            {"name": "page_size", "in": "query", "schema": size, "description": cut},
            {"name": "skip", "in": "query", "schema": skip, "description": rest},
        ]


def _read(records: QuerySet[Any, Any] | Sequence[Any], start: int, wanted: int) -> list[Any]:
    """Up to `wanted` records from `start`, and as many as MAX_BYTES have room for.

    It reads PART records at a time, so that it holds few more than it returns.
    """
    found: list[Any] = []
    total = 0
    end = start + wanted
    for begin in range(start, end, PART):
        part = list(records[begin : min(begin + PART, end)])
        for record in part:
            total += _size(record)
            if found and total > MAX_BYTES:
                return found
            found.append(record)
        if len(part) < PART:
            break
    return found


def _size(record: Any) -> int:
    """Bytes of the record's texts as JSON has them."""
    texts = (value for value in vars(record).values() if isinstance(value, str))
    return sum(len(json.dumps(text, ensure_ascii=False).encode()) for text in texts)


def _number(request: Request, name: str, default: int, *, least: int = 1) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if len(text) > MAX_DIGITS:
        raise ParseError(f"{name!r} has more than {MAX_DIGITS} characters.")
    if not re.fullmatch("[0-9]+", text) or int(text) < least:
        raise ValidationError({name: [f"A whole number from {least} up is required."]})
    return int(text)
