"""Clients that send nothing, send half, or take nothing, in front of the real web
server.
"""

from __future__ import annotations

import http.client
import itertools
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.processes import ROOT
from tests.servers import free_port, wait_for_port

HOST = b"Host: localhost\r\n"
HALVES = {
    "nothing": b"",
    "half a line": b"GET /posts",
    "half a header": b"GET /posts HTTP/1.1\r\nHost: loc",
    "half a body": b"POST /posts HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\nx",
    "half a chunk": b"POST /posts HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\n\r\n50\r\nx",
    "no answer taken": b"GET /static/project/docs.js HTTP/1.1\r\n" + HOST + b"\r\n",
}


#: Seconds. A busy machine may hold anybody up for some of them.
LIMIT = 120
#: Gunicorn that waits for its clients for an hour.
PATIENT = """
from gunicorn.app.wsgiapp import run
from project import patience
patience.RECEIVE = patience.SEND = 3600.0
run()
"""


class Web:
    """Gunicorn as the image runs it, in one process, on SQLite."""

    def __init__(self, folder: Path, *started: str):
        self.port = free_port()
        self.log = folder / "log"
        environment = {
            **os.environ,
            "PORT": str(self.port),
            "WEB_CONCURRENCY": "1",
            "DEBUG": "true",
            "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        }
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, *started, "project.wsgi"],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wait_for_port(self.port, given_up=lambda: self.process.poll() is not None, log=self.log)

    def connect(self, data: bytes) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT)
        connection.sendall(data)
        return connection

    def is_healthy(self) -> bool:
        url = f"http://127.0.0.1:{self.port}/healthz"
        with urllib.request.urlopen(url, timeout=LIMIT) as answer:
            return answer.status == 200


@contextmanager
def served(folder: Path, *started: str) -> Iterator[Web]:
    web = Web(folder, *started)
    try:
        yield web
    finally:
        web.process.terminate()
        web.process.wait(LIMIT)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """It drops who is slow, which may be the test itself."""
    with served(tmp_path_factory.mktemp("web"), "-m", "gunicorn") as web:
        yield web


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """It drops nobody, so whoever is silent here is so for ever."""
    with served(tmp_path_factory.mktemp("patient"), "-c", PATIENT) as web:
        yield web


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
def test_silent_connections_do_not_stop_the_health_check(patient, half):
    """Many more than there are threads, unless it is the answer that isn't taken."""
    with ExitStack() as silent:
        for _ in range(8 if half.startswith(b"GET /static") else 100):
            silent.enter_context(closing(patient.connect(half)))
        for _ in range(5):
            assert patient.is_healthy()


def test_a_request_that_does_not_arrive_in_time_is_dropped(web):
    began = time.monotonic()
    with ExitStack() as connections:
        silent = {
            name: connections.enter_context(closing(web.connect(half)))
            for name, half in HALVES.items()
            if name != "no answer taken"
        }
        for name, connection in silent.items():
            with suppress(ConnectionResetError):
                while connection.recv(1000):
                    pass
            assert time.monotonic() - began > 5, name


def test_a_request_that_drips_is_dropped_too(web):
    """One byte a second never lets a time-out between two bytes pass."""
    began = time.monotonic()
    with closing(web.connect(HALVES["half a body"])) as dripping:
        dripping.settimeout(1)
        while time.monotonic() - began < LIMIT:
            try:
                dripping.sendall(b"x")
                if dripping.recv(1000) == b"":
                    break
            except TimeoutError:
                pass
            except OSError:
                break
    assert 5 < time.monotonic() - began < LIMIT


def test_requests_are_served_as_ever(patient):
    """In pieces, kept alive, several at once in one connection, with a body and with an
    expectation.
    """
    get = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
    with closing(patient.connect(get[:20])) as connection:
        connection.sendall(get[20:] + get + get)
        received = b""
        while received.count(b'{"status": "ok"}') < 3:
            received += connection.recv(1000) or pytest.fail(f"{received!r}")
        head = (
            b"POST /nowhere HTTP/1.1\r\n"
            + HOST
            + b"Content-Length: 10\r\nExpect: 100-continue\r\n\r\n"
        )
        connection.sendall(head)
        connection.sendall(b"0123456789")
        received = b""
        while b"404 Not Found" not in received:
            received += connection.recv(1000) or pytest.fail(f"{received!r}")


def test_bodies_arrive_whole(patient):
    """In the pieces that the system makes of them."""
    headers = {"Content-Type": "application/json", "Host": "localhost"}
    for size, status, sentence in (
        (0, 400, "holds neither"),
        (10, 400, "This is not JSON"),
        (100_000, 400, "nested too deeply"),
        (2_500_000, 400, "nested too deeply"),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", patient.port, timeout=LIMIT)
        with closing(connection):
            connection.request("POST", "/posts", b"[" * size, headers)
            answer = connection.getresponse()
            assert (answer.status, sentence in answer.read().decode()) == (status, True), size
    for chunks in (1, 2, 200):
        connection = http.client.HTTPConnection("127.0.0.1", patient.port, timeout=LIMIT)
        with closing(connection):
            parts = [b"x" * 1000] * chunks
            connection.request("POST", "/nowhere", iter(parts), headers, encode_chunked=True)
            assert connection.getresponse().status == 404


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(patient):
    head = b"POST /posts HTTP/1.1\r\nContent-Type: application/json\r\n" + HOST
    with closing(patient.connect(head + b"Content-Length: 5000000\r\n\r\n")) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_many_clients_at_once_are_all_answered(patient):
    """More than there are threads; each keeps its connection."""

    def ask(number: int) -> list[int]:
        connection = http.client.HTTPConnection("127.0.0.1", patient.port, timeout=LIMIT)
        with closing(connection):
            found = []
            for _ in range(20):
                connection.request("GET", "/healthz", headers={"Host": "localhost"})
                answer = connection.getresponse()
                answer.read()
                found.append(answer.status)
            return found

    with ThreadPoolExecutor(40) as clients:
        assert set(itertools.chain.from_iterable(clients.map(ask, range(40)))) == {200}


@pytest.mark.parametrize("name", ["web", "patient"])
def test_no_client_is_an_error_in_the_log(name, request):
    log = request.getfixturevalue(name).log.read_text()
    assert "Traceback" not in log
    assert "ERROR" not in log
