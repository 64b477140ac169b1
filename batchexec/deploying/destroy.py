"""`manage.py batchexec destroy`: removes an environment, but no data unless told to."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from batchexec.deploying.environment import DEFAULT_NAME

if TYPE_CHECKING:
    from batchexec.deploying.account import Account
    from batchexec.deploying.formation import Formation

HELP = "remove the environment from AWS; the database, secrets and images stay"


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        "Removes the stacks of the environment, the last first, and every revision of its job "
        "definitions. The database is never touched. "
        "Secrets and images stay, unless you say --secrets or --images."
    )
    add = parser.add_argument
    add("--name", default=DEFAULT_NAME, help="the environment; default: %(default)s")
    add("--yes", action="store_true", help="don't ask")
    add("--secrets", action="store_true", help="delete the secrets that deploy made, in 30 days")
    add(
        "--images",
        metavar="REPOSITORY",
        help="delete this repository with all its images, which other environments may use",
    )


def run(
    command: BaseCommand,
    *,
    name: str,
    yes: bool,
    secrets: bool,
    images: str | None,
    **options: Any,
) -> int:
    from batchexec.aws.boto import exceptions
    from batchexec.deploying import revisions
    from batchexec.deploying.account import Account
    from batchexec.deploying.environment import (
        Environment,
        check_name,
        problem_of_repository,
        registry_stack,
    )
    from batchexec.deploying.formation import AGAIN, message
    from batchexec.deploying.secrets import Secrets
    from batchexec.deploying.templates import STACKS
    from jobs.management.terminal import say_on

    check_name(name)
    say = say_on(command)
    if images is not None and (problem := problem_of_repository(images)):
        raise CommandError(problem.replace("--repository", "--images"))
    account = Account.current()
    environment = Environment(account, name, say)
    names = {stack: environment.stack_name(stack) for stack in STACKS}
    there = [stack for stack in STACKS if environment.formation.owned(names[stack])]
    kept = Secrets(account.client("secretsmanager"), name)
    active = revisions.active(account, name)
    if not there and not active and not secrets and not images:
        say(f"Nothing named {name} is deployed in {account.region}.")
        return 0
    if not yes:
        _ask(name, account, there, len(active), secrets, images)
    failed = _remove_stacks(environment.formation, [names[stack] for stack in there], say)

    def remove_revisions() -> None:
        # Without its stack, nobody registers further ones.
        if environment.formation.look(names["batch"]) is None:
            revisions.deregister(account, revisions.active(account, name))
            say(f"{name}: the revisions of its job definitions are deregistered")

    def remove_secrets() -> None:
        for gone in kept.delete():
            say(f"{gone}: is deleted in 30 days")

    def remove_images() -> None:
        was_there = _delete_images(account, str(images))
        Environment(account, str(images), say).formation.delete(registry_stack(str(images)))
        done = "the repository and its images are deleted"
        say(f"{images}: {done if was_there else 'there is no such repository'}")

    for wanted, what, remove in (
        (active, f"The revisions of the job definitions of {name}", remove_revisions),
        (secrets, f"The secrets of {name}", remove_secrets),
        (images, f"The repository {images}", remove_images),
    ):
        try:
            if wanted:
                remove()
        except CommandError as error:
            failed.append(str(error))
        except exceptions.ClientError as error:
            failed.append(f"{what} could not be deleted: {message(error)} {AGAIN}")
    left = [kind for kind in ("database-url", "secret-key") if kept.find(kind)]
    if left:
        say(f"Kept: the secrets {', '.join(f'{name}/{kind}' for kind in left)}; --secrets deletes.")
    if failed:
        raise CommandError("\n".join(failed))
    return 0


def _remove_stacks(formation: Formation, names: list[str], say: Callable[[str], None]) -> list[str]:
    """Deletes them, the last first; returns what went wrong, in sentences.

    Once one can't be deleted, those that it rests on stay, because AWS Batch can't
    delete a compute environment whose role or network is gone.
    """
    left = list(names)
    while left:
        name = left[-1]
        say(f"{name}: is being removed")
        try:
            formation.delete(name)
        except CommandError as error:
            rests_on = ", ".join(left[:-1])
            return [f"{error} Until then these stay: {rests_on}." if rests_on else str(error)]
        say(f"{name}: removed")
        left.pop()
    return []


def _ask(
    name: str,
    account: Account,
    there: list[str],
    revisions: int,
    secrets: bool,
    images: str | None,
) -> None:
    what = [f"{len(there)} stacks of {name}, with its logs; jobs that run in AWS Batch are ended"]
    if revisions:
        what.append(f"{revisions} revisions of its job definitions")
    if secrets:
        what.append("its secrets")
    if images:
        what.append(f"the repository {images} with all images")
    removes = f"This removes from {account.number} in {account.region}:"
    print(removes, *what, sep="\n  ")  # noqa: T201
    if sys.stdin is None or not sys.stdin.isatty():
        raise CommandError("Nobody can answer here: add --yes if you mean it. Nothing was removed.")
    try:
        answer = input(f"Type {name} to go on: ")
    except EOFError:
        answer = ""
    if answer.strip() != name:
        raise CommandError("Nothing was removed.")


def _delete_images(account: Account, repository: str) -> bool:
    """Whether there was such a repository."""
    ecr = account.client("ecr")
    try:
        ecr.delete_repository(repositoryName=repository, force=True)
    except ecr.exceptions.RepositoryNotFoundException:
        return False
    return True
