"""Raw figures to tables: docs/benchmarks.md is written by this."""

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
    "many": "this queue, enqueue_many",
    "peer": "django-tasks-db",
}
TARGETS = {"sqlite": 0.5, "postgres": 0.5, "mongodb": 0.7}


def write(found: dict[str, Any], folder: Path) -> None:
    figures = Figures(found["records"])
    parts = [
        _intro(found["machine"]),
        _drain(figures),
        _depth(figures),
        _others(figures),
        _enqueue(figures),
    ]
    parts += [_pick_up(figures), _idle(figures), _start_up(figures), _slots(figures)]
    notes = Path(__file__).with_name("notes.md")
    parts.append(notes.read_text() if notes.exists() else "")
    (folder / "benchmarks.md").write_text(
        "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"
    )
    (folder / "benchmarks.svg").write_text(chart.draw(figures))


def _intro(machine: dict[str, Any]) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    return f"""# Benchmarks

Written by `make bench`, which anybody can run; the raw figures are in [benchmarks.json](benchmarks.json).

![Jobs per second beside the bare limit, and by depth](benchmarks.svg)

Measured on {machine["date"]}: {machine["processors"]} x {machine["processor"]}, {machine["memory_gib"]} GiB, {machine["system"]},
Python {machine["python"]}, {packages}. The database is on the same two processors as the worker, and every commit is
written to the disk as the database does by default. The MongoDB protocol is served by SecantusDB.

Figures are medians over rounds in which all subjects are measured in turn, each in a process of its own; the range is from the
slowest to the fastest round. A ratio is the median of the rounds' ratios. Nothing is logged but warnings. *The driver alone*
is the bare limit: the same claim and the same delete on the same rows, by the database's driver, with no queue around them."""


def _drain(figures: Figures) -> str:
    rows = []
    for database in figures.databases("drain"):
        for subject in figures.values("drain", "subject", database=database):
            values = figures.of("drain", "per_second", database=database, subject=subject)
            bare = figures.of("drain", "per_second", database=database, subject="bare")
            peer = figures.of("drain", "per_second", database=database, subject="peer")
            target = f" (target {TARGETS[database]})" if subject == "jobs" else ""
            beside_peer = f"{ratio(values, peer):.1f}" if peer and subject != "peer" else ""
            rows.append(
                [
                    TITLES[database],
                    SUBJECTS[subject],
                    _spread(values),
                    f"{ratio(values, bare):.2f}{target}",
                    beside_peer,
                ]
            )
    return _section(
        "Drain",
        "Jobs that do nothing, from the first claim to the last record, by one worker process. "
        "django-tasks-db keeps its connection "
        "open and keeps every result.",
        _table(["database", "", "jobs/s", "of the bare limit", "times django-tasks-db"], rows),
    )


def _depth(figures: Figures) -> str:
    rows = []
    for database in figures.databases("depth"):
        for state in figures.values("depth", "state", database=database):
            depths = figures.values("depth", "depth", database=database, state=state)
            by_depth = {
                subject: [
                    figures.of(
                        "depth",
                        "per_second",
                        database=database,
                        state=state,
                        depth=depth,
                        subject=subject,
                    )
                    for depth in depths
                ]
                for subject in ("jobs", "bare")
            }
            ratios = {
                subject: f"{ratio(values[-1], values[0]):.2f}"
                for subject, values in by_depth.items()
            }
            row = [
                TITLES[database],
                state,
                *(
                    f"{depth:,}: {median(values):,.0f}"
                    for depth, values in zip(depths, by_depth["jobs"], strict=True)
                ),
            ]
            rows.append([*row, *[""] * (5 - len(row)), ratios["jobs"], ratios["bare"]])
    return _section(
        "Depth",
        "The same, with so many other jobs in the table. *Ready* ones are what is drained; of the other "
        "states, the table holds so many "
        "beside the ready ones. The target is 0.9 for the deepest beside the shallowest.",
        _table(
            [
                "database",
                "the others are",
                "jobs/s",
                "",
                "",
                "deepest / shallowest",
                "the driver's alone",
            ],
            rows,
        ),
    )


def _others(figures: Figures) -> str:
    rows = []
    for database in figures.databases("others"):
        names = list(figures.one("others", database))
        for name in names:
            cells = []
            for depth in figures.values("others", "depth", database=database):
                times = figures.of("others", name, database=database, depth=depth)
                cells.append(f"{depth:,}: {max(times) * 1000:.1f} ms")
            rows.append([TITLES[database], name, *cells, *[""] * (3 - len(cells))])
    return _section(
        "What isn't a job's own",
        "Promotion and reaping happen once a second, the others when somebody asks. The slowest of the five "
        "tables, each filled "
        "with one state, the median of five calls. Counting stops at 100,000 of each state and queue.",
        _table(["database", "", "by depth", "", ""], rows),
    )


