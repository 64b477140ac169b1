"""Tables of a page, and how figures are written in them."""

from __future__ import annotations

from statistics import median, quantiles

from bench.figures import ratio
from bench.peers.catalogue import BY_NAME

Rows = list[list[str]]

#: Subjects of this project.
SUBJECTS = {
    "bare": "the driver alone",
    "jobs": "this queue",
    "bulk": "the driver alone, many at once",
    "many": "this queue, `enqueue_many`",
    "lazy": "this queue, `enqueue_many(returning=False)`",
}


def subject_title(subject: str) -> str:
    """What a page calls a subject; those of peers are their names."""
    if subject in SUBJECTS:
        return SUBJECTS[subject]
    name, _, many = subject.partition(" ")
    peer = BY_NAME[name]
    return f"{peer.title}, `{peer.many}`" if many else peer.title


def is_many(subject: str) -> bool:
    """Whether it enqueues many at once."""
    return subject in ("bulk", "many", "lazy") or subject.endswith(" many")


def limit_of(subject: str) -> str:
    """The subject that is its limit."""
    return "bulk" if is_many(subject) else "bare"


def section(title: str, text: str, head: list[str], rows: Rows) -> str:
    """A heading, a text and a table; nothing if the suite wasn't measured."""
    return f"## {title}\n\n{text}\n\n{table(head, rows)}" if rows else ""


def table(head: list[str], rows: Rows) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spread(values: list[float]) -> str:
    """The median, and the range from the slowest to the fastest round."""
    return f"{median(values):,.0f} ({min(values):,.0f}-{max(values):,.0f})"


def part(rates: list[float], limit: list[float]) -> str:
    """What they reach of the limit, if that was measured."""
    return f"{ratio(rates, limit):.2f}" if limit else "not measured"


def percentile(values: list[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def milliseconds(seconds: float) -> str:
    """With one digit after the point below 100."""
    value = 1000 * seconds
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"
