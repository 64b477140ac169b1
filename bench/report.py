"""Turns raw figures into tables, and writes docs/benchmarks.md from them."""

from __future__ import annotations

from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bench import chart
from bench.databases import TITLES
from bench.figures import Figures, ratio

SUBJECTS = {
    "bare": "the driver alone",
    "jobs": "this queue",
    "bulk": "the driver alone, many at once",
    "many": "this queue, enqueue_many",
    "lazy": "this queue, enqueue_many(returning=False)",
    "peer": "django-tasks-db",
}
TARGETS = {"sqlite": 0.5, "postgres": 0.5, "mongodb": 0.7}
COMMANDS = {
    "python": "Python alone",
    "django": "django.setup()",
    "jobs": "`manage.py runjob` of a job that does nothing",
}

INTRODUCTION = """# Benchmarks

`make bench` writes this page, and you can run it yourself. The raw figures are in
[benchmarks.json](benchmarks.json).

![Jobs per second beside the bare limit, and by depth](benchmarks.svg)

Measured on {date}: {processors} x {processor}, {memory_gib} GiB, {system},
Python {python}, {versions}.
The database runs on the same processors as the worker, and writes every commit to the
disk as it does by default. The MongoDB protocol is served by SecantusDB.

Figures are medians over several rounds. In each round all subjects are measured in turn,
each in a process of its own. A range goes from the slowest to the fastest round, and a
ratio is the median of the rounds' ratios. Only warnings are logged. *The driver alone* is
the bare limit: the database's driver does the same claim and the same delete on the same
rows, without a queue around it."""

DRAIN = """One worker process performs jobs that do nothing. The time runs from the first
claim to the last record. django-tasks-db keeps its connection open, and keeps every result."""

DEPTH = """The same, in tables with many other jobs. In a table of *ready* jobs, those are
the jobs that are drained. A table of another state holds that many jobs of it beside the ready
ones. The target for the deepest table is 0.9 of the shallowest."""

OTHERS = """Promotion and reaping run once a second, the rest only when you ask for it. The
time is the median of five calls, in the slowest of five tables that are filled with one state
each. Counting stops at 100,000 jobs of each state and queue."""

ENQUEUE = """One INSERT for each job, or one for a thousand jobs with `enqueue_many`."""

TOGETHER = """ The limit of many is what the driver has for them: COPY on PostgreSQL,
`executemany` in one transaction on SQLite, `insert_many` on MongoDB. Targets: 0.7 of the limit
for one, 0.5 for many."""

PICK_UP = """Milliseconds from before the call that enqueues a job to the job's first line in an
idle worker. Both queues have their default settings. The targets are 50 at the median and 100
at the 95th percentile."""

IDLE = """What a worker without work costs: its part of one processor (with its keeper), the
database server's part, and its memory in MB. *pss* counts only a process's share of memory that
several processes use."""

START_UP = """What every Batch job pays before and after its work: milliseconds from the start of
the process to its end."""

SLOTS = """One `jobworker --batch` on the local AWS Batch. The table shows its memory in MB with
one job and with all of them, its open files with its connections, its DescribeJobs calls per poll
interval, its part of a processor while it watches, and the time to submit all jobs (by default at
25 a second). Then the worker is ended by a signal: seconds until it has ended / seconds until its
successor of the same name watches all jobs again / second submissions."""

FOLLOWING = """What a worker asks about jobs that run on AWS Batch, with a POLL_INTERVAL of 5
seconds. *Slot free*: seconds from the outcome in a job's row to its free slot (median / longest),
on a local AWS Batch that says only about {lag:g} seconds later that a container has ended.
*DescribeJobs calls*: for jobs that run for an hour, by the real poller on a simulated clock.
Before, AWS Batch was asked about each job at each look. Now the rows are, by one statement for all
of them, and AWS Batch every POLL_LONGEST (60 seconds) while a row says that its job runs."""

Rows = list[list[str]]


