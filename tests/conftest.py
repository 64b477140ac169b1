"""Which tests a lane collects, and what no test leaves behind for the next."""

from __future__ import annotations

import gc
import math
import signal
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.contenttypes.management import create_contenttypes
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models.signals import post_migrate
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis

from jobs import store
from jobs.process import reaper
from jobs.store import clock
from tests import samples
from tests.lanes import is_left_out, is_left_to_others, is_long

#: The same examples in every run, however slow the machine is at that moment.
hypothesis.register_profile(
    "tests",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis.load_profile("tests")

#: Threads of a worker in the tests' process. Idle ones, as a crew's, read no settings.
WATCHING = ("batchexec-poller", "batchexec-rows", "batchexec-traces", "doctor-", "jobs-")

# Collecting makes little garbage. `pytest_collection_finish` switches it on again.
gc.disable()

# A shell's background process ignores Ctrl-C, and so would all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    named = [Path(argument.partition("::")[0]).resolve() for argument in config.args]
    return True if is_left_out(collection_path, named) else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if is_left_to_others(item.path, item.name)]
    config.hook.pytest_deselected(items=left_out)
    for item in left_out:
        items.remove(item)
    items.sort(key=lambda item: not is_long(item.path))


def pytest_collection_finish() -> None:
    """What is loaded by now stays, so the garbage collector needn't go through it."""
    gc.freeze()
    gc.enable()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The header, which names the seed, is missing where pytest is told to be quiet."""
    if isinstance(seed := config.getoption("randomly_seed", None), int):
        terminalreporter.write_line(f"The order of the tests was that of --randomly-seed={seed}.")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """What the last test's processes have left open doesn't keep the database from
    being dropped.
    """
    yield
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )


@pytest.fixture
def known_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database has told its time, and isn't asked again: for tests that count."""
    monkeypatch.setattr(clock, "CLOCK_KEPT_FOR", math.inf)
    for model in apps.get_app_config("jobs").get_models():
        store.store_for(model).now()


@pytest.fixture
def promoted_once_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the begin of a pass, so that what fails in it isn't due again before its end,
    however slow the machine is.
    """
    monkeypatch.setattr(reaper, "MAINTENANCE_INTERVAL", math.inf)


@pytest.fixture(autouse=True)
def _no_permissions_after_every_test() -> None:
    """Each flush would make all permissions again, which costs more than most tests.

    A test that changes INSTALLED_APPS has Django's apps connect this once more.
    """
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    post_migrate.disconnect(create_contenttypes)


@pytest.fixture(scope="session", autouse=True)
def _collections_are_emptied_at_once() -> None:
    """Each flush would ask each for its options, and empty even the empty ones."""

    def named(table: str) -> list[dict[str, Any]]:
        """A pipeline that finds the name of a collection with rows."""
        return [{"$limit": 1}, {"$project": {"_id": {"$literal": table}}}]

    def empty(tables: Iterable[str]) -> None:
        first, *others = tables
        unions = ({"$unionWith": {"coll": one, "pipeline": named(one)}} for one in others)
        found = connection.database[first].aggregate([*named(first), *unions])
        for filled in found:
            connection.database[filled["_id"]].delete_many({})

    if connection.vendor == "mongodb":
        connection.ops.execute_sql_flush = empty


@pytest.fixture(scope="session", autouse=True)
def _passwords_are_hashed_quickly() -> None:
    """As slowly as in production, it takes longer than a test that only logs in."""
    PBKDF2PasswordHasher.iterations = 1


@pytest.fixture(scope="session", autouse=True)
def _no_collected_static_files() -> None:
    """Their folder is made in production only, and WhiteNoise warns without it."""
    settings.STATIC_ROOT = None


@pytest.fixture(autouse=True)
def _content_types_are_made_when_asked_for() -> None:
    ContentType.objects.clear_cache()  # of rows that an earlier test's end has deleted


@pytest.fixture(autouse=True)
def _stores_are_made_when_asked_for() -> Iterator[None]:
    """A store that saw its database away reaps nothing for a while."""
    yield
    store._stores.clear()


@pytest.fixture(autouse=True)
def _threads_end_with_their_test() -> Iterator[None]:
    """One that lives on reads the next test's settings.

    A heartbeat whose worker performed a job by itself, outside of a pass, would end a
    quarter of a lease later.
    """
    yield
    for thread in threading.enumerate():
        if thread.name == "jobs-heartbeat" and (run := getattr(thread, "_target", None)):
            run.__self__.stop()
        if thread.name.startswith(WATCHING):
            thread.join(60)
            assert not thread.is_alive(), f"{thread.name} goes on, as its worker wasn't closed"


@pytest.fixture(autouse=True)
def calls() -> Iterator[list[object]]:
    samples.calls.clear()
    yield samples.calls
    samples.calls.clear()
