"""Text for a terminal, whatever a job contains."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from jobs.text import visible


def printable(text: str) -> str:
    """`text` with control characters and unencodable characters escaped.

    Control characters may steer a terminal. Line breaks and tabs stay.
    """
    shown = visible(text, keep="\n\t")
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their longest entry, one row a line.

    A column that is empty below its title is left out.
    """
    shown = [
        [printable(entry).replace("\n", "\\n").replace("\t", "\\t") for entry in row]
        for row in rows
    ]
    columns = [column for column in zip(*shown, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    padded = [
        [entry.ljust(width) for entry, width in zip(row, widths, strict=True)]
        for row in zip(*columns, strict=True)
    ]
    return "\n".join("  ".join(row).rstrip() for row in padded)
