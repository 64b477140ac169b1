"""What AWS Batch takes of a job's numbers, texts and rules.

Each function raises TypeError or ValueError in one sentence for anything else. Source,
unless said: AWS Batch API, SubmitJob.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from batchexec.conf import LONGEST_NAME
from jobs.conf.options import duration
from jobs.text import storable

MOST_TAGS = 50
LONGEST_TAG_KEY = 128
LONGEST_TAG_VALUE = 256
#: Tags that begin so are AWS's own.
RESERVED_TAGS = "aws:"
#: Variables that AWS Batch sets begin so.
RESERVED_PREFIX = "AWS_BATCH"
#: Variables that the hand-over sets.
RESERVED = ("JOB_ID", "JOB_EPOCH")
#: The most characters of container overrides, with the JSON around them. Source: AWS
#: Batch's own reason of a job that failed, "Container Overrides length must be at most
#: 8192".
LONGEST_OVERRIDES = 8192
#: The most characters that a submission adds to what is known when a job is enqueued:
#: JOB_ID and JOB_EPOCH, the sizes, and the name of the container.
ADDED_OVERRIDES = 640
MOST_RULES = 5
LONGEST_PATTERN = 512
ACTIONS = ("RETRY", "EXIT")
#: A rule's conditions, and what their patterns are made of; `*` may only end one.
CONDITIONS = {
    "onStatusReason": re.compile(r"[A-Za-z0-9.:\s]*\*?"),
    "onReason": re.compile(r"[A-Za-z0-9.:\s]*\*?"),
    "onExitCode": re.compile(r"[0-9]*\*?"),
}
MADE_OF = {
    "onStatusReason": "letters, digits, '.', ':' and white space",
    "onReason": "letters, digits, '.', ':' and white space",
    "onExitCode": "digits",
}


def number(label: str, value: Any, *, above: float) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"Resources({label}={value!r}) takes a number.")
    if not above < value < float("inf"):
        raise ValueError(f"Resources({label}={value!r}) must be more than {above:g}.")


def whole(label: str, value: Any, *, least: int, most: int | None = None) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"Resources({label}={value!r}) takes a whole number.")
    if value < least or (most is not None and value > most):
        at_most = f", {most} at most" if most else ""
        raise ValueError(f"Resources({label}={value!r}) must be {least} or more{at_most}.")


def seconds(label: str, value: Any, *, least: float) -> None:
    if value is None:
        return
    try:
        given = duration(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"Resources({label}={value!r}) takes {error}.") from None
    if given < least:
        raise ValueError(
            f"Resources({label}={value!r}): AWS Batch takes no less than {least:g} seconds."
        )


def name(label: str, value: Any) -> None:
    if value is None:
        return
    if not (isinstance(value, str) and value):
        raise TypeError(f"Resources({label}={value!r}) takes a name.")
    if len(value) > LONGEST_NAME or storable(value) != value:
        raise ValueError(
            f"Resources({label}) takes a name or an ARN of {LONGEST_NAME} characters at most, "
            f"not {value[:20]!a} with {len(value)}."
        )


def names(label: str, value: Any) -> None:
    is_sequence = isinstance(value, Sequence) and not isinstance(value, str)
    if not is_sequence or not all(isinstance(item, str) and item for item in value):
        raise TypeError(f"Resources({label}={value!r}) takes a list of names.")
    for item in value:
        name(label, item)


def share_identifier(value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9]{1,255}\*?", value):
        raise ValueError(
            f"Resources(share_identifier={value!r}) takes 1 to 255 letters and digits."
        )


def environment(value: Any) -> None:
    _strings("environment", value)
    for variable, text in value.items():
        if variable.startswith(RESERVED_PREFIX) or variable in RESERVED:
            raise ValueError(
                f"Resources(environment): {variable} is set by AWS Batch or by the hand-over, "
                "so you can't choose it."
            )
        if "=" in variable:
            raise ValueError(
                f"Resources(environment): {variable!r} has a '=', which ends a variable's name."
            )
        if not variable or not text:
            raise ValueError(
                f"Resources(environment): {variable or 'a name'!r} is empty, and AWS Batch drops "
                "empty values: leave the variable out."
            )
    overrides("Resources(environment)", {"environment": as_pairs(value)})


def tags(value: Any) -> None:
    """Source: also AWS's rules for tags, in the General Reference."""
    _strings("tags", value)
    if len(value) > MOST_TAGS:
        raise ValueError(f"Resources(tags): AWS Batch takes {MOST_TAGS} tags, not {len(value)}.")
    for key, text in value.items():
        if not 1 <= len(key) <= LONGEST_TAG_KEY:
            raise ValueError(
                f"Resources(tags): a key has 1 to {LONGEST_TAG_KEY} characters, not {len(key)}."
            )
        if len(text) > LONGEST_TAG_VALUE:
            raise ValueError(
                f"Resources(tags): the value of {key!r} has {len(text)} characters; "
                f"AWS takes {LONGEST_TAG_VALUE} at most."
            )
        if key.lower().startswith(RESERVED_TAGS):
            raise ValueError(
                f"Resources(tags): {key!r} begins with 'aws:', which only AWS may use."
            )


