"""What moto's other services leave out that `manage.py batchexec` relies on.

A stack that a change set has made shows its outputs, and its parameters as they were
given. A task of ECS comes to its end: nothing runs in it, it pretends to have
succeeded.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from moto.cloudformation.models import ChangeSet, Stack
from moto.cloudformation.parsing import OutputMap
from moto.moto_api import state_manager

#: Where the method that was mended is kept, so that it is mended once.
MENDED = "_mended_by_localbatch"


def mend() -> None:
    """Changes moto in this process. Repeating it does no harm."""
    state_manager.set_transition("ecs::task", {"progression": "manual", "times": 1})
    if hasattr(ChangeSet, MENDED):
        return
    original = ChangeSet.apply

    @wraps(original)
    def apply(change_set: Any) -> None:
        original(change_set)
        stack = change_set.stack
        stack.template, stack.parameters = change_set.template, change_set.parameters
        stack._parse_template()
        stack.output_map = OutputMap(stack.resource_map, stack.template_dict, stack.stack_id)

    ChangeSet.apply = apply
    Stack.parameter_list = property(_parameters)
    setattr(ChangeSet, MENDED, True)


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
