"""A change set in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from batchexec.deploying.formation import ChangeSet

VERBS = {
    "Add": "makes",
    "Modify": "changes",
    "Remove": "removes",
    "Import": "takes over",
    "Dynamic": "may change",
}
#: What a replacement of these means to those who rely on them.
REPLACED = {
    "AWS::Batch::ComputeEnvironment": "jobs that run in it are ended, and tried again",
    "AWS::Batch::JobQueue": "jobs that wait in it are lost to AWS Batch, and tried again",
    "AWS::Batch::JobDefinition": "a new revision; the one before stays",
    "AWS::ECS::TaskDefinition": "a new revision; the service starts its containers anew",
    "AWS::EC2::VPC": "everything in it, too",
    "AWS::Logs::LogGroup": "its logs are deleted",
}


def lines(plan: ChangeSet) -> Iterator[str]:
    """The stack, and a line for each resource that changes."""
    if plan.unchanged:
        yield f"{plan.stack}: nothing changes"
        return
    yield f"{plan.stack}: {'would be made' if plan.is_new else 'would be changed'}"
    for change in plan.changes:
        yield f"  {_one(change.get('ResourceChange') or {})}"
    if not plan.changes:
        yield "  only its parameters and outputs change"


def _one(change: Mapping[str, Any]) -> str:
    action, kind = str(change.get("Action")), str(change.get("ResourceType"))
    verb = VERBS.get(action, action.lower())
    replaced = change.get("Replacement")
    if action == "Modify" and replaced in ("True", "Conditional"):
        verb = "replaces" if replaced == "True" else "may replace"
    text = f"{verb} {change.get('LogicalResourceId')} ({kind})"
    causes = sorted(
        {
            str(detail["Target"]["Name"])
            for detail in change.get("Details") or ()
            if (detail.get("Target") or {}).get("Name")
        }
    )
    if causes:
        text += f", because of {', '.join(causes)}"
    if verb in ("replaces", "may replace") and kind in REPLACED:
        text += f": {REPLACED[kind]}"
    return text
