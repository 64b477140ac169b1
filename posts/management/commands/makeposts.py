from __future__ import annotations

import json
import random
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

WORDS = [
    "batch",
    "comment",
    "database",
    "every",
    "job",
    "keeps",
    "later",
    "never",
    "queue",
    "the",
    "until",
    "worker",
]
NAMES = ["Ada", "Bob", "Chiara", "Dmitri", "Emre", "Fatima", "Grüße", "花子"]


class Command(BaseCommand):
    help = "Writes a file of made-up posts with comments for ImportPosts; the same arguments make the same file."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--count", type=int, default=3000, help="lines in all; default: %(default)s"
        )
        parser.add_argument(
            "--bad", type=int, default=15, help="bad lines among them; default: %(default)s"
        )
        parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")

    def handle(
        self, *args: Any, file: Path, count: int, bad: int, seed: int, **options: Any
    ) -> None:
        if not 0 <= bad <= count:
            raise CommandError("--bad must be a number from 0 to --count.")
        try:
            with file.open("wb") as output:
                output.writelines(line + b"\n" for line in make_lines(count, bad, seed))
        except OSError as error:
            raise CommandError(f"{file} can't be written: {error.strerror}.") from error
        self.stdout.write(f"Wrote {count:,} lines to {file}, {bad:,} of them bad.")


def make_lines(count: int, bad: int, seed: int) -> Iterator[bytes]:
    chance = random.Random(seed)  # noqa: S311
    bad_numbers = set(chance.sample(range(count), bad))
    spoiled = 0
    for number in range(count):
        post = make_post(chance, f"{seed}-{number}")
        if number in bad_numbers:
            yield SPOILERS[spoiled % len(SPOILERS)](post)
            spoiled += 1
        else:
            yield dump(post)


def make_post(chance: random.Random, key: str) -> dict[str, Any]:
    return {
        "key": key,
        "title": words(chance, 3, 8).capitalize(),
        "body": ". ".join(words(chance, 5, 20).capitalize() for _ in range(chance.randint(1, 6)))
        + ".",
        "comments": [
            {"name": chance.choice(NAMES), "message": words(chance, 2, 15).capitalize() + "."}
            for _ in range(chance.choice([0, 1, 2, 3, 4, 6]))
        ],
    }


def words(chance: random.Random, least: int, most: int) -> str:
    return " ".join(chance.choices(WORDS, k=chance.randint(least, most)))


def dump(post: Any) -> bytes:
    return json.dumps(post, ensure_ascii=False).encode()


#: One for every way in which a line can be bad.
SPOILERS = [
    lambda post: dump(post)[:-10],
    lambda post: dump({**post, "title": None}),
    lambda post: dump({name: post[name] for name in ("key", "body")}),
    lambda post: dump({**post, "title": 42}),
    lambda post: dump({**post, "title": "x" * 256}),
    lambda post: dump({**post, "body": "NUL: \0"}),
    lambda post: dump({**post, "body": "?"}).replace(b"?", b"\xff"),
    lambda post: dump(list(post.values())),
    lambda post: dump({**post, "comments": "none"}),
    lambda post: dump({**post, "comments": [{"name": "Nobody"}]}),
    lambda post: dump({**post, "key": ""}),
    lambda post: b"[" * 100_000,
]
