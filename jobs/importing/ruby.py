"""What a handler of Delayed Job says, read as data: the YAML of a Ruby object.

The text is parsed to nodes, and nodes to plain values. No tag makes an object, and what
has no counterpart here is an error.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import yaml

#: Characters of a handler that is read.
LARGEST = 1_000_000
#: Values in it. An alias counts what it stands for each time.
MOST_VALUES = 100_000
DEEPEST = 50

TAG = "tag:yaml.org,2002:"
METHODS = ("Delayed::PerformableMethod", "Delayed::PerformableMailer")
WRAPPER = "ActiveJob::QueueAdapters::DelayedJobAdapter::JobWrapper"
#: Kinds of Ruby's tags that name a class whose fields follow.
OBJECTS = ("object", "struct", "ActiveRecord", "Mongoid")
#: What Active Job adds to the keys of a hash.
ACTIVE_JOB_KEYS = ("_aj_symbol_keys", "_aj_ruby2_keywords", "_aj_hash_with_indifferent_access")


class Unreadable(ValueError):
    """Why a handler, or a value in it, can't be taken over."""


@dataclass
class Call:
    """A Ruby job: its name, as in `manage.py jobs`, and what it is given.

    For a job object `name` is its class and `fields` are its instance variables. A
    delayed method is `Order#send` or `Order.send`, its fields `id`, `args.0`,
    `kwargs.copies`; a job of Active Job its class, with `args.0` and `kwargs.copies`.
    """

    name: str
    fields: dict[str, Any]


@dataclass
class Object:
    """A tagged mapping: the Ruby class, and its fields."""

    cls: str
    fields: dict[str, Any]


@dataclass
class Class:
    name: str


def read(handler: Any) -> Call:
    """Raises Unreadable for everything that isn't a job."""
    if isinstance(handler, (bytes, memoryview)):
        try:
            handler = bytes(handler).decode()
        except UnicodeDecodeError:
            raise Unreadable("its handler isn't UTF-8") from None
    if not isinstance(handler, str) or not handler:
        raise Unreadable("it has no handler")
    if len(handler) > LARGEST:
        raise Unreadable(f"its handler has more than {LARGEST:,} characters")
    try:
        handler.encode()
    except UnicodeEncodeError:
        raise Unreadable("its handler isn't UTF-8") from None
    try:
        # The pure Python loader: a deep nesting is an error there, and no crash.
        node = yaml.compose(handler, Loader=yaml.SafeLoader)
        return _call(_Values().of(node))
    except Unreadable:
        raise
    except RecursionError:
        raise Unreadable("its handler is nested too deeply") from None
    except Exception as error:  # the parser's, and what odd scalars raise
        raise Unreadable(f"its handler isn't YAML: {_brief(error)}") from None


def _brief(error: Exception) -> str:
    return " ".join(str(getattr(error, "problem", None) or error).split())[:200]


def _call(found: Any) -> Call:
    if not isinstance(found, Object):
        raise Unreadable("its handler holds no job object")
    if found.cls in METHODS:
        return _method(found.fields)
    if found.cls == WRAPPER:
        data = found.fields.get("job_data")
        if not isinstance(data, dict) or not isinstance(data.get("job_class"), str):
            raise Unreadable("its handler has no job_class of Active Job")
        arguments = data.get("arguments") or []
        if not isinstance(arguments, list):
            raise Unreadable("the arguments of its Active Job aren't a list")
        return Call(data["job_class"], _arguments([_of_active_job(one) for one in arguments], {}))
    return Call(found.cls, {name: _value(value) for name, value in found.fields.items()})


def _method(fields: dict[str, Any]) -> Call:
    target, method = fields.get("object"), fields.get("method_name")
    args, kwargs = fields.get("args") or [], fields.get("kwargs") or {}
    if not isinstance(method, str) or not isinstance(args, list) or not isinstance(kwargs, dict):
        raise Unreadable("its delayed method lacks a name or has odd arguments")
    given = _arguments([_value(one) for one in args], {k: _value(v) for k, v in kwargs.items()})
    if isinstance(target, Class):
        return Call(f"{target.name}.{method}", given)
    if isinstance(target, Object):
        return Call(f"{target.cls}#{method}", {"id": _value(target), **given})
    raise Unreadable("its delayed method has no target")


def _arguments(args: list[Any], kwargs: dict[Any, Any]) -> dict[str, Any]:
    if args and isinstance(args[-1], _Keywords):
        kwargs = args.pop()
    given = {f"args.{place}": value for place, value in enumerate(args)}
    return {**given, **{f"kwargs.{name}": value for name, value in kwargs.items()}}


class _Keywords(dict[Any, Any]):
    """The keyword arguments of a job of Active Job, which come last."""


