"""Requests whose Content-Type can't be read.

Django reads it, and decodes the query string by its charset, while it makes the request object: what raises there
(`a/b; c*=nonsense'en'd`, `charset=hex`) ends in the web server, as a 500 that no middleware or view can prevent. Here such
a Content-Type is one that names nothing, which views answer with 415 where they need it.
"""

from __future__ import annotations

from typing import Any

from django.core.handlers import asgi, wsgi


class _UnreadableContentType:
    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            super()._set_content_type_params(meta)  # type: ignore[misc]
        except (LookupError, ValueError):
            self.content_type, self.content_params, self._encoding = "", {}, None


class WSGIRequest(_UnreadableContentType, wsgi.WSGIRequest): ...


class ASGIRequest(_UnreadableContentType, asgi.ASGIRequest): ...
