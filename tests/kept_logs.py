"""Log records as handlers get them, with the fields of the job that they are about."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from jobs.logs import FIELDS, JobFilter


class Kept(logging.Handler):
    """The fields of each record, as they are in the thread that logs it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.addFilter(JobFilter())
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def of(self, logger: str) -> list[logging.LogRecord]:
        return [record for record in self.records if record.name == logger]

    def fields(self, logger: str) -> list[dict[str, Any]]:
        return [{name: vars(record)[name] for name in FIELDS} for record in self.of(logger)]


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler = Kept()
    names = ("jobs", "batchexec", "tests")
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield handler
    for name in names:
        logging.getLogger(name).removeHandler(handler)
        logging.getLogger(name).setLevel(levels[name])
