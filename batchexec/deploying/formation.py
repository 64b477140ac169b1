"""Stacks of CloudFormation: their state, their changes, and how a change goes on.

Every change is a change set, which is looked at and then executed. A stack in progress
is waited for, so a deployment that was killed goes on where it was.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.management.base import CommandError

from batchexec.aws.boto import exceptions
from batchexec.deploying.stack import NOTHING_LEFT, REVIEWED, USABLE, Stack, line, stack_of, stuck

#: Seconds between two looks at a stack.
PAUSE = 3.0
#: The beginning of our change sets' names. What deployment it is comes next.
PREFIX = "batchexec"
NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
CAPABILITIES = ["CAPABILITY_IAM"]
#: What to do when something could not be deleted.
AGAIN = "Mend that, and run this again: what is deleted already stays deleted."

Say = Callable[[str], None]


@dataclass(frozen=True)
class ChangeSet:
    """What would change. `changes` is empty where nothing does."""

    id: str
    stack: str
    is_new: bool
    changes: list[dict[str, Any]]
    unchanged: bool = False


class Failed(CommandError):
    """A change of a stack failed; the text says why and what is left."""


class Formation:
    """CloudFormation, for stacks of one deployment. `say` is told how it goes on."""

    def __init__(self, client: Any, say: Say, deployment: str = "", tags: Any = ()):
        self._client = client
        self._say = say
        self._deployment = deployment
        self._tags = list(tags)

    def look(self, name: str) -> Stack | None:
        """The stack of that name or id; None if there is none."""
        try:
            (found,) = self._client.describe_stacks(StackName=name)["Stacks"]
        except exceptions.ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        stack = stack_of(found)
        return stack if stack.status != "DELETE_COMPLETE" or name == stack.id else None

    def owned(self, name: str) -> Stack | None:
        """The same; raises CommandError if somebody else has made it."""
        stack = self.look(name)
        self._check_owner(stack)
        return stack

    def ready(self, name: str) -> Stack | None:
        """The stack, once nothing changes it; None if it has to be made.

        Waits for a change that an earlier run of this deployment has begun. Raises
        CommandError if another deployment changes it, or it can't be changed.
        """
        stack = self.owned(name)
        if stack and stack.in_progress:
            if not self._is_ours(stack):
                raise CommandError(
                    f"Another deployment is changing the stack {name} ({stack.status}): "
                    "wait until it has ended, and run this again."
                )
            self._say(f"{name}: waits for the change that was begun before ({stack.status})")
            stack = self._followed(stack, self._events_until_now(stack.id))
        if stack is None:
            return None
        if stack.status in (REVIEWED, NOTHING_LEFT):
            what = "was killed" if stack.status == REVIEWED else "failed"
            self._say(f"{name}: removes what an attempt that {what} has left, which is empty")
            self.delete(name)
            return None
        if stack.status not in USABLE:
            raise CommandError(stuck(stack))
        return stack

    def _check_owner(self, stack: Stack | None) -> None:
        """Raises CommandError for a stack of that name that somebody else has made."""
        wanted = {tag["Key"]: tag["Value"] for tag in self._tags}
        if stack and not wanted.items() <= stack.tags.items():
            tags = ", ".join(f"{key}={value}" for key, value in wanted.items())
            raise CommandError(
                f"The stack {stack.name} wasn't made by this command, because it lacks the tag "
                f"{tags}: use another name. It is left as it is."
            )

    def obstacle(self, name: str) -> str:
        """Why the stack can't be changed now, in a sentence; empty if it can."""
        stack = self.look(name)
        if stack is None or stack.status in (REVIEWED, *USABLE):
            return ""
        if stack.in_progress:
            return f"The stack {name} is being changed ({stack.status}): wait until that has ended."
        if stack.status == NOTHING_LEFT:
            return f"{name}: would be removed, which is empty, and made anew"
        return stuck(stack)

    def _is_ours(self, stack: Stack) -> bool:
        return f"{PREFIX}-{self._deployment}-" in stack.change_set

    def plan(self, name: str, body: str, values: Mapping[str, str]) -> ChangeSet:
        """A change set that makes the stack, or changes it. Nothing is changed yet."""
        stack = self.look(name)
        is_new = stack is None or not stack.exists
        request: dict[str, Any] = {
            "StackName": name,
            "ChangeSetName": f"{PREFIX}-{self._deployment}-{uuid.uuid4().hex[:8]}",
            "ChangeSetType": "CREATE" if is_new else "UPDATE",
            "TemplateBody": body,
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in values.items()
            ],
            "Capabilities": CAPABILITIES,
            "Tags": self._tags,
        }
        if is_new:
            # What fails leaves nothing behind.
            request["OnStackFailure"] = "DELETE"
        try:
            made = self._client.create_change_set(**request)
        except exceptions.ClientError as error:
            if any(part in str(error) for part in NO_CHANGES):
                return ChangeSet("", name, is_new, [], unchanged=True)
            raise Failed(f"The stack {name} can't be changed: {message(error)}") from error
        return self._planned(made["Id"], name, is_new)

    def _planned(self, change_set: str, name: str, is_new: bool) -> ChangeSet:
        while True:
            pages = self._client.get_paginator("describe_change_set").paginate(
                ChangeSetName=change_set, StackName=name
            )
            answers = list(pages)
            status = answers[-1]["Status"]
            reason = str(answers[-1].get("StatusReason") or "")
            if status == "FAILED":
                nothing = ChangeSet(change_set, name, is_new, [], unchanged=True)
                self.forget(nothing)
                if any(part in reason for part in NO_CHANGES):
                    return nothing
                raise Failed(f"The stack {name} can't be changed: {reason}")
            if status == "CREATE_COMPLETE":
                changes = [one for answer in answers for one in answer.get("Changes", ())]
                return ChangeSet(change_set, name, is_new, changes)
            time.sleep(PAUSE)

    def forget(self, plan: ChangeSet) -> None:
        """Deletes a change set, and the empty stack that it has made."""
        self._client.delete_change_set(ChangeSetName=plan.id, StackName=plan.stack)
        stack = self.look(plan.stack)
        if plan.is_new and stack and stack.status == REVIEWED:
            self._client.delete_stack(StackName=plan.stack)

    def apply(self, plan: ChangeSet) -> Stack:
        """Executes a change set and follows it to its end; returns the stack.

        Raises Failed with the reason of the first resource that failed.
        """
        before = self.look(plan.stack)
        if before is None:
            raise Failed(
                f"The stack {plan.stack} is gone, because it was deleted meanwhile. Run this "
                "again, once nobody else changes it."
            )
        seen = self._events_until_now(before.id)
        try:
            self._client.execute_change_set(ChangeSetName=plan.id, StackName=plan.stack)
        except exceptions.ClientError as error:
            raise Failed(
                f"The stack {plan.stack} can't be changed now, probably because another deployment "
                f"changes it: {message(error)} Wait until it has ended, and run this again."
            ) from error
        stack = self._followed(before, seen, has_begun=False)
        if stack is None or stack.status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            raise Failed(self._failure(before, stack, seen))
        return stack

    def delete(self, name: str) -> None:
        """Deletes a stack and follows that to its end. One that is gone is fine."""
        stack = self.owned(name)
        if stack is None:
            return
        seen = self._events_until_now(stack.id)
        try:
            self._client.delete_stack(StackName=name)
        except exceptions.ClientError as error:
            raise Failed(f"The stack {name} can't be deleted: {message(error)} {AGAIN}") from error
        gone = self._followed(stack, seen)
        if gone is not None and gone.status != "DELETE_COMPLETE":
            reason = self._first_failure(stack.id, seen) or gone.reason
            raise Failed(f"The stack {name} could not be deleted ({gone.status}): {reason} {AGAIN}")

    def _followed(self, stack: Stack, seen: set[str], has_begun: bool = True) -> Stack | None:
        """Tells of every event until the stack is in progress no more.

        A change that was only just asked for begins with its first event.
        """
        told = set(seen)
        while True:
            now = self.look(stack.id)
            for event in reversed(list(self._new_events(stack.id, told))):
                told.add(event["EventId"])
                has_begun = True
                if text := line(event):
                    self._say(text)
            if now is None or (has_begun and not now.in_progress and now.status != REVIEWED):
                return now
            time.sleep(PAUSE)

    def _new_events(self, stack_id: str, seen: set[str]) -> Iterator[dict[str, Any]]:
        """Events that aren't among `seen`, the newest first."""
        try:
            pages = self._client.get_paginator("describe_stack_events").paginate(StackName=stack_id)
            for page in pages:
                for event in page["StackEvents"]:
                    if event["EventId"] in seen:
                        return
                    yield event
        except exceptions.ClientError as error:
            if "does not exist" not in str(error):
                raise

    def _events_until_now(self, stack_id: str) -> set[str]:
        return {event["EventId"] for event in self._new_events(stack_id, set())}

    def _first_failure(self, stack_id: str, seen: set[str]) -> str:
        """Of the resource that failed first; what comes later is cancelled for it."""
        for event in reversed(list(self._new_events(stack_id, seen))):
            if event["ResourceStatus"].endswith("_FAILED"):
                reason = str(event.get("ResourceStatusReason") or "no reason given").rstrip(". ")
                return f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}."
        return ""

    def _failure(self, before: Stack, now: Stack | None, seen: set[str]) -> str:
        status = "gone" if now is None else now.status
        reason = self._first_failure(before.id, seen) or (now.reason if now else "")
        text = f"The stack {before.name} failed: {reason or status} "
        if now is None or now.status == "DELETE_COMPLETE":
            return f"{text}What it had made is removed again. Mend that, and run this again."
        if now.status == "UPDATE_ROLLBACK_COMPLETE":
            return f"{text}It is as it was before. Mend that, and run this again."
        if now.status == NOTHING_LEFT:
            return f"{text}What it had made is removed again. Mend that, and run this again."
        return f"{text}{stuck(now)}"


def message(error: Any) -> str:
    text = str(error.response.get("Error", {}).get("Message") or error).strip()
    return text if text.endswith(".") else f"{text}."
