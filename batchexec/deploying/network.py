"""Whether the network that the user names is there, before anything is made in it."""

from __future__ import annotations

from collections.abc import Mapping

from batchexec.aws.boto import exceptions
from batchexec.deploying.account import Account

DENIED = ("UnauthorizedOperation", "AccessDenied")


def problems(account: Account, values: Mapping[str, str]) -> list[str]:
    """What is wrong with the user's own network, a sentence each.

    Nothing, if we may not look.
    """
    found = []
    if account.partition == "aws-cn" and "VpcId" not in values:
        return [
            "In China, endpoints have other names than the template of the network gives them: "
            "name a network of your own by --vpc-id and --subnets."
        ]
    ec2 = account.client("ec2")
    if subnets := values.get("Subnets"):
        try:
            shown = ec2.describe_subnets(SubnetIds=subnets.split(","))["Subnets"]
        except exceptions.ClientError as error:
            return _said("--subnets", error)
        for subnet in shown:
            if subnet["VpcId"] != values["VpcId"]:
                found.append(
                    f"--subnets: {subnet['SubnetId']} is in {subnet['VpcId']}, not in "
                    f"{values['VpcId']}."
                )
    if source := values.get("WebSource"):
        try:
            ec2.describe_security_groups(GroupIds=[source])
        except exceptions.ClientError as error:
            return [*found, *_said("--web-source", error)]
    return found


def _said(option: str, error: exceptions.ClientError) -> list[str]:
    code = str(error.response.get("Error", {}).get("Code"))
    if code in DENIED:
        return []
    text = str(error.response.get("Error", {}).get("Message") or error)
    return [f"{option}: {text.rstrip('.')}."]
