"""Gunicorn's worker with threads, which waits for a slow client only for so long.

Gunicorn itself reads a request in a thread, and waits for its bytes for ever. So as
many clients as there are threads, each of which sends one byte and then nothing, would
stop the whole server. Here a request must arrive, and its response be taken, in time.
"""

from __future__ import annotations

import errno
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
    """A connection takes no thread until its first byte has come."""

    def enqueue_req(self, conn: Any) -> None:
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        conn.sock = PatientSocket.adopt(conn.sock)
        conn.timeout = time.monotonic() + RECEIVE
        self.pending_conns.append(conn)
        readable = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, readable)

    def handle(self, conn: Any) -> Any:
        conn.sock.begin()
        return super().handle(conn)
