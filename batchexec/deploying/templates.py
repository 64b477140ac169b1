"""The templates of `infra/`: their text, and the parameters that they declare.

The parameters are the options of `batchexec deploy`: what a template says about one,
its description, default and constraints, is said nowhere else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

try:
    import yaml
except ImportError as error:
    raise ImportError(
        "The templates need PyYAML: pip install 'django-delayed-batch[batch]'."
    ) from error

PACKAGE = Path(__file__).resolve().parent.parent
#: In the wheel the templates are in the package, in the repository beside it.
FOLDERS = (PACKAGE / "infra", PACKAGE.parent / "infra")

#: In the order in which they are made. `registry` is another command's.
STACKS = ("network", "roles", "base", "batch", "service", "alarms")
REGISTRY = "registry"

#: After this line of a template, `text` adds variables for the containers.
MARK = re.compile(r"^( *)# deploy --env\n", re.MULTILINE)


#: The most characters of a parameter. Source: CloudFormation quotas.
LONGEST = 4096
#: Of a wrong value that is quoted, in characters.
QUOTED = 200


def shown(value: str) -> str:
    """A wrong value in an error, which is no longer for it than a line or two."""
    return repr(value) if len(value) <= QUOTED else f"{value[:QUOTED]!r}…"


@dataclass(frozen=True)
class Parameter:
    """A parameter of a template, with its constraints."""

    name: str
    description: str
    default: str | None = None
    pattern: str = ""
    allowed: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    longest: int | None = None
    is_number: bool = False
    is_list: bool = False
    constraint: str = ""

    @property
    def option(self) -> str:
        """`--worker-count` for WorkerCount."""
        return "--" + re.sub(r"(?<!^)([A-Z])", r"-\1", self.name).lower()

    def problem(self, value: str) -> str:
        """Why CloudFormation wouldn't take it, in a sentence; empty if it does."""
        if text := self._problem_of_form(value):
            return text
        if len(value) > LONGEST:
            return (
                f"{self.option} has {len(value)} characters, and CloudFormation keeps {LONGEST} at "
                "most."
            )
        if not value.isprintable():
            return f"{self.option} has characters that can't be printed."
        return ""

    def _problem_of_form(self, value: str) -> str:
        if self.allowed:
            known = ", ".join(self.allowed)
            is_known = value in self.allowed
            return "" if is_known else f"{self.option} must be one of {known}, not {shown(value)}."
        if self.is_number:
            return self._problem_of_number(value)
        if self.longest is not None and len(value) > self.longest:
            return f"{self.option} {self.constraint}: {value[:20]!r}… has {len(value)} characters."
        if self.pattern:
            values = value.split(",") if self.is_list else [value]
            wrong = next((one for one in values if not re.fullmatch(self.pattern, one)), None)
            if wrong is not None:
                return f"{self.option} {self.constraint}, but {shown(wrong)} isn't."
            if len(set(values)) < len(values):
                return f"{self.option} names one of them twice."
        return ""

    def _problem_of_number(self, value: str) -> str:
        # Those with parts are among the allowed values.
        if not re.fullmatch(r"0|[1-9][0-9]{0,8}", value):
            return f"{self.option} must be a whole number, not {shown(value)}."
        if self.least is not None and int(value) < self.least:
            return f"{self.option} must be {self.least:,.0f} or more, not {value}."
        if self.most is not None and int(value) > self.most:
            return f"{self.option} must be {self.most:,.0f} or less, not {value}."
        return ""


class _Loader(yaml.SafeLoader):
    """Takes CloudFormation's own tags, such as !Ref, for what stands behind them."""


def _tagged(loader: Any, suffix: str, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        found: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        found = loader.construct_sequence(node, deep=True)
    else:
        found = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": found}


_Loader.add_multi_constructor("!", _tagged)


def text(name: str, variables: Mapping[str, str] | None = None) -> str:
    """The template of a stack, whose containers get these variables besides its own."""
    lines = "".join(
        f"\\1- {{Name: {json.dumps(key)}, Value: {_quoted(value)}}}\\n"
        for key, value in sorted((variables or {}).items())
    )
    return MARK.sub(r"\1# deploy --env\n" + lines, _path(name).read_text(encoding="utf-8"))


def _quoted(value: str) -> str:
    # A JSON string is a YAML string. It is used as a replacement of `re`.
    return json.dumps(value).replace("\\", "\\\\")


def _path(name: str) -> Path:
    return next(path for folder in FOLDERS if (path := folder / f"{name}.yaml").exists())


def parsed(body: str) -> dict[str, Any]:
    """A template as nested dictionaries, with its short functions as long ones."""
    # Safe: the loader is SafeLoader's.
    return dict(yaml.load(body, Loader=_Loader))  # noqa: S506


@cache
def parameters(name: str) -> dict[str, Parameter]:
    """What the template of a stack takes."""
    declared = parsed(text(name))["Parameters"]
    return {key: _parameter(key, given) for key, given in declared.items()}


def _parameter(name: str, given: Mapping[str, Any]) -> Parameter:
    default = given.get("Default")
    return Parameter(
        name,
        description=given["Description"],
        default=None if default is None else str(default),
        pattern=given.get("AllowedPattern", ""),
        allowed=tuple(str(value) for value in given.get("AllowedValues", ())),
        least=given.get("MinValue"),
        most=given.get("MaxValue"),
        longest=given.get("MaxLength"),
        is_number=given["Type"] == "Number",
        is_list=given["Type"] == "CommaDelimitedList",
        constraint=given.get("ConstraintDescription", "has an unusual form"),
    )
