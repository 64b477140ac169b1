"""Serves HTTP by werkzeug's threaded server.

Unlike werkzeug's own, it can be stopped at once and can reset connections.
"""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import suppress
from typing import Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Port 0 takes a free one. Raises OSError if it is taken."""
    listening = socket.socket()
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(1024)
    except BaseException:
        listening.close()
        raise
    return listening


class Handler(WSGIRequestHandler):
    def connection_dropped(
        self, error: BaseException, environ: dict[str, Any] | None = None
    ) -> None:
        self.close_connection = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class Server(ThreadedWSGIServer):
    """Serves each connection on a thread of its own. `stop()` ends them all."""

    # Closing the server joins its threads.
    daemon_threads = False

    def __init__(self, application: Any, listening: socket.socket):
        host, port = listening.getsockname()[:2]
        super().__init__(host, port, application, handler=Handler, fd=listening.fileno())
        self._connections: set[Any] = set()
        self._lock = threading.Lock()

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        with self._lock:
            self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        # A shutdown before closing would send a FIN, where a fault may want a reset.
        with self._lock:
            self._connections.discard(request)
        self.close_request(request)

    def stop(self) -> None:
        self.shutdown()
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):  # the client may be gone already
                    connection.shutdown(socket.SHUT_RD)

    def log(self, type: str, message: str, *args: Any) -> None:
        logger.log(logging.ERROR if type == "error" else logging.DEBUG, message, *args)
