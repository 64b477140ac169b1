"""The life of a job as events, and plugins around them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from django.utils.module_loading import import_string

from jobs.exceptions import InvalidCallback

#: Every event with the arguments its callbacks get, as in Delayed Job.
EVENTS: dict[str, tuple[str, ...]] = {
    "enqueue": ("job",),
    "execute": ("worker",),
    "loop": ("worker",),
    "perform": ("worker", "job"),
    "error": ("worker", "job"),
    "failure": ("worker", "job"),
    "invoke_job": ("job",),
}
PLACES = ("before", "after", "around")


class Plugin:
    """Optional behaviour around the life of a job.

    Subclass it and name your methods for a place and an event:

        execute(worker)           a worker, from start to end
          loop(worker)            one pass over the queue
            perform(worker, job)  a reserved job, until its outcome is recorded
              invoke_job(job)     its hooks and perform(), under its time limit
              error(worker, job)    its failed attempt is recorded
                failure(worker, job)  the last one, for good
        enqueue(job)              from a job object to a row

    `before_<event>` and `after_<event>` take the event's arguments. `around_<event>`
    takes them and `proceed`; it calls `proceed()` or not, and returns its result. The
    plugin registered first is outermost. After-methods don't run if the event raises.
    Defining a class whose method names an unknown event, or takes the wrong number of
    parameters, raises `InvalidCallback`.
    """

    #: Whether the plugin has jobs executed elsewhere than in the worker. Only a worker
    #: with such a plugin may take over a job that is executed without a watcher.
    hands_over = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, method in vars(cls).items():
            place, underscore, event = name.partition("_")
            if place in PLACES and underscore and callable(method):
                _check_callback(cls, method, place, event)


def _check_callback(cls: type, method: Callable[..., Any], place: str, event: str) -> None:
    label = f"{cls.__qualname__}.{place}_{event}"
    if event not in EVENTS:
        raise InvalidCallback(
            f"{label} names no event of a job's life: the events are {', '.join(EVENTS)}."
        )
    arguments = ("self", *EVENTS[event], *(("proceed",) if place == "around" else ()))
    try:
        inspect.signature(method).bind(*arguments)
    except TypeError:
        raise InvalidCallback(f"{label} must take ({', '.join(arguments)}).") from None


def instantiate(plugins: Iterable[type[Plugin] | str]) -> list[Plugin]:
    """Plugins from classes and dotted paths.

    Raises ImportError or InvalidCallback if one of them isn't a plugin.
    """
    found = []
    for plugin in plugins:
        cls = import_string(plugin) if isinstance(plugin, str) else plugin
        if not (isinstance(cls, type) and issubclass(cls, Plugin)):
            raise InvalidCallback(f"{plugin!r} is not a subclass of jobs.Plugin.")
        found.append(cls())
    return found


class Lifecycle:
    """Runs events through a list of plugins."""

    def __init__(self, plugins: Iterable[Plugin]):
        self._plugins = list(plugins)
        self._callbacks = {
            f"{place}_{event}": [
                callback
                for plugin in self._plugins
                if (callback := getattr(plugin, f"{place}_{event}", None))
            ]
            for event in EVENTS
            for place in PLACES
        }
        #: Events that nobody has a callback for, so that they cost nothing.
        self._unheard = frozenset(
            event
            for event in EVENTS
            if not any(self._callbacks[f"{place}_{event}"] for place in PLACES)
        )

    def is_heard(self, event: str) -> bool:
        """Whether any callback of the event is there."""
        return event not in self._unheard

    def is_followed(self, event: str) -> bool:
        """Whether any callback runs after the event's body."""
        return bool(self._callbacks[f"around_{event}"] or self._callbacks[f"after_{event}"])

    def run(self, event: str, body: Callable[..., Any], *arguments: Any) -> Any:
        """Runs befores, arounds with `body(*arguments)` innermost, then afters.

        Returns what the outermost around returns.
        """
        if event in self._unheard:
            return body(*arguments)
        for callback in self._callbacks[f"before_{event}"]:
            callback(*arguments)

        def proceed() -> Any:
            return body(*arguments)

        for around in reversed(self._callbacks[f"around_{event}"]):
            proceed = _nest(around, arguments, proceed)
        result = proceed()
        for callback in self._callbacks[f"after_{event}"]:
            callback(*arguments)
        return result


def _nest(
    around: Callable[..., Any], arguments: tuple[Any, ...], proceed: Callable[[], Any]
) -> Callable[[], Any]:
    return lambda: around(*arguments, proceed)


def not_handing_over(plugins: Iterable[type[Plugin] | str]) -> list[type[Plugin] | str]:
    """The plugins that leave the job to be executed in this process."""
    return [type(plugin) for plugin in instantiate(plugins) if not plugin.hands_over]
