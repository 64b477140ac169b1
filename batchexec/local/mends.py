"""What moto's other services leave out that `manage.py batchexec` relies on.

A stack that a change set has made names it, and shows its outputs, and its parameters
as they were given. An update makes a new revision of a definition, makes what a
condition has left out until now, and leaves alone what moto can't change. AWS::NoValue
in a list isn't an entry, and RetainExceptOnCreate is kept to. A stack is deleted with
all that is in it (`removals`), and what is deleted is let go of. AWS Batch has a role
of its own. A task of ECS comes to its end: nothing runs in it, but it says that it has
succeeded. A region has none of the thousand machine images that moto would make.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.models import ChangeSet, Stack
from moto.core.common_models import BaseModel
from moto.ec2.models.amis import AmiBackend
from moto.iam.models import iam_backends
from moto.moto_api import state_manager

from batchexec.local import removals

#: Marks that the mends are done.
MENDED = "_mended_by_localbatch"
#: The property that moto demands, and the role that AWS Batch uses without it.
ROLE, BATCHS_OWN = "ServiceRole", "AWSServiceRoleForBatch"
#: A change of these is a new one, beside the one before.
REVISIONS = ("AWS::Batch::JobDefinition", "AWS::ECS::TaskDefinition")


def mend() -> None:
    """Changes moto in this process. Repeating it does no harm."""
    state_manager.set_transition("ecs::task", {"progression": "manual", "times": 1})
    if hasattr(ChangeSet, MENDED):
        return
    mended: Any = parsing
    mended.parse_and_update_resource = _keeping(parsing.parse_and_update_resource)
    mended.parse_resource = _without_no_values(parsing.parse_resource)
    mended = Stack
    mended.parameter_list = property(_parameters)
    mended = ChangeSet
    mended.apply = _with_outputs(ChangeSet.apply)
    mended = BaseModel
    mended.__new__ = _untracked
    mended = AmiBackend
    mended._load_amis = _without_images
    removals.mend()
    setattr(mended, MENDED, True)


def _untracked(cls: Any, *args: Any, **options: Any) -> Any:
    """moto keeps every object that it has ever made, for a page that we don't serve."""
    return object.__new__(cls)


def _without_images(network: Any) -> None:
    """They would take longer than all else that a server needs before it is up."""


def _with_outputs(original: Any) -> Any:
    @wraps(original)
    def apply(change_set: Any) -> None:
        for resource in change_set.template_dict["Resources"].values():
            if resource.get("DeletionPolicy") == "RetainExceptOnCreate":
                resource["DeletionPolicy"] = "Retain"
        original(change_set)
        stack = change_set.stack
        stack.change_set_id = change_set.change_set_id
        stack.template, stack.parameters = change_set.template, change_set.parameters
        stack._parse_template()
        stack.output_map = parsing.OutputMap(
            stack.resource_map, stack.template_dict, stack.stack_id
        )

    return apply


def _parameters(stack: Any) -> list[dict[str, Any]]:
    """Lists as the text that they were given as."""
    given = stack.resource_map.resolved_parameters
    return [
        {
            "ParameterKey": key,
            "ParameterValue": ",".join(value) if isinstance(value, list) else value,
        }
        for key, value in given.items()
        # moto adds AWS's own.
        if "::" not in key
    ]


def _keeping(original: Any) -> Any:
    @wraps(original)
    def update(logical_id: str, resource: Any, resources: Any, **place: Any) -> Any:
        before = resources._parsed_resources.get(logical_id)
        if before is None or resource["Type"] in REVISIONS:
            return parsing.parse_and_create_resource(logical_id, resource, resources, **place)
        return original(logical_id, resource, resources, **place) or before

    return update


def _without_no_values(original: Any) -> Any:
    @wraps(original)
    def parse(resource: Any, resources: Any) -> Any:
        found = original(resource, resources)
        if not found:
            return found
        kept = without_none(found[1])
        if found[2] == "AWS::Batch::ComputeEnvironment" and not kept["Properties"].get(ROLE):
            kept["Properties"][ROLE] = _batchs_own_role(resources._account_id)
        return (found[0], kept, *found[2:])

    return parse


def _batchs_own_role(account: str) -> str:
    """The ARN of the service-linked role, which AWS Batch makes for itself."""
    iam = iam_backends[account]["aws"]
    for role in iam.roles.values():
        if role.name == BATCHS_OWN:
            return str(role.arn)
    role = iam.create_role(
        role_name=BATCHS_OWN,
        assume_role_policy_document="{}",
        path="/aws-service-role/batch.amazonaws.com/",
        permissions_boundary=None,
        description="",
        tags=[],
        max_session_duration="3600",
    )
    return str(role.arn)


def without_none(value: Any) -> Any:
    """The value, without what is None in a list of it."""
    if isinstance(value, dict):
        return {key: without_none(one) for key, one in value.items()}
    if isinstance(value, list):
        return [without_none(one) for one in value if one is not None]
    return value
