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

    The method's name comes from the database, so the method is only called if the
    signature says that `delay` wrote the row. An attacker who can write rows, but
    doesn't know SECRET_KEY, can't have anything called. Hooks and options of the target
    are not taken over: Delayed Job calls them by name, even if they mean something
    else.
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
        """The call as a job, signed. Only `delay` makes one; a row brings its
        signature.
        """
        stored = _stored_target(target, method)
        signature = _signer().signature(_canonical(stored, method, args, kwargs))
        return cls(stored, method, args, kwargs, signature)

    def __post_init__(self) -> None:
        signed = _canonical(self.target, self.method, self.args, self.kwargs)
        try:
            _signer().unsign(f"{signed}:{self.signature}")
        except BadSignature:
            raise DeserializationError(
                f"The delayed method {self.method!r} isn't signed with this project's "
                "SECRET_KEY, so it isn't called."
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
        """As in Delayed Job: `posts.models.Post#publish`, or
        `posts.models.Post.publish`.

        The second is a method of the class.
        """
        if isinstance(self.target, dict):
            return f"{self.target['class']}.{self.method}"
        cls = type(self.target)
        return f"{cls.__module__}.{cls.__qualname__}#{self.method}"


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
            "Only methods of model instances and classes can be delayed, "
            f"not of a {type(target).__qualname__}."
        )
    return target


class Delayed:
    """What `delay` returns: a method called on it is enqueued as a job."""

    def __init__(self, target: Any, options: dict[str, Any]):
        self.__target = target
        self.__options = options

    def __getattr__(self, name: str) -> Callable[..., AbstractJob]:
        def enqueue_call(*args: Any, **kwargs: Any) -> AbstractJob:
            call = PerformableMethod.signed(self.__target, name, list(args), kwargs)
            return enqueue(call, **self.__options)

        return enqueue_call


def delay(target: Any, **options: Any) -> Any:
    """Enqueues calls: `delay(post, queue="mail").publish(notify=True)`.

    `target` is a model instance or a class, `options` are those of `enqueue`. The call
    raises AttributeError if the target has no such method, TypeError for another kind
    of target or for arguments that can't be stored, and ValueError for an unsaved
    instance.
    """
    return Delayed(target, options)


def handle_asynchronously(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorates a method so that calling it enqueues the call and returns the job.

    `obj.method.now(…)` runs it at once. `options` are those of `enqueue`; a callable
    option is called each time, with the instance if it takes a parameter.
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
            payload = PerformableMethod.signed(target, self._name, list(args), kwargs)
            return enqueue(payload, **options)

        functools.update_wrapper(call, getattr(self._method, "__func__", self._method))
        setattr(call, NOW, self._method.__get__(instance, owner))
        return call