def write(found: dict[str, Any], folder: Path) -> None:
    """Writes benchmarks.md and benchmarks.svg to `folder`.

    `found` holds the `machine` and the `records` of benchmarks.json.
    """
    figures = Figures(found["records"])
    sections = [_drain, _depth, _others, _enqueue, _pick_up, _idle, _start_up, _slots, _following]
    parts = [_introduction(found["machine"])]
    parts += [section(figures) for section in sections]
    parts.append(Path(__file__).with_name("notes.md").read_text())
    page = "\n\n".join(part.strip() for part in parts if part.strip())
    (folder / "benchmarks.md").write_text(f"{page}\n")
    (folder / "benchmarks.svg").write_text(chart.draw(figures))


def _introduction(machine: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    return INTRODUCTION.format(**machine, versions=versions)


def _drain(figures: Figures) -> str:
    rows: Rows = []
    for database in figures.databases("drain"):
        bare = figures.of("drain", "per_second", database=database, subject="bare")
        peer = figures.of("drain", "per_second", database=database, subject="peer")
        for subject in figures.values("drain", "subject", database=database):
            rates = figures.of("drain", "per_second", database=database, subject=subject)
            has_target = subject == "jobs" and database in TARGETS
            target = f" (target {TARGETS[database]})" if has_target else ""
            beside_bare = f"{ratio(rates, bare):.2f}{target}"
            beside_peer = f"{ratio(rates, peer):.1f}" if peer and subject != "peer" else ""
            rows.append(
                [TITLES[database], SUBJECTS[subject], _spread(rates), beside_bare, beside_peer]
            )
    head = ["database", "", "jobs/s", "of the bare limit", "times django-tasks-db"]
    return _section("Drain", DRAIN, head, rows)


def _depth(figures: Figures) -> str:
    rows: Rows = []
    for database in figures.databases("depth"):
        for state in figures.values("depth", "state", database=database):
            table = {"database": database, "state": state}
            depths = figures.values("depth", "depth", **table)
            rates = [
                figures.of("depth", "per_second", **table, depth=depth, subject="jobs")
                for depth in depths
            ]
            ends = [
                figures.of("depth", "per_second", **table, depth=depth, subject="bare")
                for depth in (depths[0], depths[-1])
            ]
            cells = [
                f"{depth:,}: {median(values):,.0f}"
                for depth, values in zip(depths, rates, strict=True)
            ]
            ours, drivers = ratio(rates[-1], rates[0]), ratio(ends[1], ends[0])
            rows.append([TITLES[database], state, *_three(cells), f"{ours:.2f}", f"{drivers:.2f}"])
    head = ["database", "other jobs", "jobs/s", "", "", "deepest / shallowest", "the driver's"]
    return _section("Depth", DEPTH, head, rows)


def _others(figures: Figures) -> str:
    rows: Rows = []
    for database in figures.databases("others"):
        for name in figures.one("others", database):
            cells = []
            for depth in figures.values("others", "depth", database=database):
                times = figures.of("others", name, database=database, depth=depth)
                cells.append(f"{depth:,}: {max(times) * 1000:.1f} ms")
            rows.append([TITLES[database], name, *_three(cells)])
    return _section("Other work", OTHERS, ["database", "", "by depth", "", ""], rows)


def _enqueue(figures: Figures) -> str:
    rows: Rows = []
    for database in figures.databases("enqueue"):
        rates_of = {
            subject: figures.of("enqueue", "per_second", database=database, subject=subject)
            for subject in figures.values("enqueue", "subject", database=database)
        }
        for subject, rates in rates_of.items():
            together = subject in ("bulk", "many", "lazy") and "bulk" in rates_of
            beside_bare = f"{ratio(rates, rates_of.get('bulk' if together else 'bare', [])):.2f}"
            rows.append([TITLES[database], SUBJECTS[subject], _spread(rates), beside_bare])
    text = ENQUEUE + (TOGETHER if figures.of("enqueue", "per_second", subject="bulk") else "")
    return _section("Enqueue", text, ["database", "", "jobs/s", "of the bare limit"], rows)


def _pick_up(figures: Figures) -> str:
    rows: Rows = []
    for database in figures.databases("pick_up"):
        for subject in figures.values("pick_up", "subject", database=database):
            runs = figures.of("pick_up", "seconds", database=database, subject=subject)
            times = [1000 * seconds for run in runs for seconds in run]
            percentile = quantiles(times, n=20, method="inclusive")[-1]
            cells = [f"{value:.1f}" for value in (median(times), percentile, max(times))]
            rows.append([TITLES[database], SUBJECTS[subject], *cells])
    return _section("Pick-up", PICK_UP, ["database", "", "median", "95 %", "longest"], rows)


def _idle(figures: Figures) -> str:
    rows: Rows = []
    sizes = ("rss", "pss", "keeper_rss", "keeper_pss")
    for database in figures.databases("idle"):
        found = figures.one("idle", database)
        cpu = [f"{100 * found[name]:.2f} %" for name in ("worker_cpu", "server_cpu")]
        memory = [f"{found[name]:.0f}" if name in found else "" for name in sizes]
        rows.append([TITLES[database], *cpu, *memory])
    head = ["database", "worker", "server", "rss", "pss", "keeper rss", "keeper pss"]
    return _section("Idle", IDLE, head, rows)


def _start_up(figures: Figures) -> str:
    rows: Rows = []
    for database in figures.databases("start_up"):
        for subject in figures.values("start_up", "subject", database=database):
            of = {"database": database, "subject": subject}
            times = [1000 * seconds for seconds in figures.of("start_up", "seconds", **of)]
            cpu = 1000 * median(figures.of("start_up", "cpu", **of))
            size = median(figures.of("start_up", "megabytes", **of))
            cells = [_spread(times), f"{cpu:.0f}", f"{size:.0f}"]
            rows.append([TITLES[database], COMMANDS[subject], *cells])
    head = ["database", "", "ms", "ms of processor", "MB at most"]
    return _section("Start-up", START_UP, head, rows)


def _slots(figures: Figures) -> str:
    rows: Rows = []
    for database in figures.databases("slots"):
        found = figures.one("slots", database)
        each = (found["rss"] - found["rss_of_one"]) * 1024 / (found["slots"] - 1)
        rows.append(
            [
                TITLES[database],
                f"{found['slots']:,}",
                f"{found['rss_of_one']:.0f} → {found['rss']:.0f} ({each:.0f} KB each)",
                str(found["descriptors"]),
                f"{found['describes_per_poll']:.1f}",
                f"{found['cpu'] * 100:.0f} %",
                f"{found['submission']:.0f} s",
                _restart(found["term"]),
                _restart(found["kill"]),
            ]
        )
    head = ["database", "jobs", "memory", "files", "calls a poll", "processor", "submitted in"]
    return _section("Slots", SLOTS, [*head, "TERM", "KILL"], rows)


def _following(figures: Figures) -> str:
    rows: Rows = []
    lag = 0.0
    for database in figures.databases("following"):
        found = figures.one("following", database)
        lag = found["lag"]
        rows.append(
            [
                TITLES[database],
                f"{found['number']:,}",
                f"{found['freed']:.1f} / {found['freed_longest']:.1f}",
                f"{found['jobs']:,}",
                f"{found['calls_before']:,}",
                f"{found['calls']:,} ({100 * found['calls'] / found['calls_before']:.1f} %)",
            ]
        )
    head = ["database", "jobs", "slot free", "jobs of an hour", "DescribeJobs calls before", "now"]
    return _section("Following", FOLLOWING.format(lag=lag), head, rows)


def _restart(found: dict[str, Any]) -> str:
    return f"{found['exit']:.1f} / {found['taken_over']:.1f} / {found['submissions']}"


def _spread(values: list[float]) -> str:
    return f"{median(values):,.0f} ({min(values):,.0f}-{max(values):,.0f})"


def _three(cells: list[str]) -> list[str]:
    """As many cells as the columns of a table by depth."""
    return [*cells, *[""] * (3 - len(cells))]


def _section(title: str, text: str, head: list[str], rows: Rows) -> str:
    """A heading, a text and a table; nothing if the suite wasn't measured."""
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"## {title}\n\n{text}\n\n{table}"
