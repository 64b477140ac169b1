"""`/healthz` says whether this process is alive, `/readyz` whether it can do its work.

It can do its work while the database answers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

try:
    from pymongo.errors import ConnectionFailure
except ImportError:  # without the driver nothing raises it
    ConnectionFailure = OperationalError  # type: ignore[assignment, misc]

#: How long the database may take to answer, in seconds.
PATIENCE = 3.0


def is_unavailability(error: BaseException) -> bool:
    """Whether `error` means that the database can't be reached.

    A statement that the database refused is a different kind of error.
    """
    if isinstance(error, (ConnectionFailure, OperationalError, InterfaceError)):
        return True
    cause = error.__cause__ if isinstance(error, DatabaseError) else None
    while cause is not None and not isinstance(cause, ConnectionFailure):
        cause = cause.__cause__  # djongo wraps it several times
    return cause is not None


def ask_database() -> None:
    """Returns once the database answers. If it doesn't, raises, or waits for long."""
    if connection.vendor == "mongodb":
        mongodb: Any = connection
        mongodb.database.command("ping")
        return
    if connection.vendor == "djongo":
        connection.ensure_connection()
        connection.connection.command("ping")
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


class Question:
    """Asks the database whether it is there, in a thread of its own.

    A driver may wait for an answer much longer than the client of `/readyz` does. Only
    one thread asks at a time: a request that comes meanwhile waits for its answer.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._answered = False

    def is_answered(self, patience: float) -> bool:
        """Whether the database answers within `patience` seconds."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._answered = False
                self._thread = threading.Thread(target=self._ask, name="readyz", daemon=True)
                self._thread.start()
            thread = self._thread
        thread.join(patience)
        return not thread.is_alive() and self._answered

    def _ask(self) -> None:
        try:
            ask_database()
            self._answered = True
        except Exception:  # noqa: S110 - whatever it is, the answer is no
            pass
        finally:
            connection.close()


_question = Question()


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """200 as long as the process handles requests. It doesn't touch the database."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """200 if the database answers, else 503, after at most PATIENCE seconds."""
    if _question.is_answered(PATIENCE):
        return JsonResponse({"status": "ready"})
    answer = {"status": "unavailable", "detail": "The database doesn't answer."}
    return JsonResponse(answer, status=503)


PATHS = {"/healthz": healthz, "/healthz/": healthz, "/readyz": readyz, "/readyz/": readyz}


class HealthMiddleware:
    """Answers the health paths before anything else looks at the request.

    A load balancer asks by IP address and without TLS. Later middleware would refuse
    that as a Host that isn't allowed, or redirect it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        view = PATHS.get(request.path_info)
        return view(request) if view is not None else self._get_response(request)
