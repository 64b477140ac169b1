"""Requests whose Content-Type or Accept can't be read are answered with 400, not 500.

Django reads the Content-Type, and decodes the query string by its charset, while it
makes the request object. An exception there (from `charset=idna`, or `a/b; c*=x'en'd`)
ends in the web server, as a 500 that no middleware or view can prevent. The request
classes below never raise. They decode everything as UTF-8, and `RefuseUnreadable`
answers for every path.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from django.core.handlers import asgi, wsgi
from django.http import JsonResponse
from django.http.request import HttpRequest as AnyRequest
from django.http.response import HttpResponseBase

try:
    from django.utils.http import parse_header_parameters
except ImportError:  # Django 3.1
    from rest_framework.compat import parse_header_parameters  # type: ignore

if TYPE_CHECKING:
    from django.http import HttpRequest
else:  # mixed into Django's own classes
    HttpRequest = object

#: US-ASCII is a part of UTF-8.
READABLE = {"utf-8", "ascii"}


def problem(meta: Mapping[str, Any]) -> str | None:
    """One sentence on why a request with these headers can't be read, or None."""
    if unreadable := _problem_of_type(meta.get("CONTENT_TYPE") or ""):
        return unreadable
    for accepted in (meta.get("HTTP_ACCEPT") or "").split(","):
        if _parameters(accepted) is None:
            return "The Accept header can't be read."
    return None


def _problem_of_type(content_type: str) -> str | None:
    parameters = _parameters(content_type)
    if parameters is None:
        return "The Content-Type header can't be read."
    charset = parameters.get("charset")
    if charset is not None and not _is_readable(charset):
        return "The Content-Type names a charset other than UTF-8: send UTF-8."
    return None


def _parameters(header: str) -> Mapping[str, str] | None:
    """The parameters of a header such as Content-Type, or None if it can't be read."""
    try:
        parameters: Mapping[str, str] = parse_header_parameters(header)[1]
    except Exception:  # the parser is the standard library's, made for e-mail
        return None
    return parameters


def _is_readable(charset: str) -> bool:
    try:
        return codecs.lookup(charset).name in READABLE
    except (LookupError, ValueError):
        return False


class _InUtf8(HttpRequest):
    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        self.content_type, self.content_params, self._encoding = "", {}, None
        if _problem_of_type(meta.get("CONTENT_TYPE") or "") is None:
            super()._set_content_type_params(meta)  # type: ignore[misc]  # Django's own


class WSGIRequest(_InUtf8, wsgi.WSGIRequest): ...


class ASGIRequest(_InUtf8, asgi.ASGIRequest): ...


class RefuseUnreadable:
    """Middleware that answers requests which can't be read."""

    def __init__(self, get_response: Callable[[AnyRequest], HttpResponseBase]):
        self._get_response = get_response

    def __call__(self, request: AnyRequest) -> HttpResponseBase:
        if unreadable := problem(request.META):
            return JsonResponse({"detail": unreadable}, status=400)
        return self._get_response(request)
