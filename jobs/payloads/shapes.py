"""What the class of a job object shows about it: whether its fields are all there is.

An object whose class only has fields comes back from the row as it was stored. Any
other is loaded once before it is stored, and compared.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from django.utils.functional import cached_property

from jobs.payloads.declared import check_no_generators, check_options, check_perform
from jobs.payloads.paths import path_of
from jobs.payloads.performable import HOOKS, METHODS, Performable, as_dataclass

#: Options that are stored with the fields if you set them on an instance. `batch` is
#: for batchexec.
OPTIONS = (
    "queue_name",
    "max_attempts",
    "max_run_time",
    "destroy_failed_jobs",
    "unique_key",
    "batch",
)
#: What `typing` sets on an object that is made as `Import[int](…)`.
TYPING = ("__orig_class__",)
#: Methods by which a class makes something else of its fields than dataclasses do.
OWN_WAYS = ("__new__", "__post_init__", "__getattribute__", "__setattr__")


@dataclass
class Shape:
    """`names` are the stored fields, `required` those without a default.

    `problem` says why objects of the class can't be enqueued. `plain` says that the
    fields are all there is, as far as the class shows it.
    """

    names: tuple[str, ...]
    required: frozenset[str]
    #: What may be in an object's `__dict__`.
    known: frozenset[str]
    plain: bool
    path: str = ""
    problem: str = ""
    #: Whether an object of a plain class came back equal.
    proven: bool = False

    def __post_init__(self) -> None:
        self.stored = frozenset(self.names)


_shapes: WeakKeyDictionary[type, Shape] = WeakKeyDictionary()


def shape_of(cls: type[Performable]) -> Shape:
    found = _shapes.get(cls)
    if found is None:
        found = _shapes[cls] = _look(cls)
    return found


def cached_properties(cls: type) -> Iterator[str]:
    """What isn't stored, because it is worked out again."""
    for base in cls.__mro__:
        for name, value in vars(base).items():
            if isinstance(value, (functools.cached_property, cached_property)):
                yield name


def _look(cls: type[Performable]) -> Shape:
    as_dataclass(cls)
    fields: tuple[Any, ...] = dataclasses.fields(cls)  # type: ignore[arg-type]
    names = {field.name for field in fields if field.init}
    shape = Shape(
        names=tuple(sorted(names)),
        required=frozenset(field.name for field in fields if field.init and _is_required(field)),
        known=frozenset(names.union(OPTIONS, TYPING, cached_properties(cls))),
        plain=len(names) == len(fields) and _is_plain(cls, names),
    )
    try:
        shape.path = path_of(cls)
        check_no_generators(cls, ("perform", *HOOKS, *METHODS))
        check_perform(cls)
        check_options(cls, names)
    except (TypeError, ValueError) as error:
        shape.problem = str(error)
    return shape


def _is_required(field: Any) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _is_plain(cls: type, names: set[str]) -> bool:
    init: Any = cls.__dict__.get("__init__")
    if not _is_generated(init) or set(inspect.signature(init).parameters) - {"self"} != names:
        return False
    if type(cls).__call__ is not type.__call__:
        return False
    own = [base for base in cls.__mro__ if base not in (object, Performable)]
    # Frozen dataclasses have a `__setattr__`, which dataclasses wrote.
    ways = (vars(base).get(name) for base in own for name in OWN_WAYS)
    if any(way is not None and not _is_generated(way) for way in ways):
        return False
    return not any(_is_computed(inspect.getattr_static(cls, name, None)) for name in names)


def _is_generated(function: Any) -> bool:
    """Whether dataclasses wrote the function: it is in no file."""
    code = getattr(function, "__code__", None)
    return code is not None and code.co_filename == "<string>"


def _is_computed(default: Any) -> bool:
    """Whether the class has something in a field's place that computes its value."""
    if inspect.ismemberdescriptor(default):
        return False
    return any(hasattr(type(default), name) for name in ("__get__", "__set__", "__delete__"))