def _of_active_job(value: Any) -> Any:
    if isinstance(value, list):
        return [_of_active_job(one) for one in value]
    if not isinstance(value, dict):
        return _value(value)
    if isinstance(record := value.get("_aj_globalid"), str):
        return record.rpartition("/")[2]
    if "_aj_serialized" in value:
        return _of_active_job(value.get("value"))
    kind = _Keywords if "_aj_ruby2_keywords" in value or "_aj_symbol_keys" in value else dict
    return kind({k: _of_active_job(v) for k, v in value.items() if k not in ACTIVE_JOB_KEYS})


def _value(found: Any) -> Any:
    """A plain value; a record is its key."""
    if isinstance(found, list):
        return [_value(one) for one in found]
    if isinstance(found, dict):
        return {key: _value(value) for key, value in found.items()}
    if isinstance(found, Class):
        raise Unreadable(f"it holds the class {found.name}")
    if not isinstance(found, Object):
        return found
    for name in ("attributes", "raw_attributes"):
        if isinstance(attributes := found.fields.get(name), dict):
            for key in ("id", "_id"):
                if key in attributes:
                    return _value(attributes[key])
    raise Unreadable(f"it holds an object of the class {found.cls}")


class _Values:
    """Nodes as values: plain ones, `Object` and `Class`."""

    def __init__(self) -> None:
        self._left = MOST_VALUES
        self._scalars = yaml.constructor.SafeConstructor()

    def of(self, node: Any, depth: int = 0) -> Any:
        self._left -= 1
        if self._left < 0:
            raise Unreadable(f"its handler has more than {MOST_VALUES:,} values")
        if depth > DEEPEST:
            raise Unreadable("its handler is nested too deeply")
        if node is None:
            raise Unreadable("its handler is empty")
        tag: str = node.tag
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, tag)
        if isinstance(node, yaml.SequenceNode):
            if tag not in (f"{TAG}seq", "!ruby/array:Array"):
                raise Unreadable(f"it holds {tag}")
            return [self.of(one, depth + 1) for one in node.value]
        pairs = {self._key(key): self.of(value, depth + 1) for key, value in node.value}
        if tag == f"{TAG}map" or tag.startswith(("!ruby/hash:", "!ruby/hash-with-ivars")):
            return pairs
        return self._object(tag, pairs)

    def _object(self, tag: str, fields: dict[Any, Any]) -> Any:
        kind, _, cls = tag.removeprefix("!ruby/").partition(":")
        if not tag.startswith("!ruby/") or kind not in OBJECTS or not cls:
            raise Unreadable(f"it holds {tag}")
        if cls.endswith("HashWithIndifferentAccess"):
            return fields
        if cls == "BSON::ObjectId":
            return _hex(next(iter(fields.values()), None))
        if cls == "ActiveSupport::TimeWithZone" and isinstance(fields.get("utc"), dt.datetime):
            return fields["utc"]
        return Object(cls, {str(name).lstrip("@"): value for name, value in fields.items()})

    def _key(self, node: Any) -> Any:
        if not isinstance(node, yaml.ScalarNode) or node.tag == f"{TAG}merge":
            raise Unreadable("a key in its handler isn't a plain value")
        return self._scalar(node, node.tag)

    def _scalar(self, node: Any, tag: str) -> Any:
        text: str = node.value
        if tag in ("!ruby/symbol", "!ruby/sym", "!ruby/object:Symbol"):
            return text
        if tag in ("!ruby/class", "!ruby/module"):
            return Class(text)
        if tag == "!ruby/object:BigDecimal":
            return Decimal(text.rpartition(":")[2])
        if tag == "!ruby/object:BSON::ObjectId":
            return text
        if tag in (f"{TAG}str", "!"):
            # Ruby writes a symbol bare, and quotes a text that begins with a colon.
            is_symbol = node.style is None and text.startswith(":") and len(text) > 1
            return text[1:].strip("'\"") if is_symbol else text
        if tag in (f"{TAG}binary", "!binary"):
            return base64.b64decode("".join(text.split()), validate=True)
        construct = SCALARS.get(tag)
        if construct is None:
            raise Unreadable(f"it holds {tag}")
        found = construct(self._scalars, node)
        if type(found) is dt.datetime and found.tzinfo is None:
            found = found.replace(tzinfo=dt.timezone.utc)
        return found


#: The scalars that aren't text, each a plain value of Python.
SCALARS: dict[str, Callable[[Any, Any], Any]] = {
    f"{TAG}{name}": getattr(yaml.constructor.SafeConstructor, f"construct_yaml_{name}")
    for name in ("null", "bool", "int", "float", "timestamp")
}


def _hex(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, str):
        return value
    raise Unreadable("it holds an odd ObjectId")
