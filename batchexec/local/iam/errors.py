"""What is wrong with a policy document."""

from __future__ import annotations


class PolicyError(ValueError):
    """The policy can't be used. The message is one sentence that says where and why."""
