"""`/healthz`: is this process alive? `/readyz`: can it do its work, that is: does the database answer?"""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

try:
    from pymongo.errors import ConnectionFailure
except ImportError:  # without MongoDB nothing raises it
    ConnectionFailure = OperationalError  # type: ignore[assignment, misc]

#: How long the database may take to answer, in seconds.
PATIENCE = 3.0


def is_unavailability(error: BaseException) -> bool:
    """Whether `error` says that the database can't be reached, as opposed to: that it refused a statement."""
    if isinstance(error, (ConnectionFailure, OperationalError, InterfaceError)):
        return True
    cause = error.__cause__ if isinstance(error, DatabaseError) else None
    while cause is not None and not isinstance(cause, ConnectionFailure):
        cause = cause.__cause__  # djongo wraps it several times
    return cause is not None


def ask_database() -> None:
    """Returns when the database answers; raises, or doesn't return, when it doesn't."""
    if connection.vendor == "mongodb":
        connection.database.command("ping")
        return
    if connection.vendor == "djongo":
        connection.ensure_connection()
        connection.connection.command("ping")
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


class Question:
    """Asks the database whether it is there, in a thread of its own: drivers may wait for an answer much longer than
    whoever sent the request. One thread at a time: who asks meanwhile waits for the same answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._answered = False

    def is_answered(self, patience: float) -> bool:
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
    """200 as long as the process handles requests; doesn't touch the database."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers, 503 when it doesn't, after at most PATIENCE seconds."""
    if _question.is_answered(PATIENCE):
        return JsonResponse({"status": "ready"})
    return JsonResponse(
        {"status": "unavailable", "detail": "The database doesn't answer."}, status=503
    )


PATHS = {"/healthz": healthz, "/healthz/": healthz, "/readyz": readyz, "/readyz/": readyz}


class HealthMiddleware:
    """Answers before anything else looks at the request: a load balancer asks by address and without TLS, which would be
    refused as a Host that isn't allowed, or redirected."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        view = PATHS.get(request.path_info)
        return view(request) if view is not None else self._get_response(request)
