"""Headers that every answer has unless its view sets them.

The policies keep a page from running a script or loading a file that isn't ours, also
where a hostile value were shown unescaped.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
#: Scripts only from our files. Styles also inline: the admin sets a few of them so.
PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)


class SecurityHeaders:
    """Middleware that comes first, so that it sees every answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]):
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        is_page = response.get("Content-Type", "").startswith("text/html")
        # Django's own page about an error in development has inline scripts.
        if not (settings.DEBUG and is_page and response.status_code in (404, 500)):
            _default(response, "Content-Security-Policy", PAGE if is_page else NOTHING)
        _default(response, "X-Content-Type-Options", "nosniff")
        _default(response, "X-Frame-Options", "DENY")
        _default(response, "Referrer-Policy", "same-origin")
        _default(response, "Cache-Control", "no-store")
        return response


def _default(response: HttpResponseBase, name: str, value: str) -> None:
    if not response.has_header(name):
        response[name] = value
