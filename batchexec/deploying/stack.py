"""A stack of CloudFormation as it is, what its states mean, and its events in words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: A stack that has only been looked at: a change set without resources.
REVIEWED = "REVIEW_IN_PROGRESS"
#: The making of the stack failed, and what it had made is gone again.
NOTHING_LEFT = "ROLLBACK_COMPLETE"
#: What an update needs; else something has to be mended by hand first.
USABLE = (
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
)
#: The ends of changes, in words.
WORDS = {
    "CREATE_COMPLETE": "made",
    "UPDATE_COMPLETE": "changed",
    "DELETE_COMPLETE": "removed",
    "DELETE_SKIPPED": "kept",
}


@dataclass(frozen=True)
class Stack:
    """A stack as CloudFormation describes it."""

    name: str
    id: str
    status: str
    reason: str = ""
    change_set: str = ""
    updated: dt.datetime | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def in_progress(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and self.status != REVIEWED

    @property
    def exists(self) -> bool:
        return self.status not in (REVIEWED, "DELETE_COMPLETE")


def stack_of(found: Mapping[str, Any]) -> Stack:
    """From an answer of DescribeStacks."""
    return Stack(
        name=found["StackName"],
        id=found["StackId"],
        status=found["StackStatus"],
        reason=str(found.get("StackStatusReason") or ""),
        change_set=str(found.get("ChangeSetId") or ""),
        updated=found.get("LastUpdatedTime") or found.get("CreationTime"),
        parameters={
            one["ParameterKey"]: one.get("ParameterValue", "")
            for one in found.get("Parameters", ())
        },
        outputs={one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", ())},
        tags={one["Key"]: one["Value"] for one in found.get("Tags", ())},
    )


def stuck(stack: Stack) -> str:
    """What is left of a change that ended half way, and what to do about it."""
    because = f" ({stack.reason})" if stack.reason else ""
    if stack.status == "UPDATE_ROLLBACK_FAILED":
        cure = (
            "go on with its rollback by "
            f"`aws cloudformation continue-update-rollback --stack-name {stack.name}`"
        )
    elif stack.status == "UPDATE_FAILED":
        cure = f"roll it back by `aws cloudformation rollback-stack --stack-name {stack.name}`"
    else:
        cure = (
            f"delete it by `aws cloudformation delete-stack --stack-name {stack.name}`, after "
            f"`aws cloudformation describe-stack-resources --stack-name {stack.name}` has shown "
            "what is in it"
        )
    return f"The stack {stack.name} is in {stack.status}{because}: {cure}; then run this again."


def line(event: Mapping[str, Any]) -> str:
    """An event in words; empty for one that isn't worth a line."""
    status, kind = event["ResourceStatus"], event["ResourceType"]
    subject = f"{event['LogicalResourceId']} ({kind})"
    if kind == "AWS::CloudFormation::Stack":
        return ""
    if word := WORDS.get(status):
        return f"  {word}: {subject}"
    if status.endswith("_FAILED"):
        return f"  {subject} {status}: {event.get('ResourceStatusReason') or 'no reason given'}"
    return ""
