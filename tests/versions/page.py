"""docs/versions.md: what is supported, as far as the lanes ran it."""

from __future__ import annotations

from tests.versions import results
from tests.versions.results import ROOT, Result, line_of

PAGE = ROOT / "docs" / "versions.md"
MARK = "<!-- Below this line, `make test-lanes` writes. -->\n"

TITLES = {
    "sqlite": "SQLite",
    "postgres": "PostgreSQL",
    "mongodb": "MongoDB's protocol (SecantusDB)",
    "documentdb": "MongoDB's protocol (DocumentDB)",
    "djongo": "djongo",
}


def write() -> None:
    """Replaces all of the page below its mark."""
    above = PAGE.read_text().partition(MARK)[0]
    PAGE.write_text(above + MARK + "\n" + table(results.load()))


def table(found: list[Result]) -> str:
    """One row for each database and line of Django, one column for each Python."""
    pythons = sorted({line_of(result["python"]) for result in found})
    names = [".".join(map(str, python)) for python in pythons]
    lines = ["| database | Django | " + " | ".join(f"Python {name}" for name in names) + " |"]
    lines.append("|---|---|" + "---|" * len(names))
    rows: dict[tuple[str, tuple[int, ...]], dict[tuple[int, ...], Result]] = {}
    for result in found:
        row = rows.setdefault((result["database"], line_of(result["django"])), {})
        row[line_of(result["python"])] = result
    for database, django in sorted(rows, key=lambda key: (list(TITLES).index(key[0]), key[1])):
        cells = rows[database, django]
        newest = max(cells.values(), key=lambda result: result["on"])
        title = TITLES[database] + (f", {newest['driver']}" if newest["driver"] else "")
        shown = [cell(cells[python]) if python in cells else "" for python in pythons]
        lines.append(f"| {title} | {newest['django']} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def cell(result: Result) -> str:
    return f"{result['passed']} passed" + (
        f", **{result['failed']} failed**" if result["failed"] else ""
    )
