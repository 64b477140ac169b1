"""Importing posts with their comments from a JSON Lines file.

Repeating an import, resuming one that was killed, and running two at once all add nothing twice: every row has a key,
and its unique index decides.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from django.db import DatabaseError, models, transaction

from comments.models import Comment
from posts import lines
from posts.lines import BadLine, PostLine
from posts.models import Post

logger = logging.getLogger(__name__)

#: So many rows are looked up and written at once.
BATCH = 500

#: So many bad lines are logged and kept; the others are only counted.
MAX_REPORTED = 100


@dataclass
class Report:
    """What an import did. `posts` and `comments` count the rows that this very run has added."""

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
    """Adds the file's posts and comments that aren't there yet; a bad line is reported and skipped.

    Memory is that of one batch, whatever the size of the file. lines.CannotImport where it can't be read.
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


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    remaining = iter(items)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def _import_batch(batch: list[PostLine], report: Report) -> None:
    posts: dict[str, Post] = {}
    for line in batch:
        posts.setdefault(line.post.import_key, line.post)
    pks, added = _add_missing(Post, posts)
    report.posts += added
    report.already_there += len(batch) - added

    for line in batch:
        for comment in line.comments:
            comment.post_id = pks[line.post.import_key]
    # In batches of their own: a post may have any number of them.
    for comments in _batches(comment for line in batch for comment in line.comments):
        report.comments += _add_missing(
            Comment, {comment.import_key: comment for comment in comments}
        )[1]
    Comment.objects.delete_orphans(pks.values())


def _add_missing(
    model: type[models.Model], wanted: dict[str, models.Model]
) -> tuple[dict[str, Any], int]:
    """Adds the rows whose key isn't there; returns every row's primary key by its key, and how many it has added."""
    added = 0
    last_time = len(wanted) + 1
    while True:
        there = dict(model.objects.filter(import_key__in=wanted).values_list("import_key", "pk"))
        missing = {key: row for key, row in wanted.items() if key not in there}
        if not missing:
            return there, added
        try:
            with transaction.atomic():
                model.objects.bulk_create(missing.values())
            added += len(missing)
        except DatabaseError as error:  # an IntegrityError, but on djongo
            # Somebody else was faster with one of them: look again. If nobody was, it isn't about keys.
            if len(missing) == last_time:
                raise
            added += _inserted_all_the_same(error)
        last_time = len(missing)


def _inserted_all_the_same(error: BaseException | None) -> int:
    """MongoDB keeps what came before the row that it refused; its driver's error, the first cause, says how many."""
    while error is not None:
        if found := getattr(error, "details", None):
            return int(found.get("nInserted", 0))
        error = error.__cause__
    return 0
