"""An environment in an account: its stacks, by name, and what they are now."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cached_property

from django.core.management.base import CommandError

from batchexec.deploying.account import Account
from batchexec.deploying.formation import Formation
from batchexec.deploying.stack import Stack
from batchexec.deploying.templates import REGISTRY, STACKS, parameters, shown

DEFAULT_NAME = "delayed-jobs"
#: The names of an environment's further queues end so.
ENDINGS = ("-spot", "-machines")
#: Characters of a stack's name. Source: CloudFormation API, CreateStack.
LONGEST_STACK = 128
#: The tag by which everything of an environment is found, in the costs, too.
TAG = "delayed-jobs"


def check_name(name: str) -> None:
    """Raises CommandError, in a sentence, if an environment can't be called so."""
    problem = parameters("base")["Name"].problem(name)
    if name.endswith(ENDINGS):
        problem = f"--name {name!r} ends like a queue of another environment: choose another one."
    if problem:
        raise CommandError(problem)


class Environment:
    """All stacks of one environment are named after it."""

    def __init__(
        self, account: Account, name: str, say: Callable[[str], None], deployment: str = ""
    ):
        self.account = account
        self.name = name
        tags = [{"Key": TAG, "Value": name}]
        self.formation = Formation(account.client("cloudformation"), say, deployment, tags)

    def stack_name(self, stack: str) -> str:
        return f"{self.name}-{stack}"

    @cached_property
    def stacks(self) -> dict[str, Stack]:
        """The stacks that exist, as they were when first asked for."""
        found = {stack: self.formation.owned(self.stack_name(stack)) for stack in STACKS}
        return {stack: one for stack, one in found.items() if one and one.exists}

    def variables(self) -> str:
        """What `--env` has set before, as JSON."""
        base = self.stacks.get("base")
        return base.parameters.get("Environment", "") if base else ""


def problem_of_repository(repository: str) -> str:
    """Why a repository can't be called so, in a sentence; empty if it can."""
    if text := parameters(REGISTRY)["Repository"].problem(repository):
        return text
    stack = registry_stack(repository)
    if len(stack) > LONGEST_STACK or not stack[0].isalpha():
        return (
            f"--repository {shown(repository)}: its stack would be called {shown(stack)}, and "
            f"CloudFormation takes a name of {LONGEST_STACK} characters at most that begins with a "
            "letter."
        )
    return ""


def registry_stack(repository: str) -> str:
    """The stack of a repository. Environments that share one don't own it."""
    return f"{re.sub('[^a-z0-9]+', '-', repository)}-{REGISTRY}"


def plain_json(value: object) -> str:
    return json.dumps(value, indent=2, default=str)
