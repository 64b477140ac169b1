"""Environment variables exactly as they are: a `$` at the beginning has no meaning.

django-environ takes `$NAME` for the value of another variable, also in a SECRET_KEY
that only happens to begin so.
"""

from __future__ import annotations

from typing import Any

import environ


class Environment(environ.Env):  # type: ignore[misc]  # it has no types
    def get_value(self, var: str, cast: Any = None, *args: Any, **options: Any) -> Any:
        value = self.ENVIRON.get(var)
        if isinstance(value, str) and value.startswith("$"):
            return self.parse_value(value, cast)
        return super().get_value(var, cast, *args, **options)
