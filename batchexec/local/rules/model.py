"""Holds requests against the service model that botocore ships.

It has the members and their types, which are required, and the enums, lengths and
ranges. boto3 checks less than that, and hand-made requests come without it. AWS words
its constraints so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore.session import get_session

from batchexec.local.errors import ApiError, refuse

#: Enums whose values AWS takes in any case. Source: EvaluateOnExit, API reference.
ANY_CASE = {"RetryAction"}
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
}
#: The greatest numbers of the types.
WIDEST = {"integer": 2**31 - 1, "long": 2**63 - 1}


@cache
def _service() -> Any:
    return get_session().get_service_model("batch")


@cache
def operations() -> dict[str, str]:
    """The operations of AWS Batch, by lower-case name."""
    return {name.lower(): name for name in _service().operation_names}


def check(operation: str, request: Mapping[str, Any]) -> None:
    """Raises AWS's refusal of the first member that the model doesn't allow."""
    if operation.lower() not in operations():
        raise ApiError(404, "UnknownOperationException", f"There is no operation {operation}.")
    shape = _service().operation_model(operation).input_shape
    if shape is not None:
        _check(shape, request, "")


def _check(shape: Any, value: Any, path: str) -> None:
    kinds: tuple[Any, ...] = TYPES.get(shape.type_name, (object,))
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise _violation(value, path, f"Member must be of type {shape.type_name}")
    if shape.type_name == "structure":
        _check_structure(shape, value, path)
    elif shape.type_name == "list":
        _check_size(shape, len(value), value, path)
        for number, item in enumerate(value, 1):
            _check(shape.member, item, f"{path}.{number}.member")
    elif shape.type_name == "map":
        # AWS takes an empty map where the model wants one entry.
        _check_size(shape, len(value) or 1, value, path)
        for key, item in value.items():
            _check(shape.key, key, f"{path}.key")
            _check(shape.value, item, f"{path}.{key}.member")
    elif shape.type_name == "string":
        _check_size(shape, len(value), value, path)
        _check_text(shape, value, path)
    elif shape.type_name in WIDEST:
        if abs(value) > WIDEST[shape.type_name]:
            raise _violation(value, path, f"Member must be of type {shape.type_name}")
        _check_size(shape, value, value, path, what="have value")
    elif shape.type_name in ("float", "double"):
        _check_size(shape, value, value, path, what="have value")


def _check_structure(shape: Any, value: Mapping[str, Any], path: str) -> None:
    for name in value:
        if name not in shape.members:
            where = f" at '{path}'" if path else ""
            raise refuse(f"1 validation error detected: Unrecognized field '{name}'{where}")
    for name in shape.required_members:
        if value.get(name) is None:
            raise _violation(None, _join(path, name), "Member must not be null")
    for name, item in value.items():
        if item is not None:
            _check(shape.members[name], item, _join(path, name))


def _check_size(shape: Any, size: float, value: Any, path: str, what: str = "have length") -> None:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        raise _violation(value, path, f"Member must {what} greater than or equal to {least}")
    if most is not None and size > most:
        raise _violation(value, path, f"Member must {what} less than or equal to {most}")


def _check_text(shape: Any, value: str, path: str) -> None:
    wanted = shape.metadata.get("enum")
    given = value.upper() if shape.name in ANY_CASE else value
    if wanted and given not in wanted:
        raise _violation(value, path, f"Member must satisfy enum value set: [{', '.join(wanted)}]")
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(pattern, value):
        raise _violation(value, path, f"Member must satisfy regular expression pattern: {pattern}")


def _violation(value: Any, path: str, constraint: str) -> ApiError:
    shown = "null" if value is None else f"'{str(value)[:100]}'"
    where = f" at '{path}'" if path else ""
    return refuse(
        f"1 validation error detected: Value {shown}{where} failed to satisfy constraint: "
        f"{constraint}"
    )


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
