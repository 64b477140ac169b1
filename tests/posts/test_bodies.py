"""Bodies that can't be read: 400 (or 413, 415) with one sentence, whatever is wrong
with them, and nothing is written.
"""

from __future__ import annotations

import pytest
from django.core.handlers.wsgi import WSGIHandler
from rest_framework.exceptions import ParseError

from posts.models import Post
from project.api import bodies
from project.requests import WSGIRequest

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


def part(header: bytes, value: bytes) -> bytes:
    return (
        b"--b\r\nContent-Disposition: form-data; " + header + b"\r\n\r\n" + value + b"\r\n--b--\r\n"
    )


UNREADABLE = [
    (JSON, b"", 400),
    (JSON, b"{}", 400),
    (JSON, b'{"colour": "red"}', 400),
    (JSON, b'{"id": "1"}', 400),
    (JSON, b"{", 400),
    (JSON, b"[]", 400),
    (JSON, b'[{"title": "x"}]', 400),
    (JSON, b"null", 400),
    (JSON, b'"title"', 400),
    (JSON, b'{"post": "title"}', 400),
    (JSON, b'{"post": null, "title": "x"}', 400),
    (JSON, b'{"post": ["title"]}', 400),
    (JSON, b'{"title": NaN}', 400),
    (JSON, b'{"title": ' + b"9" * 5000 + b"}", 400),
    (JSON, b'{"title": "\xff"}', 400),
    (JSON, '{"title": "x"}'.encode("utf-16"), 400),
    (JSON + "; charset=latin-1", b'{"title": "\xff"}', 400),
    (JSON, b"[" * 200_000, 400),
    (JSON, b'{"title":' * 200_000, 400),
    (JSON, b'{"\\ud800": 1}', 400),
    (JSON, b'{"title": "' + b"x" * 3_000_000 + b'"}', 413),
    (FORM, b"", 400),
    (FORM, b"colour=red", 400),
    (FORM, b"title=%ff", 400),
    (FORM, b"title=\xff", 400),
    (FORM, b"post=x&post[title]=y", 400),
    (FORM, b"post[title]=x&post=y", 400),
    (FORM, b"post[title]=x&post[title][y]=z", 400),
    (FORM, b"post" + b"[a]" * 1000 + b"=x", 400),
    (FORM, b"&".join(b"a%d=1" % number for number in range(1001)), 400),
    (FORM, b"title=" + b"x" * 3_000_000, 413),
    (MULTIPART, b"", 400),
    (MULTIPART, b"junk", 400),
    (MULTIPART, part(b'name="colour"', b"red"), 400),
    (MULTIPART, part(b'name="title"', b"\xff"), 400),
    (MULTIPART, part(b'name="title"; filename="f"', b"x"), 400),
    (MULTIPART, part(b"name*=nonsense'en'title", b"x"), 400),
    (MULTIPART, part(b'name="title"', b"x" * 3_000_000), 413),
    (
        MULTIPART,
        b"".join(part(b'name="a%d"' % number, b"")[:-7] for number in range(1001)) + b"--b--\r\n",
        400,
    ),
    ("multipart/form-data", b"x", 400),
    ("multipart/form-data; boundary=\xff", b"x", 400),
    ("application/xml", b"<title/>", 415),
    ("text/plain", b"title=x", 415),
    ("", b"title=x", 415),
    (";;;", b"title=x", 415),
    ("\xff/\xfe", b"title=x", 415),
    ("a" * 5000, b"title=x", 415),
]


@pytest.mark.django_db
def test_bodies_that_cannot_be_read(client):
    for content_type, body, status in UNREADABLE:
        response = client.generic("POST", "/posts", body, content_type=content_type)
        assert response.status_code == status, (content_type, body[:50], response.content)
        assert list(response.json()) == ["detail"]
    assert not Post.objects.exists()


@pytest.mark.django_db
def test_fields_of_the_wrong_kind_are_invalid(client):
    for content_type, body in [
        (JSON, b'{"title": ' + b"[" * 100 + b"]" * 100 + b"}"),
        (JSON, b'{"title": 1e999}'),
        (FORM, b"post[title][]=x"),
        (FORM, b"post[title][a]=x"),
        (FORM, b"title=%00"),
        (MULTIPART, part(b'name="title"', b"\0")),
    ]:
        response = client.generic("POST", "/posts", body, content_type=content_type)
        assert (response.status_code, list(response.json())) == (422, ["title"]), body[:50]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; a*=nonsense'en'x",
        "text/plain; charset=hex",
        "text/plain; charset=undefined",
    ],
)
def test_content_types_that_django_cannot_read(rf, content_type):
    handler = WSGIHandler()
    handler.request_class = WSGIRequest
    environ = rf.generic(
        "POST", "/posts?page=%ff", b'{"title": "x"}', content_type="text/plain"
    ).environ
    started = []
    handler(
        {**environ, "CONTENT_TYPE": content_type}, lambda status, headers: started.append(status)
    ).close()
    assert started == ["400 Bad Request"]


def test_form_fields_nest_as_in_rails():
    assert bodies.read_form(b"a=1&a=2&b[c]=3&b[d]=&e[f][g]=4&h[]=5&%5B=6&i") == {
        "a": "2",
        "b": {"c": "3", "d": ""},
        "e": {"f": {"g": "4"}},
        "h": {"": "5"},
        "[": "6",
        "i": "",
    }


def test_json_may_start_with_a_byte_order_mark():
    assert bodies.read_json('\ufeff{"a": "ä"}'.encode()) == {"a": "ä"}
    with pytest.raises(ParseError, match="This is not JSON"):
        bodies.read_json(b"")
