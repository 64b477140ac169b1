"""`manage.py makeposts`: a file of made-up posts to import."""

from __future__ import annotations

import json
import random
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

WORDS = ["batch", "comment", "database", "every", "job", "keeps", "later", "never", "queue"]
WORDS += ["the", "until", "worker"]
NAMES = ["Ada", "Bob", "Chiara", "Dmitri", "Emre", "Fatima", "Grüße", "花子"]


class Command(BaseCommand):
    help = (
        "Writes a file of made-up posts with comments, for the job ImportPosts. "
        "The same arguments always make the same file."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        number = partial(parser.add_argument, type=int)
        parser.add_argument("file", type=Path, help="the file to write")
        number("--count", default=3000, help="how many lines; default: %(default)s")
        number("--bad", default=15, help="how many of them are bad; default: %(default)s")
        number("--seed", default=1, help="of the random numbers; default: %(default)s")

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
    title = words(chance, 3, 8).capitalize()
    body = [f"{words(chance, 5, 20).capitalize()}." for _ in range(chance.randint(1, 6))]
    return {
        "key": key,
        "title": title,
        "body": " ".join(body),
        "comments": [
            {"name": chance.choice(NAMES), "message": words(chance, 2, 15).capitalize() + "."}
            for _ in range(chance.choice([0, 1, 2, 3, 4, 6]))
        ],
    }


def words(chance: random.Random, least: int, most: int) -> str:
    return " ".join(chance.choices(WORDS, k=chance.randint(least, most)))


def dump(post: Any) -> bytes:
    return json.dumps(post, ensure_ascii=False).encode()


#: Each makes a line that is bad in its own way.
SPOILERS: list[Callable[[dict[str, Any]], bytes]] = [
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
