"""An IAM policy document, and whether it allows an action on a resource."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from batchexec.local.iam import conditions
from batchexec.local.iam.conditions import Condition, Context
from batchexec.local.iam.errors import PolicyError
from batchexec.local.iam.patterns import arn_like, is_arn, like

VERSIONS = ("2012-10-17", "2008-10-17")
STATEMENT = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}


class Decision(Enum):
    ALLOWED = "allowed"
    IMPLICIT_DENY = "no statement allows it"
    EXPLICIT_DENY = "a statement denies it"


@dataclass(frozen=True)
class Statement:
    """With `not_actions` or `not_resources`, it is about all others."""

    denies: bool
    actions: tuple[str, ...]
    not_actions: bool
    resources: tuple[str, ...]
    not_resources: bool
    conditions: tuple[Condition, ...]

    def is_about(self, action: str, resource: str, context: Context) -> bool:
        acted = any(like(action, pattern, ignore_case=True) for pattern in self.actions)
        meant = any(pattern == "*" or arn_like(resource, pattern) for pattern in self.resources)
        return (
            acted != self.not_actions
            and meant != self.not_resources
            and all(condition.holds(context) for condition in self.conditions)
        )


class Policy:
    """The statements of a document. A Deny wins over every Allow."""

    def __init__(self, document: object):
        """Raises PolicyError if it isn't a policy, or can't be decided here."""
        if not isinstance(document, Mapping):
            raise PolicyError("A policy is a JSON object with a Statement.")
        if unknown := set(document) - {"Version", "Id", "Statement"}:
            raise PolicyError(f"The policy has the unknown element {min(unknown)!r}.")
        if document.get("Version", VERSIONS[1]) not in VERSIONS:
            raise PolicyError(f"Version must be {VERSIONS[0]!r}, not {document['Version']!r}.")
        given = document.get("Statement")
        statements = given if isinstance(given, list) else [given]
        if not statements or not all(isinstance(one, Mapping) for one in statements):
            raise PolicyError("Statement must be an object or a list of objects.")
        self._statements = [_statement(one, n) for n, one in enumerate(statements, 1)]

    @classmethod
    def read(cls, source: Path | Mapping[str, Any]) -> Policy:
        """The policy in a file, or as a document.

        Raises PolicyError, with the file's name, if it can't be read or used.
        """
        if isinstance(source, Mapping):
            return cls(source)
        try:
            return cls(json.loads(source.read_bytes()))
        except OSError as error:
            raise PolicyError(f"The policy {source} can't be read: {error.strerror}.") from None
        except PolicyError as error:
            raise PolicyError(f"The policy {source} can't be used: {error}") from None
        except (ValueError, RecursionError) as error:
            raise PolicyError(f"The policy {source} is not JSON: {error}.") from None

    def decide(self, action: str, resource: str, context: Context) -> Decision:
        decision = Decision.IMPLICIT_DENY
        for statement in self._statements:
            if statement.is_about(action, resource, context):
                if statement.denies:
                    return Decision.EXPLICIT_DENY
                decision = Decision.ALLOWED
        return decision


def _statement(given: Mapping[str, Any], number: int) -> Statement:
    where = f"Statement {given.get('Sid') or number}"
    if unknown := set(given) - STATEMENT:
        name = min(unknown, key=str)
        reason = " (an identity-based policy has no principal)" if "Principal" in name else ""
        raise PolicyError(f"{where} has the unknown element {name!r}{reason}.")
    if given.get("Effect") not in ("Allow", "Deny"):
        raise PolicyError(
            f'{where}: Effect must be "Allow" or "Deny", not {given.get("Effect")!r}.'
        )
    actions, not_actions = _either(given, "Action", where)
    resources, not_resources = _either(given, "Resource", where)
    for action in actions:
        if action != "*" and not all(action.partition(":")):
            raise PolicyError(f"{where}: Action {action!r} must be service:action, or *.")
    for resource in resources:
        if "${" in resource:
            raise PolicyError(f"{where}: localbatch doesn't know policy variables (${{…}}).")
        if resource != "*" and not is_arn(resource):
            raise PolicyError(f"{where}: Resource {resource!r} must be an ARN, or *.")
    return Statement(
        denies=given["Effect"] == "Deny",
        actions=actions,
        not_actions=not_actions,
        resources=resources,
        not_resources=not_resources,
        conditions=tuple(conditions.parse(given.get("Condition", {}), where)),
    )


def _either(given: Mapping[str, Any], name: str, where: str) -> tuple[tuple[str, ...], bool]:
    """The patterns of `name` or `Not…`, and whether it was the latter."""
    present = [key for key in (name, f"Not{name}") if key in given]
    if len(present) != 1:
        raise PolicyError(f"{where} must have either {name} or Not{name}.")
    value = given[present[0]]
    patterns = value if isinstance(value, list) else [value]
    if not patterns or not all(isinstance(pattern, str) for pattern in patterns):
        raise PolicyError(f"{where}: {present[0]} must be a string or a list of strings.")
    return tuple(patterns), present[0] != name
