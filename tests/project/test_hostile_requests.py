"""No header and no query string is a server error, on any path: 400, or what it would
be without the header.
"""

from __future__ import annotations

import asyncio
import codecs
import encodings.aliases
import itertools
from typing import Any

import pytest

from posts.models import Post
from project import health
from tests.wsgi import ask

pytestmark = pytest.mark.django_db(transaction=True)

PATHS = (
    "/healthz",
    "/readyz",
    "/posts",
    "/schema",
    "/docs",
    "/metrics",
    "/admin/login/",
    "/static/project/docs.js",
    "/nowhere",
)
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
BODIES = {
    JSON: b'{"title": "\xc3\xa4"}',
    FORM: b"title=%C3%A4",
    "multipart/form-data; boundary=b": b"--b--",
}
CHARSETS = sorted(
    {
        *encodings.aliases.aliases.values(),
        "undefined",
        "idna",
        "punycode",
        "unicode_escape",
        "nonsense",
        "",
        "a\x01b",
        "x" * 999,
        "é",
    }
)
UNPARSABLE = (
    "a/b; c*=x'en'd",
    "a/b; c*=\x01'en'd",
    "application/json; charset*=nonsense'en'utf-8",
    "a/b; c*0*=x'en'd; c*1=e",
)
#: Their parameters are read in one way or another.
ODD = (
    "a/b; c*=hex'en'd",
    "a/b; c*=idna'en'%ff",
    "a/b; c*=utf-16'en'%ff",
    "a/b; c*0=d; c*2=e; c*x=f",
    "a/b; c*=''",
    "a/b; *=*; =; ;",
)


