"""Settings in one dictionary: their types, defaults, environment variables, checks.

JOBS and BATCHEXEC share this, so both read, convert and complain in the same way.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from django.conf import settings
from django.core import checks

MISSING = object()

#: A hundred years, in seconds, which clocks, timers and databases can add to now.
LONGEST_DURATION = 100 * 365.25 * 86_400
#: What the columns of every database hold.
LARGEST_INTEGER = 2**31 - 1


def duration(value: Any) -> float:
    """Seconds, from a number or a timedelta. Raises TypeError or ValueError."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("a number of seconds or a timedelta")
    if not 0 <= value <= LONGEST_DURATION:
        raise ValueError("a number of seconds from 0 to a hundred years")
    return float(value)


def integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("a whole number")
    if abs(value) > LARGEST_INTEGER:
        raise ValueError(f"a whole number between -{LARGEST_INTEGER} and {LARGEST_INTEGER}")
    return value


def positive_integer(value: Any) -> int:
    if integer(value) < 1:
        raise ValueError("a whole number, 1 or more")
    return int(value)


def non_negative_integer(value: Any) -> int:
    if integer(value) < 0:
        raise ValueError("a whole number, 0 or more")
    return int(value)


def optional_integer(value: Any) -> int | None:
    return None if value is None else integer(value)


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("True or False")
    return value


def string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a string")
    return value


def string_list(value: Any) -> list[str]:
    if isinstance(value, str) or not all(isinstance(item, str) for item in value):
        raise TypeError("a list of strings")
    return list(value)


def keys(value: Any) -> list[str] | None:
    """Secrets, or None."""
    if value is None:
        return None
    wanted = "a list of secret texts, the one that signs first"
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(wanted)
    found = list(value)
    if not found or not all(isinstance(key, str) and key for key in found):
        raise ValueError(wanted)
    return found


#: Options whose values are lists, which the environment may write as `a,b`.
LISTS = (string_list, keys)


@dataclass(frozen=True)
class Option:
    """One key. `convert` takes a Python value, or raises with what it accepts.

    The value of a `secret` one is in no message.
    """

    convert: Callable[[Any], Any]
    default: Any
    #: Its environment variable is taken as it is, even if it looks like JSON.
    is_text: bool = False
    secret: bool = False


class _Key:
    """A key as an attribute of its Options."""

    __slots__ = ("_key",)

    def __init__(self, key: str):
        self._key = key

    def __get__(self, options: Options, owner: type) -> Any:
        return options._read(self._key)


