"""`jobs.delay(obj).method(…)` and `@jobs.handle_asynchronously`: methods as jobs."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.signing import BadSignature, Signer
from django.db import models

from jobs.enqueueing import enqueue
from jobs.exceptions import DeserializationError
from jobs.payloads import Performable, call_with_accepted, codec, import_dotted

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: Where `handle_asynchronously` keeps the method itself.
NOW = "now"


def _signer() -> Signer:
    return Signer(salt="jobs.delay")


@dataclass
class PerformableMethod(Performable):
    """A method of a saved model instance or of a class, with its arguments.

    The method's name comes from the database, so it is only called when the signature says that `delay` wrote it: whoever
    can write rows, but doesn't know SECRET_KEY, can't have anything called. Hooks and options of the target are not taken
    over, unlike in Delayed Job, where they are called by name even if they meant something else.
    """

    target: Any
    method: str
    args: list[Any]
    kwargs: dict[str, Any]
    signature: str

    @classmethod
    def signed(
        cls, target: Any, method: str, args: list[Any], kwargs: dict[str, Any]
    ) -> PerformableMethod:
        """What a program may make of any target; from a row, where the signature is given, it only comes if that is right."""
        stored = _stored_target(target, method)
        return cls(
            stored,
            method,
            args,
            kwargs,
            _signer().signature(_canonical(stored, method, args, kwargs)),
        )

    def __post_init__(self) -> None:
        try:
            _signer().unsign(
                f"{_canonical(self.target, self.method, self.args, self.kwargs)}:{self.signature}"
            )
        except BadSignature:
            raise DeserializationError(
                f"The delayed method {self.method!r} isn't signed with this project's SECRET_KEY, so it isn't called."
            ) from None

    def perform(self) -> Any:
        target = self.target
        if isinstance(target, dict):
            target = import_dotted(target["class"])
        method = getattr(target, self.method, None)
        if method is None:
            raise DeserializationError(f"{self.display_name()} doesn't exist (any more).")
        return getattr(method, NOW, method)(*self.args, **self.kwargs)

    def display_name(self) -> str:
        """`posts.models.Post#publish` for an instance, `posts.models.Post.publish` for a class, as in Delayed Job."""
        if isinstance(self.target, dict):
            return f"{self.target['class']}.{self.method}"
        return f"{type(self.target).__module__}.{type(self.target).__qualname__}#{self.method}"


def _canonical(*parts: Any) -> str:
    return json.dumps(codec.encode(list(parts)), sort_keys=True)


def _stored_target(target: Any, method: str) -> Any:
    if method.startswith("_") or not callable(getattr(target, method, None)):
        raise AttributeError(f"{target!r} has no public method {method!r} to delay.")
    if isinstance(target, type):
        path = f"{target.__module__}.{target.__qualname__}"
        if "<locals>" in path or target.__module__ == "__main__":
            raise TypeError(
                f"{path} can't be imported by a worker: define it at the top of a module."
            )
        return {"class": path}
    if not isinstance(target, models.Model):
        raise TypeError(
            f"Only methods of model instances and classes can be delayed, not of a {type(target).__qualname__}."
        )
    return target


class Delayed:
    """What `delay` returns: calling a method on it enqueues the call and returns the job."""

    def __init__(self, target: Any, options: dict[str, Any]):
        self.__target = target
        self.__options = options

    def __getattr__(self, name: str) -> Callable[..., AbstractJob]:
        def enqueue_call(*args: Any, **kwargs: Any) -> AbstractJob:
            return enqueue(
                PerformableMethod.signed(self.__target, name, list(args), kwargs), **self.__options
            )

        return enqueue_call


def delay(target: Any, **options: Any) -> Any:
    """`delay(post, queue="mail").publish(notify=True)` enqueues the call of a method of a model instance or class.

    `options` are those of `enqueue`. Raises AttributeError where the target has no such method, TypeError for another kind
    of target or arguments that can't be stored, ValueError for an unsaved instance.
    """
    return Delayed(target, options)


def handle_asynchronously(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorates a method so that calling it enqueues it and returns the job; `obj.method.now(…)` runs it at once.

    `options` are those of `enqueue`. One that is callable is called at each call, with the instance where it takes one.
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
        self._name = name

    def __call__(self, instance: Any, *args: Any, **kwargs: Any) -> AbstractJob:
        return self.__get__(instance, type(instance))(*args, **kwargs)

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None and inspect.isfunction(self._method):
            return self
        target = owner if instance is None else instance

        def call(*args: Any, **kwargs: Any) -> AbstractJob:
            options = {
                key: call_with_accepted(value, target) if callable(value) else value
                for key, value in self._options.items()
            }
            return enqueue(
                PerformableMethod.signed(target, self._name, list(args), kwargs), **options
            )

        functools.update_wrapper(call, getattr(self._method, "__func__", self._method))
        setattr(call, NOW, self._method.__get__(instance, owner))
        return call
