"""What the execution role may use: of the release that is made, and of those that run.

The roles change first, and a change after that may fail. So what runs stays allowed
until a deployment finds it replaced everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from batchexec.deploying import secrets
from batchexec.deploying.account import Account
from batchexec.deploying.image import Image
from batchexec.deploying.stack import Stack

SECRETS = ("DatabaseSecret", "SecretKeySecret", "SigningKeysSecret")
#: The stacks that say what containers use. They change after the roles.
USERS = ("base", "batch", "service", "alarms")


def allowed(
    account: Account, values: Mapping[str, str], stacks: Mapping[str, Stack]
) -> dict[str, str]:
    """The parameters of the roles that say what containers may use.

    `values`: the new release's. `stacks`: as they are before it.
    """
    users = [stacks[name] for name in USERS if name in stacks]
    releases = [values, *(one.parameters for one in users)]
    roles = stacks["roles"].parameters if "roles" in stacks else {}
    # A stack in progress already says what it may yet be rolled back from.
    kept = roles if any(one.in_progress for one in users) else {}
    repositories = [
        Image.of(text).arn(account.partition) for one in releases if (text := one.get("Image"))
    ]
    used = [secrets.whole(arn) for one in releases for name in SECRETS if (arn := one.get(name))]
    is_settled = not kept and all(
        # Not every stack has all of them.
        one.get(name, values.get(name)) == values.get(name)
        for one in releases
        for name in SECRETS
    )
    found = {
        "RepositoryArns": _list([*repositories, *_items(kept.get("RepositoryArns", ""))]),
        "SecretArns": _list([*used, *_items(kept.get("SecretArns", ""))]),
        "KeysBefore": _keys_before(roles, values.get("SecretsKey", ""), is_settled),
    }
    if not _is_deployment_role(account, stacks):
        return found
    # That role may change no role, so it leaves what is allowed already.
    return {name: _kept(roles.get(name, ""), text) for name, text in found.items()}


def _kept(before: str, wanted: str) -> str:
    """What is allowed before, if that is enough."""
    is_enough = set(_items(wanted)) <= set(_items(before))
    return before if is_enough else wanted


def _items(text: str) -> list[str]:
    return [one for one in text.split(",") if one]


def _keys_before(roles: Mapping[str, str], key: str, is_settled: bool) -> str:
    """The KMS keys of secrets that a release before may still read."""
    before = roles.get("SecretsKey", "")
    if is_settled and before == key:
        return ""
    keys = [*_items(before), *_items(roles.get("KeysBefore", ""))]
    return _list(one for one in keys if one != key)


def _is_deployment_role(account: Account, stacks: Mapping[str, Stack]) -> bool:
    arn = stacks["roles"].outputs.get("DeploymentRoleArn", "") if "roles" in stacks else ""
    return bool(arn) and f":assumed-role/{arn.rpartition('/')[2]}/" in account.user


def _list(values: Iterable[str]) -> str:
    return ",".join(dict.fromkeys(values))
