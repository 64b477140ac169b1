"""The page that a person reads: docs/benchmarks.md."""

from __future__ import annotations

from statistics import median
from typing import Any

from bench.databases import TITLES
from bench.figures import Figures, ratio
from bench.on_batch import STEPS
from bench.peers.catalogue import BY_NAME, OWN_PROMISE
from bench.tables import (
    Rows,
    is_many,
    limit_of,
    milliseconds,
    part,
    percentile,
    section,
    spread,
    subject_title,
)
from bench.targets import TARGETS

TO_FIRST_LINE = STEPS[: STEPS.index("job") + 1]
COMMANDS = {
    "python": "Python alone",
    "django": "django.setup()",
    "jobs": "`manage.py runjob` of a job that does nothing",
}

INTRODUCTION = """# Benchmarks

`make bench` writes this page, and you can run it yourself. The raw figures are in
[benchmarks.json](benchmarks.json); [more benchmarks](benchmarks-more.md) has full tables,
idle workers, a thousand Batch jobs, and what stands in the way.

![Jobs per second beside the driver alone and beside other queues](benchmarks.svg)

Measured on {date}: {processors} x {processor}, {memory_gib} GiB, {system},
Python {python}, {versions}.
The database runs on the same processors as the worker, and writes every commit to the
disk as it does by default. The MongoDB protocol is served by SecantusDB.

Figures are medians over several rounds. In each round all subjects are measured in turn,
each in a process of its own. A range goes from the slowest to the fastest round, and a
ratio is the median of the rounds' ratios. Only warnings are logged. *The driver alone* is
the limit: the database's driver does the same claim, the same delete and the same insert
on the queue's own table, with all its columns and indexes, without a queue around it."""

OVERVIEW = """With the target in brackets. A figure that falls short of it is bold."""

DRAIN = """One worker process performs jobs that do nothing. The time runs from the first
claim to the last record. Every queue has its own defaults and keeps its connections open.
The last column says what becomes of a job whose worker is killed, and whether a finished
job is kept."""

ENQUEUE = """One at a time, or 10,000 together (fewer on the MongoDB protocol). The limit of
many is what the driver has for them: COPY on PostgreSQL, `executemany` in one transaction
on SQLite, `insert_many` on MongoDB. Only procrastinate and django-ox have a call for many."""

WORKERS = """Jobs per second on PostgreSQL, on {processors} processors that the database uses,
too. The workers are idle when {jobs:,} jobs come at once. In processes of their own, or in
threads of one process (`--concurrency`)."""

PICK_UP = """Milliseconds from before the call that enqueues a job to the job's first line in an
idle worker. All queues have their default settings. *The driver alone* is a process that
waits as this queue does, for NOTIFY on PostgreSQL and by fifty looks a second at the file
of SQLite; it claims a row, writes the line, and knows no queue."""

ON_BATCH = """Milliseconds of each step, in the median, of a job that a worker submits to the
local AWS Batch. *container* is AWS Batch's own; *submit* contains its answer to SubmitJob,
and *runjob* is the start of Python and Django up to the registration. *First line* is the
sum of the steps up to *job*, and *ours* is that without *container*. Only *slot free* waits
for a look of the worker: how often it looks (`POLL_INTERVAL`), and how long it waits for a
Batch job that can't be found (`SETTLE`), play no part in the other steps."""

START_UP = """What every Batch job pays before and after its work: milliseconds from the start of
the process to its end."""


