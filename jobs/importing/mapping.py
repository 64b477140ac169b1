"""Which class of this project a Ruby job becomes, and its fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.importing.ruby import Call, Unreadable
from jobs.payloads import Performable
from jobs.payloads.paths import import_dotted


class BadMapping(ValueError):
    """Why the mapping can't be used."""


@dataclass(frozen=True)
class Entry:
    """A class of job objects, and what the Ruby fields are called there.

    None: the field is dropped. Without names, they have the same ones.
    """

    cls: type[Performable]
    names: Mapping[str, str | None] | None

    def payload(self, call: Call) -> Performable:
        """Raises Unreadable for a field that nobody said anything of, and for fields
        that the class doesn't take.
        """
        names = self.names
        if names is None:
            given = dict(call.fields)
        else:
            if unknown := [name for name in call.fields if name not in names]:
                raise Unreadable(f"the mapping doesn't say what becomes of {', '.join(unknown)}")
            given = {
                name: call.fields[ruby]
                for ruby, name in names.items()
                if name is not None and ruby in call.fields
            }
        try:
            return self.cls(**given)
        except Exception as error:
            raise Unreadable(f"{self.cls.__qualname__} doesn't take its fields: {error}") from None


def read(path: Path) -> dict[str, Entry]:
    """The mapping of a JSON file. Raises BadMapping."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadMapping(f"{path} can't be read as JSON: {error}") from None
    return of(found)


def of(said: Any) -> dict[str, Entry]:
    """`{"Ruby name": "dotted.Path"}`, or `{"class": "dotted.Path", "fields": {…}}` in
    the place of the path. Raises BadMapping.
    """
    if not isinstance(said, Mapping):
        raise BadMapping("The mapping must be a dictionary of Ruby names.")
    return {str(name): _entry(str(name), one) for name, one in said.items()}


def _entry(name: str, said: Any) -> Entry:
    if isinstance(said, str):
        said = {"class": said}
    if not isinstance(said, Mapping) or not {"class"} <= said.keys() <= {"class", "fields"}:
        raise BadMapping(f"{name}: give a dotted path, or a dictionary with class and fields.")
    try:
        cls = import_dotted(said["class"])
    except Exception as error:
        raise BadMapping(f"{name}: {error}") from None
    if not isinstance(cls, type) or not issubclass(cls, Performable):
        raise BadMapping(f"{name}: {said['class']} isn't a subclass of jobs.Performable.")
    names = said.get("fields")
    if names is not None and not (
        isinstance(names, Mapping)
        and all(isinstance(one, str) for one in names)
        and all(one is None or isinstance(one, str) for one in names.values())
    ):
        raise BadMapping(f"{name}: fields is a dictionary of names, or null to drop one.")
    return Entry(cls, names)
