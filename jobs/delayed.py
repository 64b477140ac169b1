"""`jobs.delay(obj).method(…)` and `@jobs.handle_asynchronously`: methods as jobs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import models

from jobs.enqueueing import enqueue
from jobs.exceptions import NotKnownYet
from jobs.payloads import Performable, call_with_accepted, import_dotted, path_of, performing
from jobs.payloads.paths import unknown

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: Where `handle_asynchronously` keeps the method itself.
NOW = "now"


@dataclass
class PerformableMethod(Performable):
    """A method of a saved model instance or of a class, with its arguments.

    Only `delay` makes one. Hooks and options of the target are not taken over: Delayed
    Job calls them by name, even if they mean something else.
    """

    target: Any
    method: str
    args: list[Any]
    kwargs: dict[str, Any]
    #: The class whose implementation is meant, if the target overrides it.
    implemented_by: str = ""

    @classmethod
    def of(
        cls,
        target: Any,
        method: str,
        args: Iterable[Any],
        kwargs: dict[str, Any],
        implemented_by: str = "",
    ) -> PerformableMethod:
        """The call as a job. Raises what `delay` raises."""
        found = getattr(target, method, None)
        if not callable(found):
            raise AttributeError(f"{target!r} has no method {method!r} to delay.")
        if isinstance(target, type):
            target = {"class": path_of(target)}
        elif not isinstance(target, models.Model):
            raise TypeError(
                "Only methods of model instances and classes can be delayed, "
                f"not of a {type(target).__qualname__}."
            )
        implementation = inspect.unwrap(getattr(found, NOW, found))
        if inspect.isgeneratorfunction(implementation) or inspect.isasyncgenfunction(
            implementation
        ):
            raise TypeError(f"{method} is a generator, which the queue would not run.")
        return cls(target, method, list(args), kwargs, implemented_by)

    def perform(self) -> Any:
        method = self._method()
        return getattr(method, NOW, method)(*self.args, **self.kwargs)

    def _require_known(self) -> None:
        self._method()

    def _method(self) -> Any:
        target = self.target
        if isinstance(target, dict):
            target = import_dotted(target["class"])
        if self.implemented_by:
            target = _Implementation(import_dotted(self.implemented_by), target)
        method = getattr(target, self.method, None)
        if method is None:
            raise NotKnownYet(unknown(self.display_name()))
        return method

    def display_name(self) -> str:
        """As in Delayed Job: `posts.models.Post#publish`, or
        `posts.models.Post.publish`.

        The second is a method of the class.
        """
        if isinstance(self.target, dict):
            return f"{self.target['class']}.{self.method}"
        cls = type(self.target)
        return f"{cls.__module__}.{cls.__qualname__}#{self.method}"


class _Implementation:
    """The attributes of a class, bound to an object of a subclass: like `super()`, but
    beginning with the class itself.
    """

    def __init__(self, cls: type, target: Any):
        self.__cls, self.__target = cls, target

    def __getattr__(self, name: str) -> Any:
        found = inspect.getattr_static(self.__cls, name)
        if isinstance(self.__target, type):
            return found.__get__(None, self.__target)
        return found.__get__(self.__target, type(self.__target))


class Delayed:
    """What `delay` returns: a method called on it is enqueued as a job."""

    def __init__(self, target: Any, options: dict[str, Any]):
        self.__target = target
        self.__options = options

    def __getattr__(self, name: str) -> Callable[..., AbstractJob]:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)  # Python itself asks for these

        def enqueue_call(*args: Any, **kwargs: Any) -> AbstractJob:
            call = PerformableMethod.of(self.__target, name, args, kwargs)
            return enqueue(call, **self.__options)

        return enqueue_call


def delay(target: Any, **options: Any) -> Any:
    """Enqueues calls: `delay(post, queue="mail").publish(notify=True)`.

    `target` is a model instance or a class, `options` are those of `enqueue`. Private
    methods may be delayed, too. The call raises AttributeError if the target has no
    such method, TypeError for another kind of target, for a generator, or for arguments
    that can't be stored, and ValueError for an unsaved instance.
    """
    return Delayed(target, options)


def handle_asynchronously(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorates a method so that calling it enqueues the call and returns the job.

    `obj.method.now(…)` runs it at once. Within a job, `super().method(…)` runs the
    implementation of the base class and enqueues nothing. `options` are those of
    `enqueue`; a callable option is called each time, with the instance if it takes a
    parameter.
    """

    def decorate(method: Callable[..., Any]) -> Any:
        return _Asynchronous(method, options)

    return decorate


class _Asynchronous:
    """A descriptor, so that `now` is bound to the instance, too."""

    def __init__(self, method: Any, options: dict[str, Any]):
        self._method = method
        self._options = options
        functools.update_wrapper(self, getattr(method, "__func__", method))

    def __set_name__(self, owner: type, name: str) -> None:
        self._name, self._owner = name, owner

    def __call__(self, instance: Any, *args: Any, **kwargs: Any) -> AbstractJob:
        return self.__get__(instance, type(instance))(*args, **kwargs)

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None and inspect.isfunction(self._method):
            return self
        target = owner if instance is None else instance
        now = self._method.__get__(instance, owner)

        def call(*args: Any, **kwargs: Any) -> Any:
            by_super = self._is_overridden_in(owner)
            if by_super and performing.get():
                return now(*args, **kwargs)  # part of what is performed
            options = {
                key: call_with_accepted(value, target) if callable(value) else value
                for key, value in self._options.items()
            }
            base = path_of(self._owner) if by_super else ""
            payload = PerformableMethod.of(target, self._name, args, kwargs, base)
            return enqueue(payload, **options)

        def at_once(*args: Any, **kwargs: Any) -> Any:
            token = performing.set(True)
            try:
                return now(*args, **kwargs)
            finally:
                performing.reset(token)

        async def awaited_at_once(*args: Any, **kwargs: Any) -> Any:
            token = performing.set(True)
            try:
                return await now(*args, **kwargs)
            finally:
                performing.reset(token)

        functools.update_wrapper(call, getattr(self._method, "__func__", self._method))
        setattr(call, NOW, awaited_at_once if inspect.iscoroutinefunction(now) else at_once)
        return call

    def _is_overridden_in(self, owner: type) -> bool:
        return inspect.getattr_static(owner, self._name, self) is not self
