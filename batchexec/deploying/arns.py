"""Whether what the user names by an ARN can be used in the account and region."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from batchexec.deploying.account import Account
from batchexec.deploying.values import options


@dataclass(frozen=True)
class Rule:
    """Where what an option names must be, besides in the account's partition."""

    in_region: str = ""
    """Why it must be in this region; empty if it needn't."""
    in_account: str = ""
    """Why it must be in this account; empty if it needn't."""


SECRET = Rule(in_region="containers read secrets where they run: replicate it")
#: By parameter. A secret, its key and a CI's role may be another account's.
RULES = {
    "DatabaseSecret": SECRET,
    "SecretKeySecret": SECRET,
    "SigningKeysSecret": SECRET,
    "SecretsKey": Rule(in_region="a key decrypts what is in its own region"),
    "JobPolicies": Rule(in_account="IAM attaches an account's own policies to its roles, or AWS's"),
    "BatchServiceRole": Rule(in_account="AWS Batch takes a role of the account that it is in"),
    "WebTargetGroup": Rule(
        in_region="ECS registers tasks with load balancers of its own region",
        in_account="ECS registers tasks with load balancers of its own account",
    ),
    "DeployedBy": Rule(),
}


def problems(account: Account, given: Mapping[str, str | None]) -> Iterator[str]:
    """What is wrong with the ARNs that are given, a sentence each.

    One that isn't well-formed is somebody else's to judge.
    """
    for name, rule in RULES.items():
        parameter, value = options()[name], given.get(name)
        if not value or parameter.problem(value):
            continue
        for arn in value.split(",") if parameter.is_list else [value]:
            if text := _problem(account, arn, rule):
                yield f"{parameter.option} {text}"


def is_elsewhere(account: Account, arn: str) -> bool:
    """Whether it is another partition's or region's."""
    _, partition, _, region, *_ = arn.split(":")
    return partition != account.partition or region not in ("", account.region)


def _problem(account: Account, arn: str, rule: Rule) -> str:
    _, partition, _, region, owner, *_ = arn.split(":")
    if partition != account.partition:
        return f"is in the partition {partition}, but the deployment is in {account.partition}."
    if rule.in_region and region != account.region:
        return f"is in {region}, but the deployment is in {account.region}, and {rule.in_region}."
    if rule.in_account and owner not in (account.number, "aws"):
        return (
            f"is the account {owner}'s, but the deployment is in {account.number}, and "
            f"{rule.in_account}."
        )
    return ""
