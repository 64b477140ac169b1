"""Gunicorn's worker with threads, which doesn't let slow clients take them.

Gunicorn itself reads a request in a thread, and waits for its bytes for ever. So as
many clients as there are threads, each of which sends one byte and then nothing, would
stop the whole server. Here a request must arrive, and its response be taken, in time.
"""

from __future__ import annotations

import errno
import re
import selectors
import socket
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from gunicorn.workers.gthread import ThreadWorker

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: Seconds from a request's first byte to its last.
RECEIVE = 10.0
#: Bytes. A larger body is read by a thread: Django refuses most of them unread.
LARGE = 2_621_440
READ_AT_ONCE = 65_536
#: Bytes that all requests which haven't arrived yet may hold.
HELD = 64 * 1024 * 1024
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*(?=\r\n|$)")
LAST_CHUNK = re.compile(rb"(?:^|\r\n)0+[ \t]*(?:;[^\r\n]*)?\r\n")
#: Seconds for a client to take a piece of the response.
SEND = 30.0


class PatientSocket(socket.socket):
    """A blocking socket whose requests and responses have a deadline.

    Once it has passed, the connection ends as if the client had reset it: gunicorn and
    Django know how to handle that.
    """

    deadline: float | None = None

    @classmethod
    def adopt(cls, connection: socket.socket) -> PatientSocket:
        blocking = connection.getblocking()
        adopted = cls(connection.family, connection.type, fileno=connection.detach())
        adopted.setblocking(blocking)
        return adopted

    def begin(self) -> None:
        """A request begins: it must have arrived after RECEIVE seconds."""
        self.deadline = time.monotonic() + RECEIVE

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        if self.deadline is None or not self._waits():
            return super().recv(size, flags)
        self._allow(self.deadline - time.monotonic())
        try:
            return super().recv(size, flags)
        except TimeoutError:
            self._end()

    def sendall(self, data: Buffer, flags: int = 0, /) -> None:
        if not self._waits():
            return super().sendall(data, flags)
        self._allow(SEND)
        try:
            super().sendall(data, flags)
        except TimeoutError:
            self._end()

    def sendfile(self, *args: Any, **options: Any) -> int:
        self._allow(SEND)
        try:
            return super().sendfile(*args, **options)
        except TimeoutError:
            self._end()

    def _waits(self) -> bool:
        return self.gettimeout() != 0

    def _allow(self, seconds: float) -> None:
        if seconds <= 0:
            self._end()
        self.settimeout(seconds)

    def _end(self) -> NoReturn:
        # Otherwise gunicorn would wait for the client once more, to close politely.
        with suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)
        raise ConnectionResetError(errno.ECONNRESET, "The client is too slow.")


class PatientWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A request takes a thread once it has arrived, so that waiting for it costs none.

    Requests arrive in the main loop, as many at once as `worker_connections` allows. A
    body that is large, or not known in length, is read by the thread, by a deadline.
    """

    def enqueue_req(self, conn: Any) -> None:
        if self.cfg.is_ssl or self.cfg.http2_cleartext in ("prior-knowledge", "both"):
            super().enqueue_req(conn)  # other protocols begin before the request does
            return
        if not conn.initialized:
            conn.sock = PatientSocket.adopt(conn.sock)
            conn.init()
        conn.sock.setblocking(False)
        conn.arrived = bytearray(conn.parser.unreader.take_buffered())
        conn.timeout = time.monotonic() + RECEIVE
        self.pending_conns.append(conn)
        arrive = partial(self._arrive, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, arrive)
        arrive(conn.sock)  # it may be there already

    def _arrive(self, conn: Any, connection: socket.socket) -> None:
        """Takes what has come of a request, and passes it on if that is all of it."""
        ended = False
        if not is_whole(conn.arrived):
            try:
                received = connection.recv(READ_AT_ONCE)
            except BlockingIOError:
                return
            except OSError:
                received = b""
            conn.arrived += received
            ended = not received
        if ended or is_whole(conn.arrived) or self._holds_too_much(conn):
            self.poller.unregister(connection)
            self.pending_conns.remove(conn)
            conn.parser.unreader.unread(bytes(conn.arrived))
            conn.arrived.clear()
            super().enqueue_req(conn)

    def _holds_too_much(self, conn: Any) -> bool:
        if len(conn.arrived) <= READ_AT_ONCE:
            return False
        return sum(len(other.arrived) for other in self.pending_conns) > HELD

    def handle(self, conn: Any) -> Any:
        if isinstance(conn.sock, PatientSocket):
            conn.sock.begin()
        return super().handle(conn)


def is_whole(arrived: bytearray) -> bool:
    """Whether a thread need not wait for the rest of this request.

    It is handed on early if only a thread can go on with it: to refuse it, to ask for
    its body, or to read a body whose length isn't known before its end.
    """
    head, end, body = arrived.partition(b"\r\n\r\n")
    if not end:
        return len(arrived) > READ_AT_ONCE
    fields = head.lower()
    if b"\r\nexpect:" in fields:
        return True
    if b"\r\ntransfer-encoding:" in fields:
        return len(body) > READ_AT_ONCE or LAST_CHUNK.search(body) is not None
    lengths = CONTENT_LENGTH.findall(fields)
    length = int(lengths[0]) if lengths else 0
    return length > LARGE or len(body) >= length
