"""The Condition of a statement, as far as calls to localbatch can meet one.

See "IAM JSON policy elements: Condition operators" in the IAM User Guide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from batchexec.local.iam.errors import PolicyError
from batchexec.local.iam.patterns import arn_like, like

#: What a call says about itself, by condition key in lower case. Several values: a set.
Context = Mapping[str, tuple[str, ...]]

#: Keys that calls to localbatch have. `/` stands for a tag's key after it.
KEYS = (
    "aws:RequestTag/",
    "aws:ResourceTag/",
    "aws:TagKeys",
    "aws:RequestedRegion",
    "batch:ShareIdentifier",
)
SETS = ("aws:tagkeys",)

Compare = Callable[[str, str], bool]
#: The comparisons of a value with a pattern. Those with Not are made of them.
COMPARISONS: dict[str, Compare] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringEqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "StringLike": like,
    "ArnEquals": arn_like,
    "ArnLike": arn_like,
}
NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}
OPERATOR = re.compile(r"(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?")


@dataclass(frozen=True)
class Condition:
    """One key of one operator; `values` are alternatives."""

    quantifier: str
    operator: str
    if_exists: bool
    key: str
    values: tuple[str, ...]

    def holds(self, context: Context) -> bool:
        found = context.get(self.key.lower())
        if self.operator == "Null":
            return (found is None) == (self.values[0] == "true")
        negated = self.operator in NEGATED
        if not found:
            return self.if_exists or self.quantifier == "ForAllValues" or negated
        compare = COMPARISONS[NEGATED.get(self.operator, self.operator)]
        met = [any(compare(value, wanted) for wanted in self.values) != negated for value in found]
        return any(met) if self.quantifier == "ForAnyValue" else all(met)


def parse(block: object, where: str) -> list[Condition]:
    """The conditions of a Condition element, all of which must hold.

    Raises PolicyError for what localbatch can't decide: leaving it out could allow what
    AWS denies.
    """
    if not isinstance(block, dict):
        raise PolicyError(f"{where}: Condition must be an object of operators.")
    found = []
    for operator, keys in block.items():
        quantifier, name, if_exists = _operator(operator, where)
        if not isinstance(keys, dict):
            raise PolicyError(f"{where}: Condition {operator} must be an object of keys.")
        for key, given in keys.items():
            _check_key(key, quantifier, name, where)
            values = _values(given, f"{where}: Condition {operator} of {key}")
            if name == "Null" and (len(values) != 1 or values[0] not in ("true", "false")):
                raise PolicyError(f"{where}: Condition Null of {key} must be true or false.")
            found.append(Condition(quantifier, name, if_exists, key, values))
    return found


def _operator(text: str, where: str) -> tuple[str, str, bool]:
    found = OPERATOR.fullmatch(text)
    known = {*COMPARISONS, *NEGATED, "Null"}
    if not found or found[2] not in known or (found[2] == "Null" and (found[1] or found[3])):
        raise PolicyError(
            f"{where}: localbatch doesn't know the condition operator {text!r}, only "
            f"{', '.join(sorted(known))}."
        )
    return found[1] or "", found[2], bool(found[3])


def _check_key(key: str, quantifier: str, operator: str, where: str) -> None:
    for known in KEYS:
        beginning = key[: len(known)].lower()
        if beginning == known.lower() and known.endswith("/") == (len(key) > len(known)):
            break
    else:
        raise PolicyError(
            f"{where}: localbatch doesn't know the condition key {key!r}, only "
            f"{', '.join(name + ('<key>' if name.endswith('/') else '') for name in KEYS)}."
        )
    if key.lower() in SETS and not quantifier and operator != "Null":
        raise PolicyError(f"{where}: {key} has several values: add ForAllValues or ForAnyValue.")


def _values(given: object, where: str) -> tuple[str, ...]:
    values = given if isinstance(given, list) else [given]
    texts = [
        str(value).lower() if isinstance(value, bool) else value
        for value in values
        if isinstance(value, (bool, str))
    ]
    if not values or len(texts) != len(values):
        raise PolicyError(f"{where} must be a string or a list of strings.")
    if any("${" in text for text in texts):
        raise PolicyError(f"{where}: localbatch doesn't know policy variables (${{…}}).")
    return tuple(texts)
