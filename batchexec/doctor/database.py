"""The database: whether it is there, migrated, and what the queue needs of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError
from django.db import connections, router

from batchexec.doctor.deployment import LOOPBACK, Deployment
from batchexec.doctor.findings import Finding, fault, ok, warning
from jobs.conf import settings
from jobs.database_checks import check_database
from jobs.management.failures import require_migrated
from jobs.models import Job
from jobs.store import store_for
from jobs.store.patience import brief

#: The oldest MongoDB that the project says it works with.
OLDEST_MONGODB = (7, 0)


def reachable(deployment: Deployment) -> Iterator[Finding]:
    connection = connections[router.db_for_write(Job)]
    try:
        connection.ensure_connection()
        store_for(Job).now()
    except Exception as error:
        if not store_for(Job).is_unavailable(error):
            raise
        yield fault(
            f"The database can't be reached: {brief(error)}",
            "correct DATABASE_URL, and let this machine in (security group, access list).",
        )
        return
    yield ok(f"The database answers: {_version(connection)}.")
    try:
        require_migrated()
    except CommandError as error:
        yield fault(str(error), "run manage.py migrate before you deploy.")
        return
    yield ok("The database is migrated.")
    yield from _options()
    yield from _clock()
    if connection.vendor == "mongodb":
        yield from _mongodb(connection)
    if not deployment.local_endpoint:
        yield from _place(connection)


def _version(connection: Any) -> str:
    version = ".".join(map(str, connection.get_database_version() or ()))
    return f"{connection.display_name} {version}".strip()


def _options() -> Iterator[Finding]:
    """What the system checks say of DATABASES."""
    for message in check_database(None):
        found_wrong = fault if message.is_serious() else warning
        yield found_wrong(message.msg, message.hint or "change DATABASES, or DATABASE_URL.")


def _clock() -> Iterator[Finding]:
    """Leases go by the database's clock, which this machine's should agree with."""
    store = store_for(Job)
    here = dt.datetime.now(dt.timezone.utc)
    ahead = abs((store.now() - here).total_seconds())
    lease = float(settings.LEASE)
    text = f"The database's clock and this machine's differ by {ahead:.1f} s"
    if ahead > lease / 4:
        yield warning(
            f"{text}. Leases go by the database's, so jobs are safe, but run_at is not when you "
            "think.",
            "synchronise both clocks (NTP).",
        )
    else:
        yield ok(f"{text}.")


def _mongodb(connection: Any) -> Iterator[Finding]:
    admin = connection.database.client.admin
    version = tuple(connection.get_database_version())
    if version < OLDEST_MONGODB:
        yield warning(
            f"MongoDB is {'.'.join(map(str, version))}, older than any that was tried.",
            f"use MongoDB {'.'.join(map(str, OLDEST_MONGODB))} or newer.",
        )
    hello = admin.command("hello")
    if not hello.get("setName") and hello.get("msg") != "isdbgrid":  # a sharded cluster
        yield warning(
            "MongoDB is not a replica set, so a failover loses it and workers hear of new jobs by "
            "polling only.",
            "make it a replica set (a single member will do to try), or use Atlas.",
        )
    else:
        yield ok(f"MongoDB is a replica set: {hello.get('setName') or 'sharded'}.")


def _place(connection: Any) -> Iterator[Finding]:
    """A container in AWS can't come to this machine."""
    if connection.vendor == "sqlite":
        yield fault(
            "The database is a file of this machine, which no container in AWS can open.",
            "set DATABASE_URL to a MongoDB or a PostgreSQL that your subnets can reach.",
        )
        return
    host = str(connection.settings_dict.get("HOST") or "")
    if host.rpartition("://")[2].split(":")[0] in LOOPBACK:
        yield fault(
            f"The database is at {host}, which is another machine in each container.",
            "set DATABASE_URL to an address that your subnets can reach.",
        )
