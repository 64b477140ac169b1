"""Who may talk to localbatch: a program that signs its requests, never a web page.

localbatch runs commands, and any page that a developer opens may send requests to their
own machine. But a browser marks what a page sends by Origin or Sec-Fetch headers, can't
add an Authorization header without asking by OPTIONS first, and sends the name that it
looked up as Host. The signature itself isn't verified, because any credentials will do.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

SIGNATURE = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=[^/,\s]+/\d{8}/[\w-]+/[\w-]+/aws4_request, *"
    r"SignedHeaders=[\w;-]+, *Signature=[0-9a-f]{64}"
)
#: The headers of a request that no library signs, such as one for `/_calls`.
SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 "
    "Credential=local/20260101/us-east-1/batch/aws4_request, "
    f"SignedHeaders=host, Signature={'0' * 64}"
}
#: moto's own pages and routes, which show and change its state.
MOTO_ROUTES = ("/moto-api", "/favicon.ico", "/latest/")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`."""
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


class Guard:
    """Refuses requests that may come from a web page.

    A server on the loopback interface is called by its address and port, or by
    `localhost`. Any other may also be called by an IP address, or by one of `names`.
    """

    def __init__(self, host: str, port: int, names: Iterable[str] = ()):
        self._names = {name.lower() for name in (host, *names)}
        self._only_here = is_loopback(host)
        self._here = {f"{name}:{port}" for name in (host, "localhost", "127.0.0.1")}

    def refusal(self, environ: Mapping[str, Any]) -> str | None:
        """One sentence on why this request is refused, or None."""
        marks = ("HTTP_ORIGIN", "HTTP_SEC_FETCH_", "HTTP_ACCESS_CONTROL_REQUEST_")
        if any(name.startswith(marks) for name in environ):
            return "A web page sent this request: localbatch answers programs only."
        if not self._is_own_name(environ.get("HTTP_HOST", "").lower()):
            return "The Host header names another server: use the address that localbatch printed."
        if not SIGNATURE.fullmatch(environ.get("HTTP_AUTHORIZATION", "")):
            return "The request has no AWS4-HMAC-SHA256 signature in its Authorization header."
        if environ["REQUEST_METHOD"] == "OPTIONS" or environ["PATH_INFO"].startswith(MOTO_ROUTES):
            return "localbatch doesn't serve this."
        return None

    def _is_own_name(self, host: str) -> bool:
        if self._only_here:
            return host in self._here
        name = re.sub(r":\d+$", "", host)
        if name in self._names or name == "localhost":
            return True
        with suppress(ValueError):
            ipaddress.ip_address(name.strip("[]"))
            return True
        return False
