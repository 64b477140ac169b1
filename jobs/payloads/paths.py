"""Dotted paths of classes, and the classes that they name."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from jobs.exceptions import DeserializationError, Interruption, LoadingFailed, NotKnownYet


def path_of(cls: type) -> str:
    """The dotted path of a class. Raises TypeError if a worker can't find the class by
    it.
    """
    path = f"{cls.__module__}.{cls.__qualname__}"
    if "<locals>" in path or cls.__module__ == "__main__":
        raise TypeError(f"{path} can't be imported by a worker: define it at the top of a module.")
    try:
        found = import_dotted(path)
    except NotKnownYet as error:
        raise TypeError(
            f"{path} can't be imported by a worker: define the class at the top of a module "
            "that workers have."
        ) from error
    except DeserializationError as error:
        raise TypeError(f"{path} can't be imported by a worker: {error}") from error
    if found is not cls:
        raise TypeError(f"{path} names something else than the class: a worker would take that.")
    return path


def import_dotted(path: Any) -> Any:
    """The attribute of a module, or of a class in it, that a dotted path names.

    Raises DeserializationError for what isn't a path, NotKnownYet if there is nothing
    of that name, and whatever the module raises when it is imported.
    """
    parts = path.split(".") if isinstance(path, str) else []
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise DeserializationError(f"{path!r} is not a dotted path.")
    for length in range(len(parts) - 1, 0, -1):
        found: Any = _module(".".join(parts[:length]))
        if found is None:
            continue
        try:
            for part in parts[length:]:
                found = getattr(found, part)
        except AttributeError as error:
            raise NotKnownYet(unknown(path)) from error
        return found
    raise NotKnownYet(unknown(path))


def unknown(path: str) -> str:
    return f"{path} isn't known to this process. If you have just added it, restart the process."


def _module(name: str) -> Any:
    """The module; None if there is none of that name."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or f"{name}.".startswith(f"{error.name}."):
            return None
        raise NotKnownYet(f"{name} can't be imported: {error}.") from error
    except ImportError as error:
        raise NotKnownYet(f"{name} can't be imported: {error}.") from error
    except (Exception, Interruption):
        raise
    except BaseException as error:  # `sys.exit()` at the top of a module
        raise LoadingFailed(f"Importing {name} raised {error!r}.") from error
