"""Asks a job object in a process apart, which is ended if it doesn't answer.

Whoever reaps a job, unlocks it or watches it elsewhere has to load its object to know
what becomes of it. That runs somebody's code, and in C code nothing can interrupt it.

The process is forked: by the keeper, if this process has one, because it has a single
thread, so that no lock is held for ever in its children; else by this process. It gets
the row, says each answer in a line of JSON, and ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from django.apps import apps
from django.db import connections

from jobs.children import flush, kept_out
from jobs.execution import questions
from jobs.logs import about_the_job, get_logger
from jobs.payloads import codec
from jobs.store.cleanup import disown_all
from jobs.store.clients import forget_all

if TYPE_CHECKING:
    from jobs.models import AbstractJob

logger = get_logger(__name__)

#: For how many seconds the keeper may be busy before it forks.
FORKED_WITHIN = 60.0
#: For how many seconds an answer may be on its way.
ON_ITS_WAY = 1.0
#: The longest answer, in bytes.
LONGEST = 65_536

#: Forks a process that calls `answer` with this end of a socket. Raises OSError if that
#: can't be done.
Fork = Callable[[socket.socket], None]
_keeper: Fork | None = None


def forked_by(keeper: Fork | None) -> None:
    """From now on, `keeper` forks for this process."""
    global _keeper
    _keeper = keeper


class Apart:
    """Asks in a process of its own."""

    def verdict(self, job: AbstractJob, attempts: int, *, counted: bool) -> questions.Verdict:
        said = _said(job, "verdict", [attempts, counted], questions.ASKED_FOR)
        return questions.verdict_of(said, attempts, counted)

    def destroys(self, job: AbstractJob) -> bool:
        return questions.destroys_of(_said(job, "destroys", [], questions.ASKED_FOR))

    def call_failure_hook(self, job: AbstractJob) -> None:
        _said(job, "failure", [], questions.HOOK_LIMIT)


def _said(job: AbstractJob, question: str, arguments: list[Any], seconds: float) -> dict[str, Any]:
    """The answers that came in time, by name."""
    request = {
        "model": job._meta.label,
        "row": _row(job),
        "database": job._state.db,
        "question": question,
        "arguments": arguments,
        "seconds": seconds,
    }
    here, there = socket.socketpair()
    with here:
        pid = _fork(here, there)
        said: dict[str, Any] = {}
        ended = False
        try:
            here.settimeout(FORKED_WITHIN)
            here.sendall(json.dumps(request).encode())
            here.shutdown(socket.SHUT_WR)
            for answer in _lines(here, seconds + ON_ITS_WAY):
                said.update(answer)
            ended = said.pop("ended", False)
        except (OSError, ValueError) as error:
            logger.debug("The answers about job %s broke off: %s", job, error)
        finally:
            child = pid or said.pop("pid", None)
            if child is not None and not ended:
                _end(child)
            if pid is not None:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)
    said.pop("pid", None)
    if not ended:
        text = "Job %s was asked for its %s and didn't answer in %g s: the default is used."
        logger.warning(text, job, question, seconds)
    return {name: codec.decode(value) for name, value in said.items()}


def _row(job: AbstractJob) -> dict[str, Any]:
    """The columns as JSON, except those that have to be read again if they are used."""
    row = {}
    for field in job._meta.concrete_fields:
        with contextlib.suppress(KeyError, TypeError, ValueError, RecursionError):
            row[field.attname] = codec.encode(_plain(job.__dict__[field.attname]))
    return row


def _plain(value: Any) -> Any:
    """A text without its own class, such as that of a state."""
    return str.__str__(value) if isinstance(value, str) else value


def _lines(here: socket.socket, seconds: float) -> Iterator[dict[str, Any]]:
    """The answers; the first one is the id of the process, which has `seconds` then."""
    received, deadline = b"", time.monotonic() + FORKED_WITHIN
    while len(received) < LONGEST:
        here.settimeout(max(deadline - time.monotonic(), 0.001))
        more = here.recv(LONGEST)
        if not more:
            return
        *whole, received = (received + more).split(b"\n")
        for line in whole:
            answer = json.loads(line)
            if "pid" in answer:
                deadline = time.monotonic() + seconds
            yield answer


def _fork(here: socket.socket, there: socket.socket) -> int | None:
    """Returns the id of the process, if it is a child of this one."""
    with there:
        if _keeper is not None:
            with contextlib.suppress(OSError):
                _keeper(there)
                return None
        with warnings.catch_warnings():
            # That another thread may hold a lock: then the default is the answer.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            here.close()
            answer(there)
        return pid


def _end(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)


def answer(there: socket.socket) -> NoReturn:
    """In the process apart: answers what the other end of the socket asks, and ends."""
    try:
        os.setpgid(0, 0)  # what it starts is ended with it
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGCHLD):
            signal.signal(signum, signal.SIG_DFL)
        kept = [*disown_all(), *forget_all(map(connections.__getitem__, connections))]
        there.settimeout(FORKED_WITHIN)
        _say(there, {"pid": os.getpid()})
        request = json.loads(b"".join(iter(partial(there.recv, LONGEST), b"")))
        # Without a handler, so that the system ends it, even in C code.
        signal.setitimer(signal.ITIMER_REAL, request["seconds"])
        for name, value in _answers(request):
            _say(there, {name: codec.encode(value)})
        _say(there, {"ended": True})
        del kept
    except BaseException:
        logger.exception("A job object can't be asked.")
    finally:
        flush()
        os._exit(0)


def _answers(request: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    model = apps.get_model(request["model"])
    row = {name: codec.decode(value) for name, value in request["row"].items()}
    job = model.from_db(request["database"], list(row), list(row.values()))
    with about_the_job(job):
        if request["question"] == "verdict":
            attempts, counted = request["arguments"]
            yield from questions.answers(job, attempts, counted, _ask)
        elif request["question"] == "destroys":
            yield from questions.answer_destroys(job, _ask)
        else:
            questions.call_failure_hook(job, _ask)


def _ask(question: Callable[[], Any]) -> Any:
    with kept_out():  # what the object forks in turn; the whole process has the limit
        return question()


def _say(there: socket.socket, answer: dict[str, Any]) -> None:
    there.sendall(json.dumps(answer).encode() + b"\n")
