"""The fixture `local_batch`, which pytest finds where this package is installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

#: Any credentials will do.
CLIENT = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@pytest.fixture
def local_batch(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """AWS Batch on this machine, beside the test, with the settings' queue and
    definition.

    Its containers are processes with this one's environment. `DATABASE_URL` names the
    test's database in it, if it was set.
    """
    from batchexec.local.server import LocalBatch

    for name, value in CLIENT.items():
        monkeypatch.setenv(name, value)
    if url := os.environ.get("DATABASE_URL"):
        monkeypatch.setenv("DATABASE_URL", _url_of_test_database(url))
    with LocalBatch(create=True, start_delay=0.05) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", server.url)
        yield server


def _url_of_test_database(url: str) -> str:
    from django.db import connection

    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
