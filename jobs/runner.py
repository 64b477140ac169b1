"""Who executes a job: the text in `runner`, unique to one execution.

A worker is `<name>@<epoch>`. A container is `<place>/<attempt>@<epoch>#<nonce>`: the
nonce tells two starts of the same container apart, of which only the first may go on.
"""

from __future__ import annotations

import itertools
import os
import secrets
import socket
from collections.abc import Callable

_numbers = itertools.count(1)

#: Reads from this process's environment in which container it is, and which attempt of
#: it: (place, attempt). None if it is not in one that the function knows.
ReadContainer = Callable[[], "tuple[str, str] | None"]
_readers: list[ReadContainer] = []

#: Of a worker's name, in characters: `runner` adds the epoch to it.
LONGEST_NAME = 200
#: Of a place, as whoever watches it there can keep it.
LONGEST_PLACE = 64
LONGEST_ATTEMPT = 8


def register_container(read: ReadContainer) -> None:
    """Has `runjob` name its container by what `read` returns."""
    if read not in _readers:
        _readers.append(read)


def check_name(label: str, name: str) -> str:
    """The name, if a database, a log and a terminal can show it. Else raises
    ValueError.
    """
    if len(name) > LONGEST_NAME:
        raise ValueError(f"{label} has at most {LONGEST_NAME} characters.")
    if not name.isprintable():
        raise ValueError(f"{label} must be printable text, not {name!a}.")
    return name


def default_name() -> str:
    """A worker's name: Delayed Job's "host:… pid:…".

    Every further worker of the process gets a number behind it.
    """
    number = next(_numbers)
    name = f"host:{socket.gethostname()} pid:{os.getpid()}"
    return name if number == 1 else f"{name} #{number}"


def worker_runner(worker_name: str, epoch: int) -> str:
    return f"{worker_name}@{epoch}"


def container_runner(epoch: int) -> str:
    """This process as a container, or by its process id if it isn't in one.

    Raises ValueError for a place whose name is too long: a part of it could be another
    place's.
    """
    known = (found for read in _readers if (found := read()) is not None)
    place, attempt = next(known, (f"pid:{os.getpid()}", "1"))
    if len(place) > LONGEST_PLACE:
        raise ValueError(
            f"This container's name has {len(place)} characters ({place[:20]!a}…), and a job's "
            f"record keeps {LONGEST_PLACE}."
        )
    nonce = secrets.token_hex(4)
    return f"{place}/{attempt[:LONGEST_ATTEMPT]}@{epoch}#{nonce}"


def place_of(runner: str) -> str:
    """The place that a container's runner names; empty for any other runner."""
    return runner.partition("/")[0] if "#" in runner.rpartition("@")[2] else ""


def is_later_attempt(runner: str, than: str) -> bool:
    """Whether both are attempts of one place, and `runner` is the later one."""
    place = place_of(runner)
    return bool(place) and place == place_of(than) and _attempt_of(runner) > _attempt_of(than)


def _attempt_of(runner: str) -> int:
    attempt = runner.partition("/")[2].partition("@")[0]
    return int(attempt) if attempt.isdecimal() else 0
