"""The lines of an import file: a post with its comments each, in JSON, under the rules of the API."""

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

#: In bytes. A longer line isn't even read into memory.
MAX_LINE = 4 * 1024 * 1024


class CannotImport(Exception):
    """The file can't be read at all."""


@dataclass
class PostLine:
    post: Post
    comments: list[Comment] = field(default_factory=list)


@dataclass(frozen=True)
class BadLine:
    number: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.number}: {self.reason}"


class CommentFields(ResourceSerializer):
    class Meta:
        model = Comment
        fields = ["name", "message"]


class PostFields(ResourceSerializer):
    # Whether the key is taken is for the unique index to say.
    key = TextField(max_length=Post._meta.get_field("import_key").max_length, source="import_key")
    comments = CommentFields(many=True, required=False)

    class Meta:
        model = Post
        fields = ["key", "title", "body", "comments"]


def read(path: str | Path) -> Iterator[PostLine | BadLine]:
    """What each line of the file holds, one at a time; empty lines are passed over. CannotImport where it can't be read."""
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
    """Line by line; None for one that is too long."""
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
    post = Post(**values)
    return PostLine(post, list(_with_keys(post.import_key, comments)))


def _with_keys(post_key: str, comments: list[dict[str, str]]) -> Iterator[Comment]:
    """Comments have no keys of their own: the post's, the content, and which of several equal ones it is, make one."""
    seen: Counter[tuple[str, ...]] = Counter()
    for values in comments:
        content = (post_key, values["name"], values["message"])
        seen[content] += 1
        key = hashlib.sha256(repr((content, seen[content])).encode()).hexdigest()
        yield Comment(import_key=key, **values)


def _first_reason(detail: Any, where: str = "") -> str:
    """`comments[1].name: This field is required.`"""
    if isinstance(detail, list):
        number, first = next((number, item) for number, item in enumerate(detail) if item)
        return _first_reason(
            first, f"{where}[{number}]" if isinstance(first, dict) and where else where
        )
    if not isinstance(detail, dict):
        return f"{where}: {detail}" if where else str(detail)
    name, inner = next(iter(detail.items()))
    if name == "non_field_errors":
        return _first_reason(inner, where)
    return _first_reason(
        inner, f"{where}[{name}]" if isinstance(name, int) else f"{where}.{name}".lstrip(".")
    )
