"""Reading an import file: each line is one post with its comments, in JSON.

The fields follow the rules of the API.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from rest_framework.exceptions import APIException

from comments.models import Comment
from posts.models import Post
from project.api.bodies import read_json
from project.api.fields import TextField
from project.api.serializers import ResourceSerializer

#: The longest line, in bytes. A longer one is not even read into memory.
MAX_LINE = 4 * 1024 * 1024


class CannotImport(Exception):
    """The file as a whole can't be read."""


@dataclass
class PostLine:
    """A post, and its comments with their keys, not saved yet."""

    key: str
    post: Post
    comments: list[tuple[str, Comment]] = field(default_factory=list)


@dataclass(frozen=True)
class BadLine:
    """A line that can't be imported: its number, from 1, and the reason."""

    number: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.number}: {self.reason}"


class CommentFields(ResourceSerializer[Comment]):
    class Meta:
        model = Comment
        fields = ["name", "message"]


class PostFields(ResourceSerializer[Post]):
    # The unique index decides whether the key is taken, not this field.
    key = TextField(max_length=Post._meta.get_field("import_key").max_length, source="import_key")
    comments = CommentFields(many=True, required=False)

    class Meta:
        model = Post
        fields = ["key", "title", "body", "comments"]


def read(path: str | Path) -> Iterator[PostLine | BadLine]:
    """Yields what each line of the file holds; empty lines are passed over.

    Raises CannotImport if the file can't be read.
    """
    rules = PostFields()
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(_lines(file), start=1):
                if line is None:
                    yield BadLine(number, f"It is longer than {MAX_LINE} bytes.")
                elif line := line.strip():
                    yield _parse(number, line, rules)
    except OSError as error:
        raise CannotImport(f"{path} can't be imported: {error.strerror}.") from error


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    """Yields each line, or None in place of one that is too long."""
    while line := file.readline(MAX_LINE + 1):
        if len(line) <= MAX_LINE:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE)
        yield None


def _parse(number: int, line: bytes, rules: PostFields) -> PostLine | BadLine:
    try:
        values = rules.run_validation(read_json(line))
    except APIException as error:
        return BadLine(number, _first_reason(error.detail))
    comments = values.pop("comments", [])
    key = values["import_key"]
    return PostLine(key, Post(**values), list(_with_keys(key, comments)))


def _with_keys(post_key: str, comments: list[dict[str, str]]) -> Iterator[tuple[str, Comment]]:
    """Gives each comment a key, because the file has none for comments.

    The key is made of the post's key and the comment's content. Equal comments of one
    post are numbered.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    for values in comments:
        content = (post_key, values["name"], values["message"])
        seen[content] += 1
        key = hashlib.sha256(repr((content, seen[content])).encode()).hexdigest()
        yield key, Comment(import_key=key, **values)


def _first_reason(detail: Any, where: str = "") -> str:
    """The first message in `detail` with its place: `comments[1].name: …`."""
    if isinstance(detail, list):
        number, first = next((number, item) for number, item in enumerate(detail) if item)
        if where and isinstance(first, dict):
            where = f"{where}[{number}]"
        return _first_reason(first, where)
    if not isinstance(detail, dict):
        return f"{where}: {detail}" if where else str(detail)
    name, inner = next(iter(detail.items()))
    if isinstance(name, int):
        where = f"{where}[{name}]"
    elif name != "non_field_errors":
        where = f"{where}.{name}".lstrip(".")
    return _first_reason(inner, where)
