"""The measures of `bench.measures`, for the peer that BENCH_PEER names.

`python -m bench.peers.measures NAME OPTIONS` is called in the same way.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import import_module
from typing import Any

import django


def drain(jobs_number: int) -> dict[str, Any]:
    """Tasks per second, from the first claim to the last record, by one worker."""
    _fill(jobs_number)
    seconds = peer.drain(jobs_number)
    _check(peer.finished(), jobs_number)
    peer.forget()
    return {"per_second": jobs_number / seconds}


def enqueue(jobs_number: int, many: bool = False) -> dict[str, Any]:
    """Tasks per second, enqueued one by one, or with `many` by one call."""
    way = peer.enqueue_many if many else peer.enqueue
    way(1)  # connects
    peer.forget()
    began = time.perf_counter()
    way(jobs_number)
    seconds = time.perf_counter() - began
    _check(peer.unfinished(), jobs_number)
    peer.forget()
    return {"per_second": jobs_number / seconds}


def emptied(jobs_number: int) -> dict[str, Any]:
    """Tasks per second that workers perform, which run and are idle."""
    from bench import backlog

    peer.forget()
    return backlog.emptied(_fill, peer.unfinished, jobs_number)


def pick_up(path: str, number: int, seed: int) -> dict[str, Any]:
    """Seconds that each of `number` tasks waited for an idle worker."""
    from bench import latency

    return latency.pick_up(peer.enqueue_note, path, number, seed)


def migrate() -> dict[str, Any]:
    """Makes the tables."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    return {}


def _fill(number: int) -> None:
    getattr(peer, "enqueue_many", peer.enqueue)(number)


def _check(found: int, expected: int) -> None:
    if found != expected:
        raise SystemExit(f"{found} tasks instead of {expected}")


if __name__ == "__main__":
    django.setup()
    peer: Any = import_module(f"bench.peers.{os.environ['BENCH_PEER']}")
    print(json.dumps(globals()[sys.argv[1]](**json.loads(sys.argv[2]))))
