"""`manage.py batchexec push`: the repository, and the image in it."""

from __future__ import annotations

import base64
import datetime as dt
import re
import shlex
import subprocess
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from batchexec.deploying.environment import DEFAULT_NAME

if TYPE_CHECKING:
    from batchexec.deploying.account import Account

HELP = "make the repository, and print how to build and push the image, or do it"
PLATFORMS = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        "Makes the repository in ECR, and prints the commands that build the image and push it. "
        "With --run it runs them, and prints the `deploy` line with the image's digest."
    )
    add = parser.add_argument
    add("--repository", default=DEFAULT_NAME, help="name of the repository; default: %(default)s")
    add(
        "--architecture",
        choices=sorted(PLATFORMS),
        default="X86_64",
        help="what the image is built for; default: %(default)s, whatever this machine is",
    )
    add("--tag", help="default: the time; a tag can't be pushed twice")
    add("--folder", default=".", help="folder of the Dockerfile; default: the current one")
    add("--run", action="store_true", help="run the commands, which needs Docker with buildx")


def run(
    command: BaseCommand,
    *,
    repository: str,
    architecture: str,
    tag: str | None,
    folder: str,
    run: bool,
    **options: Any,
) -> int:
    from batchexec.deploying.account import Account
    from batchexec.deploying.environment import (
        Environment,
        problem_of_repository,
        registry_stack,
    )
    from batchexec.deploying.templates import REGISTRY, shown, text
    from jobs.management.terminal import say_on

    say = say_on(command)
    if tag is None:
        tag = dt.datetime.now(dt.timezone.utc).strftime("%Y%m%d-%H%M%S")
    if problem := problem_of_repository(repository):
        raise CommandError(problem)
    if not TAG.fullmatch(tag):
        raise CommandError(f"--tag has 1 to 128 letters, digits and . _ - in it, not {shown(tag)}.")
    if not folder or folder.startswith("-"):
        raise CommandError(f"--folder {folder!r} is not the name of a folder.")
    if run and not _is_folder(folder):
        raise CommandError(f"--folder: there is no folder {shown(folder)}.")
    if run and not (Path(folder) / "Dockerfile").is_file():
        raise CommandError(
            f"There is no Dockerfile in the folder {folder}: name its folder by --folder, or write "
            "one, as docs/deploying.md shows it."
        )
    account = Account.current()
    formation = Environment(account, repository, say, "push").formation
    name = registry_stack(repository)
    formation.ready(name)
    plan = formation.plan(name, text(REGISTRY), {"Repository": repository})
    if not plan.unchanged:
        say(f"{name}: {'is made' if plan.is_new else 'is changed'}")
        formation.apply(plan)
    uri = f"{account.registry}/{repository}"
    build = [
        *("docker", "buildx", "build", "--platform", PLATFORMS[architecture]),
        # One image, not a list with an attestation in it.
        *("--provenance=false", "--tag", f"{uri}:{tag}", "--push", folder),
    ]
    if not run:
        say(
            f"aws ecr get-login-password --region {account.region} | "
            f"docker login --username AWS --password-stdin {account.registry}"
        )
        say(shlex.join(build))
        say(
            f"aws ecr describe-images --region {account.region} --repository-name {repository} "
            f"--image-ids imageTag={tag} --query 'imageDetails[0].imageDigest' --output text"
        )
        return 0
    _log_in(account)
    _call(build)
    digest = _digest(account, repository, tag)
    say(f"manage.py batchexec deploy --image {uri}@{digest} --architecture {architecture}")
    return 0


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except ValueError:  # a NUL in it
        return False


def _log_in(account: Account) -> None:
    (given,) = account.client("ecr").get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(given["authorizationToken"]).decode().partition(":")
    login = ["docker", "login", "--username", user, "--password-stdin", account.registry]
    _call(login, password)


def _call(
    command: list[str], given: str | None = None, do: Callable[..., Any] = subprocess.run
) -> None:
    try:
        done = do(command, input=given, text=True, check=False)
    except FileNotFoundError:
        raise CommandError(
            "Docker isn't installed here: run `batchexec push` without --run, and what it prints "
            "on a machine that has it."
        ) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CommandError(f"`{command[0]}` can't be run here: {reason}.") from None
    if done.returncode:
        raise CommandError(
            f"`{shlex.join(command[:3])}` failed with exit code {done.returncode}: see above."
        )


def _digest(account: Account, repository: str, tag: str) -> str:
    answer = account.client("ecr").describe_images(
        repositoryName=repository, imageIds=[{"imageTag": tag}]
    )
    return str(answer["imageDetails"][0]["imageDigest"])