def write(figures: Figures, machine: dict[str, Any]) -> str:
    """The page's text."""
    parts = [
        _introduction(machine),
        _overview(figures),
        _drain(figures, machine),
        _enqueue(figures),
        _workers(figures, machine),
        _pick_up(figures),
        _on_batch(figures),
        _start_up(figures),
    ]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _introduction(machine: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    return INTRODUCTION.format(**machine, versions=versions)


def _overview(figures: Figures) -> str:
    databases = figures.all_databases()
    rows: Rows = []
    for target in TARGETS:
        cells = [target.cell(figures, database) for database in databases]
        if any(cells):
            rows.append([target.title, *cells])
    titles = [TITLES[database] for database in databases]
    return section("In short", OVERVIEW, ["", *titles], rows)


def _drain(figures: Figures, machine: dict[str, Any]) -> str:
    rows: Rows = []
    for database in figures.databases("drain"):
        rates_of = figures.by_subject("drain", database)
        ours, bare = rates_of.get("jobs", []), rates_of.get("bare", [])
        for subject, rates in rates_of.items():
            peer = BY_NAME.get(subject)
            times = f"{ratio(ours, rates):.1f}" if peer and ours else ""
            promise = peer.promise if peer else OWN_PROMISE if subject == "jobs" else ""
            cells = [subject_title(subject), spread(rates), part(rates, bare), times, promise]
            rows.append([TITLES[database], *cells])
    text = DRAIN
    if missing := machine.get("missing"):
        text += f"\n\nNot measured: {'; '.join(missing)}."
    head = ["database", "", "jobs/s", "of the driver", "this queue is times as fast", "a job"]
    return section("Drain", text, head, rows)


def _enqueue(figures: Figures) -> str:
    rows: Rows = []
    for database in figures.databases("enqueue"):
        rates_of = figures.by_subject("enqueue", database)
        for subject in sorted(rates_of, key=is_many):
            rates, limit = rates_of[subject], rates_of.get(limit_of(subject), [])
            cells = [subject_title(subject), spread(rates), part(rates, limit)]
            rows.append([TITLES[database], *cells])
    return section("Enqueue", ENQUEUE, ["database", "", "jobs/s", "of the driver"], rows)


def _workers(figures: Figures, machine: dict[str, Any]) -> str:
    rows: Rows = []
    numbers = figures.values("workers", "number")
    for kind in figures.values("workers", "kind"):
        for subject in figures.values("workers", "subject", kind=kind):
            of = {"kind": kind, "subject": subject}
            rates = [figures.of("workers", "per_second", number=number, **of) for number in numbers]
            cells = [f"{median(found):,.0f}" if found else "" for found in rates]
            rows.append([kind, subject_title(subject), *cells])
    text = WORKERS.format(processors=machine["processors"], jobs=machine.get("backlog", 2000))
    found = figures.one("herd", "postgres")
    if found:
        text += (
            f"\n\nWhen {found['workers']} workers are idle and one job comes, they send "
            f"{_range(found['claims'])} claims and {_range(found['others'])} other statements."
        )
    head = ["", "", *(f"{number} at once" for number in numbers)]
    return section("Several workers", text, head, rows)


def _pick_up(figures: Figures) -> str:
    rows: Rows = []
    for database in figures.databases("pick_up"):
        for subject in figures.values("pick_up", "subject", database=database):
            runs = figures.of("pick_up", "seconds", database=database, subject=subject)
            times = [seconds for run in runs for seconds in run]
            found = (median(times), percentile(times, 99), max(times))
            rows.append([TITLES[database], subject_title(subject), *map(milliseconds, found)])
    return section("Pick-up", PICK_UP, ["database", "", "median", "99 %", "longest"], rows)


def _on_batch(figures: Figures) -> str:
    rows: Rows = []
    for database in figures.databases("on_batch"):
        for poll in figures.values("on_batch", "poll", database=database):
            of = {"database": database, "poll": poll}
            found = [one for run in figures.of("on_batch", "steps", **of) for one in run]
            [settle] = set(figures.of("on_batch", "settle", **of))
            cells = [milliseconds(median(one[step] for one in found)) for step in STEPS]
            lines = [sum(one[step] for step in TO_FIRST_LINE) for one in found]
            ours = [line - one["container"] for line, one in zip(lines, found, strict=True)]
            cells += [milliseconds(median(values)) for values in (lines, ours)]
            rows.append([TITLES[database], f"{poll:g} / {settle:g} s", *cells])
    head = ["database", "POLL / SETTLE", *STEPS, "first line", "ours"]
    return section("On AWS Batch", ON_BATCH, head, rows)


def _start_up(figures: Figures) -> str:
    rows: Rows = []
    for database in figures.databases("start_up"):
        for subject in figures.values("start_up", "subject", database=database):
            of = {"database": database, "subject": subject}
            times = [1000 * seconds for seconds in figures.of("start_up", "seconds", **of)]
            cpu = 1000 * median(figures.of("start_up", "cpu", **of))
            size = median(figures.of("start_up", "megabytes", **of))
            cells = [spread(times), f"{cpu:.0f}", f"{size:.0f}"]
            rows.append([TITLES[database], COMMANDS[subject], *cells])
    head = ["database", "", "ms", "ms of processor", "MB at most"]
    return section("Start-up", START_UP, head, rows)


def _range(values: list[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
