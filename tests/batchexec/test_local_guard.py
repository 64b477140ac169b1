"""No web page gets localbatch to run a command, or to show anything: the requests that
browsers make, exactly.
"""

from __future__ import annotations

import http.client
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from batchexec.local.guard import SIGNED, Guard, is_loopback
from batchexec.local.server import LocalBatch
from jobs.folders import make_private
from tests.batchexec.local_helpers import Batch

JOB = {
    "jobName": "page",
    "jobQueue": "delayed-jobs",
    "jobDefinition": "delayed-jobs",
    "containerOverrides": {"command": ["true"]},
}
TEXT = {"Content-Type": "text/plain;charset=UTF-8"}
EVIL = {"Origin": "http://evil.example"}
#: What pages have been seen to send, by Chromium, Firefox and Safari.
FROM_PAGES = {
    "fetch without cors": {
        **TEXT,
        **EVIL,
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "no-cors",
        "Sec-Fetch-Dest": "empty",
    },
    "a form": {
        **TEXT,
        "Origin": "null",
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "iframe",
    },
    "a form of an old browser": {**TEXT, "Referer": "http://evil.example/"},
    "an old browser's fetch": {**TEXT, **EVIL},
    "a page on another port": {
        **TEXT,
        "Origin": "http://localhost:3000",
        "Sec-Fetch-Site": "same-site",
    },
    "the same origin": {**TEXT, "Sec-Fetch-Site": "same-origin"},
    "a link": {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-User": "?1"},
    "a beacon": {**EVIL, "Content-Type": "application/json"},
    "a signature by a page": {**EVIL, **SIGNED},
    "a signature by a page without an origin": {"Sec-Fetch-Site": "cross-site", **SIGNED},
    "nothing at all": {},
}
PATHS = (
    "/v1/submitjob",
    "/v1/describejobs",
    "/v1/tags/x",
    "/_faults",
    "/_calls",
    "/moto-api/",
    "/moto-api/data.json",
    "/moto-api/reset",
    "/",
)


@pytest.fixture(scope="module")
def server() -> Iterator[LocalBatch]:
    with LocalBatch(create=True, start_delay=3600) as server:
        yield server


def ask(
    server: LocalBatch, method: str, path: str, headers: dict[str, str], body: Any = None
) -> tuple[int, Any, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    try:
        connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        content = b"" if body is None else json.dumps(body).encode()
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            connection.putheader(name, value)
        connection.endheaders(content)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def test_a_program_that_signs_is_served(server):
    server.reset_calls()
    assert ask(server, "POST", "/v1/submitjob", SIGNED, JOB)[0] == 200
    assert len(server.calls()["submissions"]) == 1
    assert Batch(server.url).submit("true")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", FROM_PAGES.values(), ids=FROM_PAGES)
def test_a_page_gets_nothing_done_or_shown(server, headers, path):
    before = server.calls()
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
        status, got, content = ask(server, method, path, headers, JOB if method == "POST" else None)
        assert status == 403
        assert not [name for name in got if name.lower().startswith("access-control-")]
        assert b"jobId" not in content
    assert (server.calls(), server.faults()) == (before, [])


def test_a_page_may_not_ask_whether_it_may(server):
    """The preflight of a fetch with an Authorization header."""
    wanted = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    for headers in ({**EVIL, **wanted}, wanted, {**SIGNED, **wanted}, SIGNED):
        assert ask(server, "OPTIONS", "/v1/submitjob", headers)[0] == 403


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1.evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "10.0.0.1:{port}",
        "",
        "[::1]x",
    ],
)
def test_another_name_than_its_own_is_refused(server, host):
    """A name of the page's that leads to this machine: DNS rebinding."""
    headers = {**SIGNED, "Host": host.format(port=server.port)}
    assert ask(server, "POST", "/v1/submitjob", headers, JOB)[0] == 403
    assert (
        ask(server, "POST", "/v1/submitjob", {**SIGNED, "Host": f"LOCALHOST:{server.port}"}, JOB)[0]
        == 200
    )


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "x",
        "Basic eDp5",
        "Bearer x",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a/b",
        SIGNED["Authorization"][:-1],
        SIGNED["Authorization"] + "x",
    ],
)
def test_a_request_without_a_signature_is_refused(server, authorization):
    server.reset_calls()
    assert ask(server, "POST", "/v1/submitjob", {"Authorization": authorization}, JOB)[0] == 403
    assert server.calls() == {"counts": {}, "refusals": {}, "submissions": []}


def test_motos_own_routes_are_gone_and_its_answers_invite_no_page(server):
    for path in (
        "/moto-api",
        "/moto-api/",
        "/moto-api/data.json",
        "/moto-api/reset",
        "/favicon.ico",
        "/latest/meta-data/x",
    ):
        for method in ("GET", "POST"):
            assert ask(server, method, path, SIGNED)[0] == 403
    described = ask(server, "POST", "/v1/describejobqueues", SIGNED, {})
    assert (described[0], b"delayed-jobs" in described[2]) == (200, True)
    assert not [name for name in described[1] if name.lower().startswith("access-control-")]


def test_a_length_that_is_no_number_is_refused(server):
    headers = {**SIGNED, "Content-Length": "x"}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    try:
        connection.request("POST", "/v1/submitjob", headers=headers)
        assert connection.getresponse().status == 400
    finally:
        connection.close()


def test_elsewhere_it_is_called_by_an_address_or_a_name_that_it_was_given():
    guard = Guard("0.0.0.0", 5005, ["localbatch"])
    request = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/v1/submitjob",
        "HTTP_AUTHORIZATION": SIGNED["Authorization"],
    }
    for host in (
        "localbatch:5005",
        "LocalBatch",
        "10.1.2.3:80",
        "[fe80::1]:5005",
        "localhost:5005",
    ):
        assert guard.refusal({**request, "HTTP_HOST": host}) is None, host
    for host in ("evil.example:5005", "localbatch.evil.example", "", "10.1.2.3.evil.example"):
        assert guard.refusal({**request, "HTTP_HOST": host}), host


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "", "0", "::", "10.1.2.3", "example.org", "127.0.0.1.evil.example"]
)
def test_whoever_opens_it_to_other_machines_must_say_so(host):
    assert not is_loopback(host)
    with pytest.raises(CommandError, match="add --i-know-that-it-executes-commands"):
        call_command("localbatch", host=host)


def test_loopback_needs_no_consent():
    assert all(map(is_loopback, ("127.0.0.1", "127.0.0.2", "::1", "localhost")))


def test_its_folders_are_for_this_user_alone(tmp_path: Path):
    folder = tmp_path / "var" / "localbatch"
    with LocalBatch(create=True, start_delay=0, folder=folder) as server:
        batch = Batch(server.url)
        batch.finished(batch.submit("true"))
    make_private(folder)  # a second time isn't an error
    for path in (folder, folder.parent, folder / "processes"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