def _strings(label: str, value: Any) -> None:
    is_mapping = isinstance(value, Mapping)
    if not is_mapping or not all(isinstance(text, str) for pair in value.items() for text in pair):
        raise TypeError(f"Resources({label}) takes strings for names and values.")
    for key, text in value.items():
        if storable(key) != key or storable(text) != text:
            raise ValueError(
                f"Resources({label}): {key!a} has a NUL, or half of a surrogate pair, "
                "which no container can be given: leave it out."
            )


def retry_rules(value: Any) -> None:
    """`evaluateOnExit`: rules for AWS Batch's own retries. Source: EvaluateOnExit."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TypeError("Resources(evaluate_on_exit) takes a list of rules.")
    if len(value) > MOST_RULES:
        raise ValueError(
            f"Resources(evaluate_on_exit): AWS Batch takes {MOST_RULES} rules, not {len(value)}."
        )
    for rule in value:
        _retry_rule(rule)


def _retry_rule(rule: Any) -> None:
    label = f"Resources(evaluate_on_exit): {rule!r}"
    known = {*CONDITIONS, "action"}
    if not isinstance(rule, Mapping) or not set(rule) <= known or "action" not in rule:
        raise ValueError(
            f"{label} is not a rule such as {{'onExitCode': '1', 'action': 'EXIT'}}: "
            f"it takes action and {', '.join(CONDITIONS)}."
        )
    if not isinstance(rule["action"], str) or rule["action"].upper() not in ACTIONS:
        raise ValueError(f"{label} takes RETRY or EXIT as its action.")
    conditions = {key: pattern for key, pattern in rule.items() if key != "action"}
    if not conditions:
        raise ValueError(f"{label} needs a condition: {', '.join(CONDITIONS)}.")
    for key, pattern in conditions.items():
        is_text = isinstance(pattern, str) and 1 <= len(pattern) <= LONGEST_PATTERN
        if not is_text or not CONDITIONS[key].fullmatch(pattern):
            raise ValueError(
                f"{label}: {key} takes 1 to {LONGEST_PATTERN} characters, {MADE_OF[key]}, "
                "with a '*' only at the end."
            )


def overrides(label: str, value: Any, added: int = 0) -> None:
    """What overrides the definition's container, `value`, as it is submitted.

    `added`: the characters that come to it later.
    """
    length = len(json.dumps(value, separators=(",", ":"))) + added
    if length > LONGEST_OVERRIDES:
        kept = f", {added} of them kept for what the worker adds" if added else ""
        raise ValueError(
            f"{label}: the container overrides have {length} characters{kept}, and AWS Batch "
            f"takes {LONGEST_OVERRIDES}: pass less, such as the key of a row."
        )


def as_pairs(environment: Mapping[str, str]) -> list[dict[str, str]]:
    """An environment as AWS Batch writes it."""
    return [{"name": name, "value": value} for name, value in environment.items()]
