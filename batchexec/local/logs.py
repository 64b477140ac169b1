"""The output of containers: a file for each job, copied to CloudWatch Logs.

It is copied when a client asks for logs, and when an attempt ends.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from batchexec.local.cloud import Cloud
from batchexec.local.job import Job, milliseconds
from batchexec.local.timers import Timers

ECHO_INTERVAL = 0.1
#: Where jobs log whose definition names no group.
DEFAULT_GROUP = Cloud.DEFAULT_LOG_GROUP


def _group(job: Job) -> str:
    return job.log_options.get("awslogs-group", DEFAULT_GROUP)


class JobLog:
    """The log stream of one attempt, which begins where the job's file ends now."""

    def __init__(self, path: Path, region: str, group: str, stream: str):
        self.path = path
        self.group = group
        self.stream = stream
        self.region = region
        self.position = path.stat().st_size if path.exists() else 0
        self._partial = b""

    def new_lines(self, *, last: bool) -> list[str]:
        """The complete lines since the last call.

        With `last`, text without an end of line counts, too.
        """
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self.position)
            data = file.read()
        self.position += len(data)
        *lines, self._partial = (self._partial + data).split(b"\n")
        if last and self._partial:
            lines.append(self._partial)
        return [line.decode(errors="replace").rstrip("\r") for line in lines]


class Logs:
    """The log streams of the attempts that run.

    The time of an event is when it was copied, not when it was written.
    """

    def __init__(self, cloud: Cloud, folder: Path, timers: Timers, *, echo: bool):
        self._cloud = cloud
        self._folder = folder
        self._timers = timers
        self._echo = echo
        self._lock = threading.Lock()
        self._open: set[JobLog] = set()
        if echo:
            self._echo_later()

    def path(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.log"

    def has_group(self, job: Job) -> bool:
        """Whether the job's log group exists. AWS Batch makes its own, and no other."""
        group = _group(job)
        if job.log_options.get("awslogs-create-group") == "true" or group == DEFAULT_GROUP:
            with self._lock:  # moto may make it twice, and forget the first one's streams
                self._cloud.create_log_group(job.region, group)
        return self._cloud.has_log_group(job.region, group)

    def open(self, job: Job, stream: str) -> JobLog:
        log = JobLog(self.path(job.id), job.region, _group(job), stream)
        with self._lock:
            self._open.add(log)
            self._copy(log)
        return log

    def close(self, log: JobLog) -> None:
        with self._lock:
            self._open.discard(log)
            self._copy(log, last=True)

    def copy(self) -> None:
        """Brings CloudWatch Logs up to date."""
        with self._lock:
            for log in self._open:
                self._copy(log)

    def _copy(self, log: JobLog, *, last: bool = False) -> None:
        now = milliseconds()
        lines = log.new_lines(last=last)
        # AWS refuses an empty message.
        events = [{"timestamp": now, "message": line} for line in lines if line]
        self._cloud.put_log_events(log.region, log.group, log.stream, events)
        if self._echo and lines:
            start = f"{time.strftime('%H:%M:%S')} {log.path.stem[:8]}"
            sys.stdout.write("".join(f"{start} {line}\n" for line in lines))
            sys.stdout.flush()

    def _echo_later(self) -> None:
        self.copy()
        self._timers.after(ECHO_INTERVAL, self._echo_later)
