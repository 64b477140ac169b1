"""`manage.py batchexec deploy`: makes an environment, or brings it to a new release."""

from __future__ import annotations

import hashlib
import json
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand

from batchexec.deploying.environment import DEFAULT_NAME

HELP = "make the environment in AWS, or bring it to a new release"


def add_arguments(parser: ArgumentParser) -> None:
    from batchexec.deploying.values import options

    add = parser.add_argument
    parser.description = (
        "Makes everything that AWS Batch needs, or brings it to a new release, in this order: "
        "network, roles, migration of the database, job definition, workers, alarms. It builds "
        "nothing. An option that you leave out keeps the value that is deployed. Run it again "
        "after whatever went wrong."
    )
    add("--dry-run", action="store_true", help="say what would change, and change nothing")
    add(
        "--restart",
        action="store_true",
        help="start workers and web servers anew, so that they read secrets that have changed",
    )
    add("--no-migrate", action="store_true", help="leave the database as it is")
    add(
        "--database-url-file",
        metavar="FILE",
        help="a file with DATABASE_URL, or - for standard input: it is kept in Secrets Manager",
    )
    add(
        "--env",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a variable of all containers, such as JOBS_LEASE=30; NAME= removes it; "
        "you can repeat it",
    )
    for name, parameter in sorted(options().items()):
        default = f"; default: {parameter.default}" if parameter.default else ""
        text = f"{parameter.description.rstrip('.')}{default}".replace("%", "%%")
        if name == "Name":
            add("--name", default=DEFAULT_NAME, help=text)
        else:
            add(parameter.option, dest=name, metavar="VALUE", help=text)


def run(
    command: BaseCommand,
    *,
    name: str,
    dry_run: bool,
    restart: bool,
    no_migrate: bool,
    database_url_file: str | None,
    env: list[str],
    **given: Any,
) -> int:
    from batchexec.deploying.account import Account
    from batchexec.deploying.environment import Environment, check_name
    from batchexec.deploying.release import Release
    from batchexec.deploying.values import options
    from jobs.management.terminal import say_on

    check_name(name)
    say = say_on(command)
    chosen = {key: given.get(key) for key in options()}
    chosen["Name"] = name
    account = Account.current()
    identity = _identity(chosen, env)
    release = Release(Environment(account, name, say, identity), chosen, env, say)
    release.check(database_url_file)
    say(f"{name} in {account.region}, account {account.number}, as {account.user}")
    if dry_run:
        release.rehearse()
    else:
        release.make(migrates=not no_migrate, restarts=restart)
    return 0


def _identity(chosen: Mapping[str, str | None], env: list[str]) -> str:
    """What this deployment is, so that a run of it that was killed is known again."""
    text = json.dumps([dict(chosen), sorted(env)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
