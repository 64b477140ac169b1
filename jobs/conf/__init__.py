"""JOBS: the settings of the queue.

Defaults are Delayed Job's unless a comment says otherwise.
"""

from __future__ import annotations

from typing import Any

from jobs.conf.options import (
    Option,
    Options,
    boolean,
    duration,
    integer,
    keys,
    optional_integer,
    positive_integer,
    string,
    string_list,
)


def queue_name(value: Any) -> str:
    if not 1 <= len(string(value)) <= LONGEST_QUEUE_NAME:
        raise ValueError(f"a name of 1 to {LONGEST_QUEUE_NAME} characters")
    return str(value)


def bool_or_callable(value: Any) -> Any:
    if isinstance(value, bool) or callable(value):
        return value
    raise TypeError("True, False or a callable")


def signal_exceptions(value: Any) -> bool | str:
    if value not in (True, False, "term"):
        raise ValueError('False, "term" or True')
    return value


def queue_attributes(value: Any) -> dict[str, dict[str, int]]:
    wanted = 'a dictionary such as {"mail": {"priority": -5}}'
    if not isinstance(value, dict):
        raise TypeError(wanted)
    for attributes in value.values():
        if not isinstance(attributes, dict) or set(attributes) - {"priority"}:
            raise ValueError(wanted)
        integer(attributes.get("priority", 0))
    return value


def lease(value: Any) -> float:
    seconds = duration(value)
    if seconds < 4 * SHORTEST_HEARTBEAT:
        raise ValueError(f"at least four heartbeats ({4 * SHORTEST_HEARTBEAT:g} seconds)")
    return seconds


#: What the column holds, in characters.
LONGEST_QUEUE_NAME = 255
#: A lease is renewed every quarter of it, but hardly more often than this, in seconds.
SHORTEST_HEARTBEAT = 0.25

settings = Options(
    "JOBS",
    {
        "MAX_ATTEMPTS": Option(positive_integer, 25),
        "MAX_RUN_TIME": Option(duration, 4 * 3600),
        "SLEEP_DELAY": Option(duration, 5),
        "DEFAULT_PRIORITY": Option(integer, 0),
        "DEFAULT_QUEUE_NAME": Option(queue_name, "default", is_text=True),  # Delayed Job: none
        "QUEUE_ATTRIBUTES": Option(queue_attributes, {}),
        "DELAY_JOBS": Option(bool_or_callable, True),
        "DESTROY_FAILED_JOBS": Option(boolean, False),  # Delayed Job: true, which loses data
        "RAISE_SIGNAL_EXCEPTIONS": Option(signal_exceptions, False),
        "READ_AHEAD": Option(positive_integer, 5),
        "MIN_PRIORITY": Option(optional_integer, None),
        "MAX_PRIORITY": Option(optional_integer, None),
        "QUEUES": Option(string_list, []),
        "EXIT_ON_COMPLETE": Option(boolean, False),
        "PLUGINS": Option(string_list, ["jobs.plugins.ClearLocks"]),
        # How long a worker or a container may be silent before it counts as dead.
        # Delayed Job: MAX_RUN_TIME.
        "LEASE": Option(lease, 60),
        # How long a succeeded job's row is kept; 0 deletes it, as Delayed Job does.
        "KEEP_SUCCEEDED_FOR": Option(duration, 0),
        # The same of a job that keeps its result, such as a task of django.tasks.
        "KEEP_RESULTS_FOR": Option(duration, 24 * 3600),
        # How long it is kept for the person on call what became of jobs, by the minute,
        # and each failed attempt; 0: not at all.
        "KEEP_ACTIVITY_FOR": Option(duration, 30 * 86_400),
        "KEEP_ATTEMPTS_FOR": Option(duration, 30 * 86_400),
        # How long after it was enqueued a job may name a class or a field that a worker
        # doesn't know yet; 0: it fails at once.
        "DEPLOY_WINDOW": Option(duration, 15 * 60),
        # The first signs handlers, all verify them; None: SECRET_KEY and its fallbacks.
        "SIGNING_KEYS": Option(keys, None, secret=True),
    },
)
