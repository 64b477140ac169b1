"""Requests whose Content-Type can't be read are answered with 415, not 500.

Django reads the Content-Type, and decodes the query string by its charset, while it
makes the request object. An exception there (from `a/b; c*=nonsense'en'd`, or
`charset=hex`) ends in the web server, as a 500 that no middleware or view can prevent.
These classes treat such a Content-Type as an empty one. Views that need one answer 415.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.handlers import asgi, wsgi

if TYPE_CHECKING:
    from django.http import HttpRequest
else:  # mixed into Django's own classes
    HttpRequest = object


class _UnreadableContentType(HttpRequest):
    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            super()._set_content_type_params(meta)  # type: ignore[misc]  # Django's own
        except (LookupError, ValueError):
            self.content_type, self.content_params, self._encoding = "", {}, None


class WSGIRequest(_UnreadableContentType, wsgi.WSGIRequest): ...


class ASGIRequest(_UnreadableContentType, asgi.ASGIRequest): ...
