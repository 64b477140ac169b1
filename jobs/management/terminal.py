"""Text for a terminal, whatever a job contains."""

from __future__ import annotations

import datetime as dt
import os
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jobs.text import visible

if TYPE_CHECKING:
    from django.core.management.base import BaseCommand

#: Columns are made no narrower than this, in cells, so that something can be read.
NARROWEST = 8
GAP = "  "
#: Titles of columns of which a part says little: other columns are cut first.
CUT_LAST = ("RUN AT", "FIRST", "LAST", "STARTED")
#: Ways to stress a word, by the numbers of ECMA-48.
BOLD, DIM, RED, GREEN, YELLOW, BLUE, CYAN = 1, 2, 31, 32, 33, 34, 36

#: By a column's title, and the whole of an entry: how it is stressed.
Paint = Mapping[str, Mapping[str, int]]


def printable(text: str) -> str:
    """`text` with control characters and unencodable characters escaped.

    Control characters may steer a terminal. Line breaks and tabs stay.
    """
    shown = visible(text, keep="\n\t")
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def say_on(command: BaseCommand) -> Callable[[str], None]:
    """Writes a line on the command's output, which is seen at once."""

    def say(text: str) -> None:
        command.stdout.write(printable(text))
        command.stdout.flush()

    return say


def cells(text: str) -> int:
    """How many cells of a terminal the text takes: some characters take two, some
    none.
    """
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def _cells_of(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, most: int) -> str:
    """`text`, with an ellipsis at its end if it takes more cells than `most`."""
    if cells(text) <= most:
        return text
    mark = "…" if printable("…") == "…" else "~"
    kept, taken = [], 1
    for char in text:
        taken += _cells_of(char)
        if taken > most:
            break
        kept.append(char)
    return "".join(kept) + mark


def is_for_a_bar(stream: Any) -> bool:
    """Whether it is a terminal that can go back in a line."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def moment(instant: dt.datetime) -> str:
    """In UTC, to the second."""
    return instant.astimezone(dt.timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def painted(text: str, way: int) -> str:
    return f"\x1b[{way}m{text}\x1b[0m"


def table(
    rows: Sequence[Sequence[str]], *, width: int | None = None, paint: Paint | None = None
) -> str:
    """Columns as wide as their longest entry, one row a line.

    A column that is empty below its title is left out. With a `width`, the widest
    columns are cut until a line has no more cells than that; the first one, which names
    the row, is whole. With `paint` there are colours.
    """
    shown = [
        [printable(entry).replace("\n", "\\n").replace("\t", "\\t") for entry in row]
        for row in rows
    ]
    columns = [column for column in zip(*shown, strict=True) if any(column[1:])]
    widths = [max(map(cells, column)) for column in columns]
    if width is not None:
        last = {at for at, column in enumerate(columns) if column[0] in CUT_LAST}
        _narrow(widths, width, last)
        columns = [
            tuple(cut(entry, most) for entry in column)
            for column, most in zip(columns, widths, strict=True)
        ]
    laid_out = [_laid_out(*each, paint) for each in zip(columns, widths, strict=True)]
    return "\n".join(GAP.join(row).rstrip() for row in zip(*laid_out, strict=True))


def _narrow(widths: list[int], most: int, last: set[int]) -> None:
    """Takes from the widest but the first, and from those in `last` only if that isn't
    enough.
    """
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - most
    others = range(1, len(widths))
    for among in ([at for at in others if at not in last], [at for at in others if at in last]):
        while excess > 0 and among:
            widest = max(among, key=widths.__getitem__)
            if widths[widest] <= NARROWEST:
                break
            widths[widest] -= 1
            excess -= 1


def _laid_out(column: Sequence[str], width: int, paint: Paint | None) -> list[str]:
    title, *entries = column
    ways = (paint or {}).get(title, {})
    found = [painted(title, BOLD) if paint is not None and title else title]
    found += [painted(entry, ways[entry]) if entry in ways else entry for entry in entries]
    return [text + " " * (width - cells(entry)) for text, entry in zip(found, column, strict=True)]