class Options:
    """Reads `django.conf.settings.<name>`, a dictionary, key by key: `options.LEASE`.

    Values are read at every access, so that `override_settings` works in tests. A wrong
    value raises the same sentence that the system check shows.
    """

    def __init__(self, name: str, options: Mapping[str, Option]):
        self._name = name
        self._options = options
        self._defaults: dict[str, Any] = {}
        #: Variables of the environment that begin like ours and name no key.
        self._strangers: list[str] = []
        # A class of its own, because `__getattr__` comes only after an error was made.
        self.__class__ = type("Options", (Options,), {key: _Key(key) for key in options})

    def __getattr__(self, key: str) -> Any:
        raise AttributeError(f"{self._name} has no key {key!r}")

    def read(self, *keys: str) -> list[Any]:
        """The values of several keys, for who reads them often."""
        given = self._given()
        return [self._read(key) if key in given else self._default(key) for key in keys]

    def _given(self) -> Mapping[str, Any]:
        # Django keeps there what was read of its settings until one of them is set.
        given = object.__getattribute__(settings, "__dict__").get(self._name)
        if given is None:
            given = getattr(settings, self._name, {})
        return given if type(given) is dict or isinstance(given, Mapping) else {}

    def _read(self, key: str) -> Any:
        value = self._given().get(key, MISSING)
        if value is MISSING:
            return self._default(key)
        option = self._options[key]
        try:
            return option.convert(value)
        except (TypeError, ValueError) as error:
            shown = "wrong" if option.secret else repr(value)
            raise type(error)(f"{self._name}[{key!r}] is {shown}: it takes {error}.") from None

    def _default(self, key: str) -> Any:
        if key not in self._defaults:
            option = self._options[key]
            self._defaults[key] = option.convert(option.default)
        found = self._defaults[key]
        return list(found) if type(found) is list else found

    def told(self, key: str, text: str | None) -> Any:
        """What a key is in a process whose variable `<name>_<KEY>` has this text; with
        None, or an empty one, where the variable isn't set.

        Raises TypeError or ValueError with what the key accepts.
        """
        if not text:
            return self._default(key)
        option = self._options[key]
        return option.convert(_parse(text.strip(), option))

    def strangers(self) -> Iterator[str]:
        """A sentence for each variable of the environment that looks misspelt."""
        for name in self._strangers:
            known = [f"{self._name}_{key}" for key in self._options]
            near = get_close_matches(name, known, 1)
            hint = f"do you mean {near[0]}?" if near else "docs/reference.md lists the keys."
            yield f"{name} is set, but {self._name} has no such key: {hint}"

    def _unread(self) -> Iterator[str]:
        """The variables of the environment that a project's settings leave out."""
        given = self._given()
        for key in self._options:
            if key not in given and os.environ.get(name := f"{self._name}_{key}"):
                yield name

    def check(self) -> Iterator[checks.CheckMessage]:
        """Unknown keys (`<name>.E001`) and wrong values (`<name>.E002`) as check
        errors; variables that look misspelt (`<name>.W010`), and those that the
        settings don't read (`<name>.W011`), as warnings.
        """
        label = self._name.lower()
        for text in self.strangers():
            yield checks.Warning(text, id=f"{label}.W010")
        for name in self._unread():
            yield checks.Warning(
                f"{name} is set in the environment, and your settings don't read it.",
                hint=f"Write {self._name} = {label}.conf.settings.from_environment(os.environ).",
                id=f"{label}.W011",
            )
        given = getattr(settings, self._name, {})
        if not isinstance(given, Mapping):
            yield checks.Error(
                f"{self._name} must be a dictionary, not {type(given).__name__}.",
                id=f"{label}.E001",
            )
            return
        for key in given:
            if key not in self._options:
                known = ", ".join(sorted(self._options))
                yield checks.Error(
                    f"{self._name} has an unknown key {key!r}.",
                    hint=f"Known: {known}.",
                    id=f"{label}.E001",
                )
                continue
            try:
                self._read(key)
            except (TypeError, ValueError) as error:
                yield checks.Error(str(error), id=f"{label}.E002")

    def from_environment(self, environment: Mapping[str, str]) -> dict[str, Any]:
        """The dictionary for the settings file, from variables `<name>_<KEY>`.

        JSON is read as JSON, `a,b` as a list if the key takes one, `true`/`yes`/`on` as
        a bool. Any other text is passed on as it is, and the system check names it, as
        it names a variable of that form without such a key.
        """
        begin = f"{self._name}_"
        self._strangers = sorted(
            name
            for name in environment
            if name.startswith(begin) and name.removeprefix(begin) not in self._options
        )
        found = {}
        for key, option in self._options.items():
            text = environment.get(f"{self._name}_{key}")
            if text is not None and text != "":
                found[key] = _parse(text.strip(), option)
        return found


def _parse(text: str, option: Option) -> Any:
    if option.is_text or option.convert is string:
        return text
    none = text.lower() in ("none", "null")
    if option.convert in LISTS and not text.startswith("["):
        if none and option.default is None:
            return None
        parts = [part.strip() for part in text.split(",")]
        # An empty key is a mistake, such as a variable that isn't set. A check says so.
        return parts if option.secret else [part for part in parts if part]
    if text.lower() in ("true", "yes", "on"):
        return True
    if text.lower() in ("false", "no", "off"):
        return False
    if none:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
