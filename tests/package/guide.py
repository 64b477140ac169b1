"""docs/getting-started.md as a list of steps, for one database."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from tests.servers import ROOT

PAGE = ROOT / "docs" / "getting-started.md"
#: The sections that take you from an empty folder to a job on the local AWS Batch.
FIRST, LAST = "## 1.", "## 5."

MARK = re.compile(r"# (?P<path>[\w/]+\.py)(, on (?P<database>\w+))?$")


@dataclass(frozen=True)
class Step:
    """A command for the terminal, or, with a `path`, Python to append to that file."""

    text: str
    path: str = ""


def block(containing: str) -> str:
    """The code block of the page, fenced or indented, that holds this text."""
    text = PAGE.read_text()
    fenced = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    indented = re.findall(r"(?:^    .+\n)+", text, re.MULTILINE)
    (found,) = (one for one in fenced + indented if containing in one)
    return textwrap.dedent(found)


def steps(database: str) -> list[Step]:
    """`database` as the page's tables name it."""
    text = PAGE.read_text()
    return list(_steps(text[text.index(FIRST) : text.index(LAST)].splitlines(), database))


def _steps(lines: list[str], database: str) -> Iterator[Step]:
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("```python"):
            end = lines.index("```", at)
            mark = MARK.match(lines[at + 1])
            assert mark, f"this block names no file: {lines[at + 1]}"
            if mark["database"] in (None, database):
                yield Step("\n".join(lines[at + 1 : end]) + "\n", mark["path"])
            at = end
        elif line.startswith(f"| {database} |"):
            yield Step(line.split("`")[1])
        elif line.startswith("    "):
            end = next(number for number in range(at, len(lines)) if not lines[number].strip())
            command = "\n".join(line[4:] for line in lines[at:end])
            if "localmongo" not in command or database == "MongoDB":
                yield Step(command)
            at = end
        at += 1
