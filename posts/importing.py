"""Importing posts with their comments from a JSON Lines file.

You can repeat an import, resume one that was killed, or run two at once. Nothing is
added twice, because every row has a key and the key's unique index decides.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from django.db import DatabaseError, transaction

from comments.models import Comment
from posts import lines
from posts.lines import BadLine, PostLine
from posts.models import Post

logger = logging.getLogger(__name__)

#: How many rows are looked up and written at once.
BATCH = 500

#: How many bad lines are logged and kept. Further ones are only counted.
MAX_REPORTED = 100

Item = TypeVar("Item")
Row = TypeVar("Row", Post, Comment)


@dataclass
class Report:
    """What an import did. `posts` and `comments` count the rows that this run added."""

    path: str
    posts: int = 0
    comments: int = 0
    already_there: int = 0
    bad: int = 0
    bad_lines: list[BadLine] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"Imported {self.posts:,} posts with {self.comments:,} comments from {self.path}; "
            f"{self.bad:,} bad lines skipped; {self.already_there:,} were there already."
        )

    def add_bad(self, line: BadLine) -> None:
        self.bad += 1
        if len(self.bad_lines) < MAX_REPORTED:
            self.bad_lines.append(line)
            logger.warning("%s, %s", self.path, line)


def import_posts(path: str | Path) -> Report:
    """Adds the posts and comments of a file that are not in the database yet.

    A bad line is reported and skipped. However large the file is, only one batch of it
    is in memory. Raises lines.CannotImport if the file can't be read.
    """
    report = Report(str(path))
    for batch in _batches(_good(lines.read(path), report)):
        _import_batch(batch, report)
    return report


def _good(found: Iterable[PostLine | BadLine], report: Report) -> Iterator[PostLine]:
    for line in found:
        if isinstance(line, BadLine):
            report.add_bad(line)
        else:
            yield line


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    remaining = iter(items)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def _import_batch(batch: list[PostLine], report: Report) -> None:
    posts: dict[str, Post] = {}
    for line in batch:
        posts.setdefault(line.key, line.post)
    pks, added = _add_missing(Post, posts)
    report.posts += added
    report.already_there += len(batch) - added

    # In batches of their own, because a post may have any number of comments.
    for comments in _batches(_with_posts(batch, pks)):
        _, added = _add_missing(Comment, dict(comments))
        report.comments += added
    Comment.objects.delete_orphans(pks.values())


def _with_posts(batch: list[PostLine], pks: dict[str, Any]) -> Iterator[tuple[str, Comment]]:
    """The comments of these lines with their keys, each pointing to its post's row."""
    for line in batch:
        for key, comment in line.comments:
            comment.post_id = pks[line.key]
            yield key, comment


def _add_missing(model: type[Row], wanted: Mapping[str, Row]) -> tuple[dict[str, Any], int]:
    """Adds the rows whose key is not in the table yet.

    Returns the primary key of every row by its key, and the number of rows added.
    """
    rows = model._default_manager
    added = 0
    last_time = len(wanted) + 1
    while True:
        found = rows.filter(import_key__in=wanted).values_list("import_key", "pk")
        there = {str(key): pk for key, pk in found}
        missing = {key: row for key, row in wanted.items() if key not in there}
        if not missing:
            return there, added
        try:
            with transaction.atomic():
                rows.bulk_create(missing.values())
            added += len(missing)
        except DatabaseError as error:  # an IntegrityError, except on djongo
            # Another import may have added one of them first, so look again. If none is
            # there now, the error is about something else.
            if len(missing) == last_time:
                raise
            added += _inserted_before(error)
        last_time = len(missing)


def _inserted_before(error: BaseException | None) -> int:
    """How many rows of a batch MongoDB kept before it refused one.

    The driver's own error, the first cause of Django's, knows the number.
    """
    while error is not None:
        if found := getattr(error, "details", None):
            return int(found.get("nInserted", 0))
        error = error.__cause__
    return 0
