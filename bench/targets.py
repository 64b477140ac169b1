"""What the queue aims at, and how each figure stands beside that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from bench.figures import Figures, ratio
from bench.peers.catalogue import BY_NAME
from bench.tables import percentile

#: A figure of one database; None if it wasn't measured.
Found = Callable[[Figures, str], float | None]


@dataclass(frozen=True)
class Target:
    """One line of the overview."""

    title: str
    found: Found
    #: By database: at least that much, or with `at_most` no more.
    wanted: dict[str, float]
    at_most: bool = False
    unit: str = ""

    def cell(self, figures: Figures, database: str) -> str:
        """The figure, its target, and a word if it falls short."""
        value = self.found(figures, database)
        if value is None:
            return "not measured" if database in self.wanted else ""
        wanted = self.wanted.get(database)
        text = f"{_brief(value)}{self.unit}"
        if wanted is None:
            return text
        missed = value > wanted if self.at_most else value < wanted
        sign = "≤" if self.at_most else "≥"
        text = f"{text} ({sign} {wanted:g})"
        return f"**{text}**" if missed else text


def _brief(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def beside(suite: str, subject: str, other: str) -> Found:
    """The ratio of two subjects' rates."""

    def found(figures: Figures, database: str) -> float | None:
        mine = figures.of(suite, "per_second", database=database, subject=subject)
        others = figures.of(suite, "per_second", database=database, subject=other)
        return ratio(mine, others) if mine and others else None

    return found


def beside_durable_peers(figures: Figures, database: str) -> float | None:
    """How many times as fast as the fastest durable peer's drain."""
    subjects = figures.values("drain", "subject", database=database)
    peers = [one for one in subjects if one in BY_NAME and BY_NAME[one].durable]
    ratios = [beside("drain", "jobs", peer)(figures, database) for peer in peers]
    return min((one for one in ratios if one is not None), default=None)


def picked_up(percent: int, subject: str = "jobs") -> Found:
    """Milliseconds of that percentile from the call that enqueues to the first line."""

    def found(figures: Figures, database: str) -> float | None:
        runs = figures.of("pick_up", "seconds", database=database, subject=subject)
        times = [1000 * seconds for run in runs for seconds in run]
        return percentile(times, percent) if times else None

    return found


def started(figures: Figures, database: str) -> float | None:
    """The start of `runjob` beside Django's."""
    times = {
        subject: figures.of("start_up", "seconds", database=database, subject=subject)
        for subject in ("jobs", "django")
    }
    return ratio(times["jobs"], times["django"]) if all(times.values()) else None


def claims_of_a_herd(figures: Figures, database: str) -> float | None:
    """Claims that one job causes among many idle workers."""
    found = figures.one("herd", database)
    return median(found["claims"]) if found else None


TARGETS = (
    Target(
        "drain, of the driver alone",
        beside("drain", "jobs", "bare"),
        {"sqlite": 0.8, "postgres": 0.9},
    ),
    Target(
        "drain, times the fastest durable peer",
        beside_durable_peers,
        {"sqlite": 3.0, "postgres": 3.0},
    ),
    Target(
        "enqueue, of the driver alone",
        beside("enqueue", "jobs", "bare"),
        {"sqlite": 0.7, "postgres": 0.7, "mongodb": 0.7},
    ),
    Target(
        "enqueue_many, of the driver's own way for many",
        beside("enqueue", "many", "bulk"),
        {"sqlite": 0.5, "postgres": 0.5, "mongodb": 0.5},
    ),
    Target(
        "the same without the jobs in return",
        beside("enqueue", "lazy", "bulk"),
        {"sqlite": 0.5, "postgres": 0.5, "mongodb": 0.5},
    ),
    Target(
        "enqueue_many, times procrastinate's batch_defer",
        beside("enqueue", "many", "procrastinate many"),
        {"postgres": 2.0},
    ),
    Target(
        "pick-up by an idle worker, median",
        picked_up(50),
        {"sqlite": 15, "postgres": 5},
        at_most=True,
        unit=" ms",
    ),
    Target(
        "the same, 99 %",
        picked_up(99),
        {"sqlite": 30, "postgres": 20},
        at_most=True,
        unit=" ms",
    ),
    Target("the driver alone as a worker, median", picked_up(50, "bare"), {}, unit=" ms"),
    Target("the same, 99 %", picked_up(99, "bare"), {}, unit=" ms"),
    Target(
        "start of `runjob`, times that of `django.setup()`",
        started,
        {"sqlite": 1.0, "postgres": 1.0, "mongodb": 1.0},
        at_most=True,
    ),
    Target(
        "claims when 100 workers are idle and one job comes",
        claims_of_a_herd,
        {"postgres": 5},
        at_most=True,
    ),
)
