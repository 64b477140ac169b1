"""Environment variables exactly as they are: a `$` at the beginning has no meaning.

django-environ takes `$NAME` for the value of another variable, also in a SECRET_KEY
that only happens to begin so. It also takes every text for a boolean, and most of them
for False: here, a value that means nothing is named.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1", "y", "t", "ok"), True),
    **dict.fromkeys(("false", "no", "off", "0", "n", "f", ""), False),
}


class Environment(environ.Env):  # type: ignore[misc]  # it has no types
    def read_file(self, default: Path) -> None:
        """Reads ENV_FILE, which must be there, or `default`, which need not be."""
        named = os.environ.get("ENV_FILE")
        if named and not Path(named).exists():
            raise ImproperlyConfigured(f"ENV_FILE names {named!r}, and there is no such file.")
        self.read_env(named or default)

    def get_value(self, var: str, cast: Any = None, *args: Any, **options: Any) -> Any:
        value = self.ENVIRON.get(var)
        if isinstance(value, str) and value.startswith("$"):
            return self.parse_value(value, cast)
        return super().get_value(var, cast, *args, **options)

    def bool(self, var: str, default: Any = environ.Env.NOTSET) -> Any:
        """Raises ImproperlyConfigured for a text that is neither true nor false."""
        if var not in self.ENVIRON:
            return super().bool(var, default)
        value = BOOLEANS.get(self.ENVIRON[var].strip().lower())
        if value is None:
            raise ImproperlyConfigured(f"{var} is {self.ENVIRON[var]!r}: it takes true or false.")
        return value

    def whole_number(self, var: str, default: int) -> int:
        """0 or more; raises ImproperlyConfigured for anything else."""
        text = self.ENVIRON.get(var, "").strip() or str(default)
        if not (text.isascii() and text.isdecimal()):
            raise ImproperlyConfigured(f"{var} is {text!r}: it takes a whole number, 0 or more.")
        return int(text)

    def choice(self, var: str, choices: Iterable[str], default: str) -> str:
        """One of `choices`, in any case; raises ImproperlyConfigured for another."""
        text = self.ENVIRON.get(var, "").strip() or default
        found = {choice.lower(): choice for choice in choices}.get(text.lower())
        if found is None:
            raise ImproperlyConfigured(f"{var} is {text!r}: it takes {', '.join(choices)}.")
        return found
