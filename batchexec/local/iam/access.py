"""Refuses the calls that the policy doesn't allow, in AWS's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from batchexec.local.errors import ApiError
from batchexec.local.iam.conditions import Context
from batchexec.local.iam.needs import needs
from batchexec.local.iam.policy import Decision, Policy

#: The tags of the resource with an ARN in a region.
TagsOf = Callable[[str, str], Mapping[str, str]]


class Access:
    """What the one user of an account may do. Without a policy, that is everything."""

    def __init__(self, policy: Policy | None, account: str, tags_of: TagsOf):
        self.policy = policy
        self._account = account
        self._tags_of = tags_of

    def check(self, operation: str, region: str, request: Mapping[str, Any]) -> None:
        """Raises AWS's AccessDeniedException if the policy doesn't allow the call."""
        if self.policy is None:
            return
        prefix = f"arn:aws:batch:{region}:{self._account}"
        for need in needs(operation, request, prefix):
            context = self._context(region, request, need.resource)
            decision = self.policy.decide(need.action, need.resource, context)
            if decision is not Decision.ALLOWED:
                raise self._denied(need.action, need.resource, decision)

    def _context(self, region: str, request: Mapping[str, Any], resource: str) -> Context:
        context: dict[str, tuple[str, ...]] = {"aws:requestedregion": (region,)}
        tags = request.get("tags") or {}
        if tags:
            context["aws:tagkeys"] = tuple(tags)
        for key, value in tags.items():
            context[f"aws:requesttag/{key.lower()}"] = (str(value),)
        for key, value in self._tags_of(region, resource).items():
            context[f"aws:resourcetag/{key.lower()}"] = (value,)
        if share := request.get("shareIdentifier"):
            context["batch:shareidentifier"] = (str(share),)
        return context

    def _denied(self, action: str, resource: str, decision: Decision) -> ApiError:
        reason = f"because no identity-based policy allows the {action} action"
        if decision is Decision.EXPLICIT_DENY:
            reason = "with an explicit deny in an identity-based policy"
        user = f"arn:aws:iam::{self._account}:user/localbatch"
        text = (
            f"User: {user} is not authorized to perform: {action} on resource: {resource} {reason}"
        )
        return ApiError(403, "AccessDeniedException", text)
