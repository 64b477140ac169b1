"""Who executes a job: the text in `runner`, unique to one execution.

A worker is `<name>@<epoch>`. A container is `<Batch job id>/<attempt>@<epoch>#<nonce>`: the nonce tells two starts of the same
container apart, of which only the first may go on.
"""

from __future__ import annotations

import itertools
import os
import secrets
import socket
from collections.abc import Mapping

_numbers = itertools.count(1)


def default_name() -> str:
    """A worker's name: Delayed Job's "host:… pid:…", with a number for every further worker of the process."""
    number = next(_numbers)
    name = f"host:{socket.gethostname()} pid:{os.getpid()}"
    return name if number == 1 else f"{name} #{number}"


def worker_runner(worker_name: str, epoch: int) -> str:
    return f"{worker_name}@{epoch}"


def container_runner(epoch: int, environment: Mapping[str, str] = os.environ) -> str:
    """This process as a container: what AWS Batch sets in its environment, or this process's id where it sets nothing."""
    batch_job_id = environment.get("AWS_BATCH_JOB_ID", "") or f"pid:{os.getpid()}"
    attempt = environment.get("AWS_BATCH_JOB_ATTEMPT", "") or "1"
    return f"{batch_job_id[:128]}/{attempt[:8]}@{epoch}#{secrets.token_hex(4)}"


def batch_job_id_of(runner: str) -> str:
    """The Batch job that a container's runner names; empty for another runner."""
    return runner.partition("/")[0] if "#" in runner.rpartition("@")[2] else ""


def is_later_attempt(runner: str, than: str) -> bool:
    """Whether both are attempts of the same Batch job, and `runner` is the later one."""
    batch_job_id = batch_job_id_of(runner)
    return bool(batch_job_id) and batch_job_id == batch_job_id_of(than) and _attempt_of(runner) > _attempt_of(than)


def _attempt_of(runner: str) -> int:
    attempt = runner.partition("/")[2].partition("@")[0]
    return int(attempt) if attempt.isdecimal() else 0