@pytest.fixture(autouse=True)
def _served(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    # Else /readyz is a 503 where the machine is so busy that the database takes long.
    monkeypatch.setattr(health, "PATIENCE", 120)


def is_utf8(charset: str) -> bool:
    try:
        return codecs.lookup(charset).name in ("utf-8", "ascii")
    except (LookupError, ValueError):
        return False


@pytest.mark.parametrize("path", PATHS)
def test_every_charset_but_utf8_is_refused_on_every_path(path):
    assert len(CHARSETS) > 90
    kinds = itertools.cycle(BODIES.items())
    for charset, (kind, body) in zip(CHARSETS, kinds, strict=False):
        for method, sent in (("GET", b""), ("POST", body)):
            content_type = f"{kind}; charset={charset}"
            status, content = ask(method, path, "x=%ff&page=%ff", sent, CONTENT_TYPE=content_type)
            if is_utf8(charset):
                assert status < 500, content_type
            elif charset.isprintable() and charset.isascii():
                assert (status, b"UTF-8" in content) == (400, True), content_type
            else:
                assert status in (400, 415), content_type


@pytest.mark.parametrize("path", PATHS)
def test_a_content_type_or_accept_that_cannot_be_read_is_refused_on_every_path(path):
    for header in UNPARSABLE:
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            for body in (b"", b"x"):
                assert ask(method, path, "", body, CONTENT_TYPE=header)[0] == 400
        assert ask("GET", path, "", HTTP_ACCEPT=header)[0] == 400
        assert ask("GET", path, "", HTTP_ACCEPT=f"text/html, {header}")[0] == 400


@pytest.mark.parametrize("path", PATHS)
def test_odd_parameters_are_no_server_error(path):
    for header in (*ODD, *(text.replace("; c", "; charset") for text in ODD)):
        for method in ("GET", "POST"):
            assert ask(method, path, "x=%ff", b"x", CONTENT_TYPE=header)[0] < 500
            assert ask(method, path, "x=%ff", b"x", HTTP_ACCEPT=header)[0] < 500


GARBAGE = (
    "",
    "\0",
    "\n",
    "\r\n x",
    "\xff\xfe",
    "é",
    ";;;",
    "=",
    '"',
    "''",
    "9" * 5000,
    "-1",
    "[",
    "http://[",
    "*'*'*",
    "x" * 9000,
    "(" * 500,
)
HEADERS = (
    "CONTENT_TYPE",
    "CONTENT_LENGTH",
    "HTTP_ACCEPT",
    "HTTP_ACCEPT_CHARSET",
    "HTTP_ACCEPT_ENCODING",
    "HTTP_ACCEPT_LANGUAGE",
    "HTTP_AUTHORIZATION",
    "HTTP_COOKIE",
    "HTTP_EXPECT",
    "HTTP_FORWARDED",
    "HTTP_HOST",
    "HTTP_IF_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_RANGE",
    "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_ORIGIN",
    "HTTP_RANGE",
    "HTTP_REFERER",
    "HTTP_TRANSFER_ENCODING",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_HTTP_METHOD_OVERRIDE",
    "HTTP_X_REQUESTED_WITH",
)


@pytest.mark.parametrize("path", PATHS)
def test_no_header_is_a_server_error(path):
    for header in HEADERS:
        for value in GARBAGE:
            for method, body in (("GET", b""), ("POST", b"title=x"))[
                : 2 if path == "/posts" else 1
            ]:
                options = {"CONTENT_TYPE": FORM, header: value}
                assert ask(method, path, "", body, **options)[0] < 500, (method, header, value[:30])


NUMBERS = (
    "",
    "%00",
    "%0a",
    "%0d%0a",
    "%ff",
    "%F0%9F%98%80",
    "0" * 4300 + "1",
    "9" * 4301,
    "-1",
    "1e9",
    "%D9%A1",
    "[",
    "{$ne:1}",
    "a" * 9000,
)
PARAMETERS = (
    "page",
    "page_size",
    "skip",
    "post_id",
    "post_id[$ne]",
    "version",
    "lang",
    "format",
    "x",
    "%00",
    "%ff",
    "[",
    "",
)


@pytest.mark.parametrize("path", PATHS)
def test_no_query_is_a_server_error(path):
    for parameter in PARAMETERS:
        for value in NUMBERS:
            assert ask("GET", path, f"{parameter}={value}")[0] < 500, (parameter, value[:30])
    for query in ("&" * 5000, "=" * 5000, "a=1&" * 2000, "%", "%zz", "\xff", "\0", ";"):
        assert ask("GET", path, query)[0] < 500, query[:30]


@pytest.mark.parametrize("name", ["page", "page_size", "skip"])
def test_a_number_of_thousands_of_digits_is_refused(name):
    for digits in ("0" * 4300 + "1", "9" * 4301, "9" * 101):
        status, content = ask("GET", "/posts", f"{name}={digits}")
        assert (status, content) == (
            400,
            b'{"detail":"\'%s\' has more than 100 characters."}' % name.encode(),
        )


@pytest.mark.parametrize("path", ["/schema", "/docs"])
def test_a_version_that_there_is_not_is_refused(path):
    for version in ("%0a", "%0d%0a", "%00", "2", "%ff", "x" * 5000):
        assert ask("GET", path, f"version={version}")[0] == 400
    assert ask("GET", path, "version=1.0.0")[0] == 200


def test_a_body_that_ended_early_writes_nothing():
    for content_type, body in [
        (JSON, b'{"title": "x"}'),
        (FORM, b"title=x"),
        ("multipart/form-data; boundary=b", MULTIPART),
    ]:
        assert ask("POST", "/posts", "", body, CONTENT_TYPE=content_type)[0] == 201
        Post.objects.all().delete()
        status, content = ask(
            "POST", "/posts", "", body, CONTENT_TYPE=content_type, CONTENT_LENGTH="1000"
        )
        assert (status, content) == (400, b'{"detail":"The body ended early."}')
        assert not Post.objects.exists()


MULTIPART = b'--b\r\nContent-Disposition: form-data; name="title"\r\n\r\nx\r\n--b--\r\n'


@pytest.mark.parametrize("path", ["/healthz", "/docs", "/nowhere"])
@pytest.mark.parametrize("header", ["a/b; charset=idna", *UNPARSABLE[:3]])
def test_an_asgi_server_gets_the_same_answer(path, header):
    """These views ask no database, so that the test may leave the thread."""
    assert asyncio.run(ask_by_asgi(path, b"x=%ff", header)) == 400
    assert asyncio.run(ask_by_asgi(path, b"x=\xff", "text/plain")) == 400  # Django's own answer


async def ask_by_asgi(path: str, query: bytes, content_type: str) -> int:
    from project.asgi import application

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": [(b"host", b"testserver"), (b"content-type", content_type.encode("latin-1"))],
    }
    body_is_sent = asyncio.Event()
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not body_is_sent.is_set():
            body_is_sent.set()
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.Event().wait()  # the client stays until it has its answer
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await asyncio.wait_for(application(scope, receive, send), 120)
    return int(sent[0]["status"])
