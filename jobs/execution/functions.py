"""Functions that a job replaces for good, where the queue itself calls them.

Who replaces `time.time` or `logging.Logger.info` and doesn't put it back, as a test of
that job would, changes it for the worker and for every later job. Whatever is replaced
elsewhere stays.
"""

from __future__ import annotations

import _thread
import builtins
import copy
import datetime
import functools
import gc
import hashlib
import hmac
import json
import logging
import marshal
import os
import re
import select
import signal
import socket
import sys
import threading
import time
import traceback
import types
import warnings
from operator import itemgetter
from typing import Any

#: Modules and classes, with the names of what the queue, Django and the drivers call of
#: them between two jobs. Of those without names, everything that can be called.
OWNERS: list[tuple[Any, str]] = [
    (
        time,
        "clock_gettime gmtime localtime monotonic perf_counter process_time sleep strftime time",
    ),
    (datetime, "date datetime time timedelta timezone"),
    (logging, "Formatter Handler LogRecord Logger StreamHandler currentframe getLogger"),
    (logging.Filterer, ""),
    (logging.Logger, ""),
    (logging.Handler, ""),
    (logging.StreamHandler, ""),
    (logging.Formatter, ""),
    (logging.LogRecord, ""),
    (
        os,
        "_exit chdir close dup dup2 fork fsdecode fspath fstat getcwd getpid getppid kill open "
        "pipe read stat umask urandom waitpid write",
    ),
    (os._Environ, ""),
    (threading, "Condition Event Lock RLock Thread Timer current_thread get_ident main_thread"),
    (threading.Thread, ""),
    (threading.Event, ""),
    (threading.Condition, ""),
    (_thread, "allocate_lock get_ident start_new_thread"),
    (
        signal,
        "alarm getsignal pthread_sigmask set_wakeup_fd setitimer signal",
    ),
    (
        sys,
        "_getframe exc_info getprofile getrecursionlimit getswitchinterval gettrace "
        "setprofile setrecursionlimit setswitchinterval settrace",
    ),
    (socket, "create_connection getaddrinfo gethostname getdefaulttimeout setdefaulttimeout"),
    (socket.socket, "close connect recv send sendall settimeout"),
    (select, "poll select"),
    (json, "dumps loads"),
    (json.JSONEncoder, ""),
    (json.JSONDecoder, ""),
    (marshal, "dumps loads"),
    (hmac, "compare_digest digest new"),
    (hashlib, "new sha256"),
    (re, "compile fullmatch match search sub"),
    (copy, "copy deepcopy"),
    (functools, "partial wraps"),
    (gc, "disable enable get_threshold isenabled set_threshold"),
    (traceback, "format_exception print_exception"),
    (warnings, "resetwarnings warn"),
]

# Bound here, and not looked up when they are needed: a job may have replaced them, too.
_setattr, _zip, _Error = setattr, zip, BaseException
_builtins = vars(builtins)


def _names(owner: Any, names: str) -> tuple[str, ...]:
    if names:
        return tuple(name for name in names.split() if name in vars(owner))
    kinds = (types.FunctionType, staticmethod, classmethod)
    return tuple(name for name, value in vars(owner).items() if isinstance(value, kinds))


#: Of the builtins, what isn't an error.
_BUILTINS = tuple(
    name
    for name, value in _builtins.items()
    if callable(value)
    and not (isinstance(value, type) and issubclass(value, BaseException))
    and name not in ("_", "copyright", "credits", "exit", "help", "license", "quit")
)
#: Each with what reads all of them at once.
_WATCHED = [
    (owner, vars(owner), names, itemgetter(*names))
    for owner, names in [(builtins, _BUILTINS), *((one, _names(one, some)) for one, some in OWNERS)]
]


class Functions:
    """As they were when `keep` was called."""

    def __init__(self) -> None:
        self._kept: list[tuple[Any, ...]] = []

    def keep(self) -> None:
        self._kept = [read(known) for _, known, _, read in _WATCHED]

    def put_back(self) -> list[str]:
        """Returns the names of those that were replaced."""
        replaced = []
        for (owner, known, names, read), before in _zip(_WATCHED, self._kept):
            try:
                if read(known) == before:  # which looks at what they are first
                    continue
            except _Error:
                pass  # one is gone, or it can't be compared
            for name, value in _zip(names, before):
                if known.get(name) is not value:
                    _setattr(owner, name, value)
                    replaced.append(f"{owner.__name__}.{name}")
        return replaced