def _enqueue(figures: Figures) -> str:
    rows = []
    for database in figures.databases("enqueue"):
        bare = figures.of("enqueue", "per_second", database=database, subject="bare")
        for subject in figures.values("enqueue", "subject", database=database):
            values = figures.of("enqueue", "per_second", database=database, subject=subject)
            rows.append(
                [TITLES[database], SUBJECTS[subject], _spread(values), f"{ratio(values, bare):.2f}"]
            )
    return _section(
        "Enqueue",
        "One INSERT for each job, or one for a thousand.",
        _table(["database", "", "jobs/s", "of the bare limit"], rows),
    )


def _pick_up(figures: Figures) -> str:
    rows = []
    for database in figures.databases("pick_up"):
        for subject in figures.values("pick_up", "subject", database=database):
            values = [
                value * 1000
                for run in figures.of("pick_up", "seconds", database=database, subject=subject)
                for value in run
            ]
            percentile = quantiles(values, n=20, method="inclusive")[-1]
            rows.append(
                [
                    TITLES[database],
                    SUBJECTS[subject],
                    f"{median(values):.1f}",
                    f"{percentile:.1f}",
                    f"{max(values):.1f}",
                ]
            )
    return _section(
        "Pick-up",
        "Milliseconds from before the call that enqueues a job to its first line in an idle worker, both "
        "with their defaults. The targets "
        "are 50 at the median and 100 at the 95th percentile.",
        _table(["database", "", "median", "95 %", "longest"], rows),
    )


def _idle(figures: Figures) -> str:
    rows = []
    for database in figures.databases("idle"):
        found = figures.one("idle", database)
        cpu = [f"{found[name] * 100:.2f} %" for name in ("worker_cpu", "server_cpu")]
        sizes = [
            f"{found[name]:.0f}" if name in found else ""
            for name in ("rss", "pss", "keeper_rss", "keeper_pss")
        ]
        rows.append([TITLES[database], *cpu, *sizes])
    return _section(
        "Idle",
        "A worker without work: of one processor, by the worker with its keeper, and by the database server; "
        "memory in MB (of what several "
        "processes share, *pss* counts each one's part).",
        _table(["database", "worker", "server", "rss", "pss", "keeper rss", "keeper pss"], rows),
    )


def _start_up(figures: Figures) -> str:
    titles = {
        "python": "Python alone",
        "django": "django.setup()",
        "jobs": "`manage.py runjob` of a job that does nothing",
    }
    rows = []
    for database in figures.databases("start_up"):
        for subject in figures.values("start_up", "subject", database=database):
            of = {"database": database, "subject": subject}
            seconds, cpu = (
                [1000 * value for value in figures.of("start_up", name, **of)]
                for name in ("seconds", "cpu")
            )
            size = median(figures.of("start_up", "megabytes", **of))
            rows.append(
                [
                    TITLES[database],
                    titles[subject],
                    _spread(seconds),
                    f"{median(cpu):.0f}",
                    f"{size:.0f}",
                ]
            )
    return _section(
        "Start-up",
        "What every Batch job pays before and after its work: milliseconds from the start of the process to its end.",
        _table(["database", "", "ms", "ms of processor", "MB at most"], rows),
    )


def _slots(figures: Figures) -> str:
    rows = []
    for database in figures.databases("slots"):
        found = figures.one("slots", database)
        per_slot = (found["rss"] - found["rss_of_one"]) * 1024 / (found["slots"] - 1)
        restarts = [
            f"{found[how]['exit']:.1f} / {found[how]['taken_over']:.1f} / {found[how]['submissions']}"
            for how in ("term", "kill")
        ]
        rows.append(
            [
                TITLES[database],
                f"{found['slots']:,}",
                f"{found['rss_of_one']:.0f} → {found['rss']:.0f} ({per_slot:.0f} KB each)",
                str(found["descriptors"]),
                f"{found['describes_per_poll']:.1f}",
                f"{found['cpu'] * 100:.0f} %",
                f"{found['submission']:.0f} s",
                *restarts,
            ]
        )
    return _section(
        "Slots",
        "One `jobworker --batch` on the local AWS Batch: memory in MB with one job and with all; open files, "
        "connections "
        "included; DescribeJobs calls per poll interval; its part of a processor while it watches; time to "
        "submit all (by default "
        "25 a second). Then it is ended: seconds until it has ended, until its successor of the same name "
        "watches all again, and "
        "second submissions.",
        _table(
            [
                "database",
                "jobs",
                "memory",
                "files",
                "calls a poll",
                "processor",
                "submitted in",
                "TERM",
                "KILL",
            ],
            rows,
        ),
    )


def _spread(values: list[float]) -> str:
    return f"{median(values):,.0f} ({min(values):,.0f}-{max(values):,.0f})"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if rows else ""


def _section(title: str, text: str, table: str) -> str:
    return f"## {title}\n\n{text}\n\n{table}" if table else ""
