"""Rows of many jobs that differ in nothing but the fields of their objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.blanks import copies
from jobs.store.writing import Alike

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.store.base import Store

#: In which jobs of different classes differ.
OF_CLASS = ("queue", "priority", "name")


@dataclass
class Plain:
    """Rows to be stored, without an instance for each.

    `likes` has a job of each class, as it is stored.
    """

    payloads: list[Any]
    handlers: list[str]
    signatures: list[str]
    likes: dict[type, AbstractJob]

    def alike(self) -> Alike:
        like, *others = self.likes.values()
        differing: dict[str, Sequence[Any]] = {
            "handler": self.handlers,
            "signature": self.signatures,
        }
        for name in OF_CLASS if others else ():
            by_class = {cls: getattr(job, name) for cls, job in self.likes.items()}
            differing[name] = [by_class[type(payload)] for payload in self.payloads]
        return Alike(like, differing, len(self.payloads))

    def jobs(self, keys: Sequence[Any], store: Store[Any]) -> Iterator[AbstractJob]:
        """Instances of the rows, which are stored and got these keys."""
        name = store.model._meta.pk.attname
        made = {cls: copies(like, store.alias) for cls, like in self.likes.items()}
        for payload, handler, signature, key in zip(
            self.payloads, self.handlers, self.signatures, keys, strict=True
        ):
            job = next(made[type(payload)])
            own = job.__dict__
            own["payload"] = payload
            own["handler"] = handler
            own["signature"] = signature
            own[name] = key
            yield job


def plain_rows(
    batch: list[Any],
    likes: dict[type, AbstractJob],
    writers: dict[type, Callable[[Any], str]],
    sign: Callable[[str], str],
    check_size: Callable[[AbstractJob], None],
) -> Plain:
    """Raises whatever an object raises that isn't plain, can't be stored or is too
    large.
    """
    if len(writers) == 1:
        [write] = writers.values()
        handlers = list(map(write, batch))
    else:
        handlers = [writers[type(payload)](payload) for payload in batch]
    like = likes[type(batch[0])]
    like.handler = max(handlers, key=len)
    check_size(like)
    return Plain(batch, handlers, list(map(sign, handlers)), likes)
