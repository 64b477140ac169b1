"""Requests at random, to every path: never a server error, and nothing of the inside in
an answer.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import strategies as st

from tests.fuzz.budget import holds
from tests.wsgi import ask

pytestmark = pytest.mark.django_db(transaction=True)

IDS = st.sampled_from(
    ["1", "0", "-1", "9" * 30, "a" * 24, "0" * 24, "%00", "..", "$ne", "{}", " ", "é"]
)
LATIN = st.text(st.characters(max_codepoint=255), max_size=60)
PATHS = st.one_of(
    st.sampled_from(
        [
            "/posts",
            "/comments",
            "/healthz",
            "/schema",
            "/docs",
            "/metrics",
            "/admin/",
            "/admin/login/",
            "/",
        ]
    ),
    st.tuples(
        st.sampled_from(["/posts/", "/comments/", "/static/", "/admin/jobs/job/"]), IDS | LATIN
    ).map("".join),
    LATIN.map("/{}".format),
)
METHODS = st.sampled_from(
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "X", "get"]
)
NAMES = st.sampled_from(
    [
        "title",
        "body",
        "name",
        "message",
        "post_id",
        "post",
        "comment",
        "id",
        "page",
        "page_size",
        "skip",
        "version",
    ]
)
KEYS = st.one_of(
    NAMES,
    st.tuples(st.sampled_from(["post", "comment", "", "["]), NAMES | LATIN).map(
        lambda pair: f"{pair[0]}[{pair[1]}]"
    ),
    LATIN,
)
VALUES = st.one_of(
    LATIN,
    st.text(),
    IDS,
    st.integers().map(str),
    st.sampled_from(["%", "%zz", "%ff", "%ed%a0%80", "0" * 5000 + "1"]),
)
PAIRS = st.lists(st.tuples(KEYS, VALUES).map("=".join), max_size=6).map("&".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(), inner, max_size=5)
    ),
    max_leaves=20,
)
PART = st.tuples(
    st.sampled_from(
        [
            'form-data; name="title"',
            "form-data; name=title; filename=x",
            "form-data",
            "form-data; name*=x'en'y",
            "x",
        ]
    )
    | LATIN,
    st.binary(max_size=60),
).map(
    lambda part: (
        b"--b\r\nContent-Disposition: "
        + part[0].encode("latin-1")
        + b"\r\n\r\n"
        + part[1]
        + b"\r\n"
    )
)
TYPES = [
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
    "text/plain",
    "",
    "*/*",
    ";",
    "a/b; c*=x'en'd",
]
#: A text and how often it is repeated: short where Hypothesis shows its strategies.
LONG = st.sampled_from(
    [
        (b"", 0),
        (b"[", 100_000),
        (b'{"title":', 50_000),
        (b"a[", 20_000),
        (b"1", 10_000),
        (b"\xff", 100),
    ]
)
BODIES = st.one_of(
    st.binary(max_size=200),
    JSON.map(lambda value: json.dumps(value).encode()),
    JSON.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    PAIRS.map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(PART, max_size=4).map(lambda parts: b"".join(parts) + b"--b--\r\n"),
    LONG.map(lambda part: part[0] * part[1]),
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "HTTP_ACCEPT",
            "HTTP_HOST",
            "HTTP_COOKIE",
            "HTTP_IF_NONE_MATCH",
            "HTTP_IF_MODIFIED_SINCE",
            "HTTP_RANGE",
            "HTTP_ORIGIN",
            "HTTP_REFERER",
            "HTTP_AUTHORIZATION",
            "CONTENT_LENGTH",
        ]
    ),
    LATIN
    | st.sampled_from(
        [
            "a/b; c*=x'en'd",
            "*",
            '""',
            "bytes=0-",
            "bytes=9-1",
            "text/html",
            "9" * 5000,
            "-1",
            "sessionid=x; csrftoken=y",
        ]
    ),
    max_size=3,
)
CONTENT_TYPES = st.one_of(
    st.sampled_from(TYPES),
    st.tuples(
        st.sampled_from(TYPES),
        st.sampled_from(["utf-8", "idna", "hex", "utf-16", "undefined"]) | LATIN,
    ).map("; charset=".join),
    LATIN,
)


@pytest.fixture(autouse=True)
def _served(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]


def is_answered(method: str, path: str, query: str, body: bytes, headers: dict[str, str]) -> None:
    status, content = ask(
        method, path, query.encode("utf-8", "surrogatepass").decode("latin-1"), body, **headers
    )
    assert 200 <= status < 500, (status, content[:300])
    assert b"Traceback" not in content


def test_no_request_is_a_server_error():
    def law(method, path, query, body, content_type, headers):
        is_answered(method, path, query, body, {"CONTENT_TYPE": content_type, **headers})

    holds("requests", law, METHODS, PATHS, PAIRS | LATIN, BODIES, CONTENT_TYPES, HEADERS)


def test_no_body_is_a_server_error():
    def law(method, path, body, content_type):
        is_answered(method, path, "", body, {"CONTENT_TYPE": content_type})

    methods = st.sampled_from(["POST", "PUT", "PATCH"])
    paths = st.sampled_from(["/posts", "/comments", "/posts/1"])
    holds("bodies", law, methods, paths, BODIES, st.sampled_from(TYPES[:3]))


def test_no_query_is_a_server_error():
    def law(path, query):
        is_answered("GET", path, query, b"", {})

    paths = st.sampled_from(["/posts", "/comments", "/schema", "/docs", "/admin/login/"])
    holds("queries", law, paths, PAIRS | LATIN)
