"""From the rows of Delayed Job to jobs of this queue, each of them once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from jobs import transitions
from jobs.importing import ruby
from jobs.importing.mapping import Entry
from jobs.importing.source import CollectionSource, Row, TableSource, instant
from jobs.logs.error_text import MAX_TEXT
from jobs.models import ImportedJob, Job
from jobs.states import FINISHED, State
from jobs.store import store_for
from jobs.terms import Terms
from jobs.text import one_line, storable

LARGEST_ATTEMPTS = 2**31 - 1


class Left(Exception):
    """Why a row stays where it is."""


@dataclass
class Outcome:
    """What became of a row: `imported`, `before` (by an earlier run), or `left`."""

    kind: str
    id: str
    said: str


class Importer:
    """Imports what `source` holds and `mapping` has a class for."""

    def __init__(
        self,
        source: TableSource | CollectionSource,
        database: str,
        mapping: Mapping[str, Entry],
        *,
        failed: bool = False,
        delete: bool = False,
        dry_run: bool = False,
    ):
        self._source, self._mapping = source, mapping
        self._failed, self._delete, self._dry_run = failed, delete, dry_run
        #: Tells the rows of one table from those of another.
        self._origin = f"{database}/{source.name}"
        self._store = store_for(Job)

    def run(self) -> Iterator[Outcome]:
        """Imports row by row, and says of each what became of it."""
        for row in self._source:
            shown = one_line(row.id)
            try:
                yield self._outcome(row, shown)
            except (Left, ruby.Unreadable) as reason:
                yield Outcome("left", shown, one_line(reason))

    def _outcome(self, row: Row, shown: str) -> Outcome:
        if row.problem:
            raise Left(row.problem)
        key = _key(self._origin, row.id)
        record = ImportedJob.objects.filter(pk=key).first()
        if record is not None and record.done:
            self._released(record.job_id, row)
            return self._cleared(row, Outcome("before", shown, f"as job {record.job_id}"))
        is_failed = row.failed_at is not None
        if is_failed and not self._failed:
            raise Left("it has failed for good; --failed imports such jobs, too")
        if not is_failed and (row.locked_at is not None or row.locked_by):
            raise Left(f"it is locked by {row.locked_by or 'somebody'}")
        call = ruby.read(row.handler)
        entry = self._mapping.get(call.name)
        if entry is None:
            raise Left(f"the mapping has no class for {call.name}")
        job = self._job(row, entry.payload(call))
        if self._dry_run:
            return Outcome("imported", shown, f"as {job.name}")
        self._insert(job, key, record)
        self._released(str(job.pk), row)
        return self._cleared(row, Outcome("imported", shown, f"as job {job.pk}: {job.name}"))

    def _job(self, row: Row, payload: Any) -> Job:
        """The row, filled and signed as `enqueue` does it."""
        try:
            terms = Terms(
                Job,
                {},
                instant("run_at", row.run_at),
                _number("priority", row.priority),
                _text("queue", row.queue) or None,
            )
            job = terms.job(payload)
            terms.lifecycle.run("enqueue", terms.is_made_to_wait, job)
            if not job.handler:
                raise Left("a plugin refused it")
            terms.begin_to_wait([job])
            job.attempts = min(max(_number("attempts", row.attempts) or 0, 0), LARGEST_ATTEMPTS)
            job.last_error = storable(_text("last_error", row.last_error))[:MAX_TEXT]
            created = instant("created_at", row.created_at)
            failed = instant("failed_at", row.failed_at)
        except Left:
            raise
        except Exception as error:  # the row's values, the class's hooks, and receivers
            raise Left(f"it can't be enqueued: {error}") from None
        job.created_at = created or job.created_at
        if failed is not None:
            job.state, job.unique_key = State.FAILED, None
            job.failed_at = job.finished_at = failed
        assert isinstance(job, Job)
        return job

    def _insert(self, job: Job, key: str, record: ImportedJob | None) -> None:
        """Job and record in one transaction.

        Where there is none, a run that is killed is gone on with: the record comes
        first and names the job's key, and the job is held until the record is done, so
        that no worker has deleted it meanwhile.
        """
        in_one = not self._store.keeps_documents
        if not in_one and job.state not in FINISHED:
            transitions.hold(job)
        with transaction.atomic(using=self._store.alias) if in_one else nullcontext():
            if record is not None and self._store.get(record.job_id) is not None:
                job.pk = record.job_id
            else:
                if record is None:
                    record = self._begun(job, key)
                elif record.job_id:
                    job.pk = self._store.id_of(record.job_id)
                if refused := self._store.insert([job]):
                    ImportedJob.objects.filter(pk=key).delete()
                    raise Left(f"its unique key {refused[0].unique_key!r} is held by another job")
            ImportedJob.objects.filter(pk=key).update(done=True, job_id=str(job.pk))

    def _released(self, job_id: str, row: Row) -> None:
        if self._store.keeps_documents and not self._dry_run:
            run_at = instant("run_at", row.run_at) or self._store.now()
            transitions.release(Job, self._store.id_of(job_id), run_at)

    def _begun(self, job: Job, key: str) -> ImportedJob:
        (job.pk,) = self._store.new_keys(1)
        try:
            return ImportedJob.objects.create(key=key, job_id=str(job.pk or ""))
        except IntegrityError:
            raise Left("another run imports it now") from None

    def _cleared(self, row: Row, outcome: Outcome) -> Outcome:
        if self._delete and not self._dry_run and not self._source.delete(row):
            outcome.said += "; its row was locked meanwhile, so it was not deleted"
        return outcome


def _key(origin: str, pk: Any) -> str:
    # Whatever they are called, a key has one length.
    return hashlib.sha256(f"{origin}\n{pk}".encode("utf-8", "backslashreplace")).hexdigest()


def _number(column: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{column} isn't a whole number")
    return int(value)  # MongoDB's whole numbers of 64 bits are of a class of their own


def _text(column: str, value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{column} isn't text")
    return value
