"""The page of long tables: docs/benchmarks-more.md."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from bench.databases import TITLES
from bench.figures import Figures, ratio
from bench.tables import Rows, section

INTRODUCTION = """# More benchmarks

What [the benchmarks](benchmarks.md) leave out, from the same machine."""

ITERATOR = """`enqueue_many(..., returning=False)` of jobs that an iterator makes: the most memory
that the process had, in MB, before the first of them and after the last."""

DEPTH = """A drain in tables with many other jobs. In a table of *ready* jobs, those are
the jobs that are drained. A table of another state holds that many jobs of it beside the ready
ones. The target for the deepest table is 0.9 of the shallowest."""

OTHERS = """Promotion and reaping run once a second, the rest only when you ask for it. The
time is the median of five calls, in the slowest of five tables that are filled with one state
each. Counting stops at 100,000 jobs of each state and queue."""

PAGES = """The admin's pages among {number:,} jobs: the fastest and the slowest of five looks,
and the number of statements. The target is 300 ms. The first look at the last day in a minute adds
up 43,200 rows of activity, for all who look."""

ACTIONS = """Actions in the admin on all that match, among {number:,} jobs: seconds until it asks
and says how many it will be, and from the yes until it is done. The target is 10 s for 100,000
jobs."""

IDLE = """What a worker without work costs: its part of one processor (with its keeper), the
database server's part, and its memory in MB. *pss* counts only a process's share of memory that
several processes use."""

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


def write(figures: Figures) -> str:
    """The page's text."""
    sections = (_iterator, _depth, _others, _pages, _actions, _idle, _slots, _following)
    parts = [INTRODUCTION, *(one(figures) for one in sections)]
    parts.append(Path(__file__).with_name("notes.md").read_text())
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _iterator(figures: Figures) -> str:
    rows: Rows = []
    for database in figures.databases("iterator"):
        found = figures.one("iterator", database)
        cells = [f"{found['number']:,}", f"{found['per_second']:,.0f}"]
        cells += [f"{found[name]:.0f}" for name in ("before", "after")]
        rows.append([TITLES[database], *cells])
    head = ["database", "jobs", "jobs/s", "MB before", "MB after"]
    return section("From an iterator", ITERATOR, head, rows)


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
    return section("Depth", DEPTH, head, rows)


def _others(figures: Figures) -> str:
    rows: Rows = []
    for database in figures.databases("others"):
        for name in figures.one("others", database):
            cells = []
            for depth in figures.values("others", "depth", database=database):
                times = figures.of("others", name, database=database, depth=depth)
                cells.append(f"{depth:,}: {max(times) * 1000:.1f} ms")
            rows.append([TITLES[database], name, *_three(cells)])
    return section("Other work", OTHERS, ["database", "", "by depth", "", ""], rows)


def _pages(figures: Figures) -> str:
    rows: Rows = []
    number = 0
    for database in figures.databases("on_call"):
        of: dict[str, Any] = {"database": database, "subject": "page"}
        for what in figures.values("on_call", "what", **of):
            [number] = figures.values("on_call", "number", **of, what=what)
            times, statements = (
                figures.of("on_call", name, **of, what=what)[-1] for name in ("ms", "statements")
            )
            milliseconds = f"{min(times):.0f} to {max(times):.0f} ms"
            rows.append([TITLES[database], what, milliseconds, str(statements)])
    head = ["database", "page", "answered in", "statements"]
    return section("The admin's pages", PAGES.format(number=number), head, rows)


def _actions(figures: Figures) -> str:
    rows: Rows = []
    number = 0
    for database in figures.databases("on_call"):
        of: dict[str, Any] = {"database": database, "subject": "action"}
        for what in figures.values("on_call", "what", **of):
            [number] = figures.values("on_call", "number", **of, what=what)
            asked, done, jobs = (
                figures.of("on_call", name, **of, what=what)[-1]
                for name in ("asked", "done", "jobs")
            )
            cells = [what, f"{jobs:,}", f"{asked:.1f} s", f"{done:.1f} s"]
            rows.append([TITLES[database], *cells])
    head = ["database", "action", "jobs", "asked in", "done in"]
    return section("The admin's actions", ACTIONS.format(number=number), head, rows)


def _idle(figures: Figures) -> str:
    rows: Rows = []
    sizes = ("rss", "pss", "keeper_rss", "keeper_pss")
    for database in figures.databases("idle"):
        found = figures.one("idle", database)
        cpu = [f"{100 * found[name]:.2f} %" for name in ("worker_cpu", "server_cpu")]
        memory = [f"{found[name]:.0f}" if name in found else "" for name in sizes]
        rows.append([TITLES[database], *cpu, *memory])
    head = ["database", "worker", "server", "rss", "pss", "keeper rss", "keeper pss"]
    return section("Idle", IDLE, head, rows)


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
    return section("Slots", SLOTS, [*head, "TERM", "KILL"], rows)


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
    return section("Following", FOLLOWING.format(lag=lag), head, rows)


def _restart(found: dict[str, Any]) -> str:
    return f"{found['exit']:.1f} / {found['taken_over']:.1f} / {found['submissions']}"


def _three(cells: list[str]) -> list[str]:
    """As many cells as the columns of a table by depth."""
    return [*cells, *[""] * (3 - len(cells))]
