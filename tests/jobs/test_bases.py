"""What the bases of a job class give it, and what else its class may be."""

from __future__ import annotations

import abc
import functools
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import pytest

import jobs
from jobs import payloads
from tests.handlers import reloaded

T = TypeVar("T")


class Plain(jobs.Performable):
    account_id: int

    def perform(self) -> None: ...


class Child(Plain):
    limit: int = 100


class OfDecorated(jobs.Performable):
    account_id: int


@dataclass
class Decorated(OfDecorated):
    limit: int = 100

    def perform(self) -> None: ...


class Abstract(jobs.Performable, abc.ABC):
    account_id: int

    @abc.abstractmethod
    def perform(self) -> None: ...


class Concrete(Abstract):
    limit: int = 100

    def perform(self) -> None: ...


class OfAny(jobs.Performable, Generic[T]):
    account_id: T

    def perform(self) -> None: ...


class OfNumbers(OfAny[int]):
    limit: int = 100


class Grandchild(Child):
    pass


class Behaviour(jobs.Performable):
    """Without a field, so that any dataclass may follow."""

    kept: ClassVar[int] = 1

    def perform(self) -> None: ...


@dataclass(frozen=True)
class Frozen(Behaviour):
    account_id: int
    limit: int = 100


@dataclass(slots=True)
class Slots(Plain):
    limit: int = 100


CLASSES = [Child, Decorated, Concrete, OfNumbers, Grandchild, Frozen, Slots]


# No other test makes an object of a base before: that would make its fields known.
@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_the_fields_of_every_base_are_stored(cls):
    back = reloaded(cls(7, limit=3))
    assert (back.account_id, back.limit) == (7, 3)
    assert reloaded(cls(account_id=8)).limit == 100


@dataclass
class Of(jobs.Performable, Generic[T]):
    value: T

    def perform(self) -> None: ...


def test_an_object_of_a_generic_class_is_stored_with_its_type_or_without():
    assert reloaded(Of[int](1)).value == reloaded(Of(1)).value == 1


class WantsJob(jobs.Performable):
    def perform(self, job: Any) -> None: ...


class WantsName(jobs.Performable):
    def perform(self, *, name: str) -> None: ...


@pytest.mark.parametrize(("cls", "wanted"), [(WantsJob, "job"), (WantsName, "name")])
def test_a_perform_that_wants_what_it_does_not_get_is_refused(cls, wanted):
    with pytest.raises(TypeError, match=rf"perform\(\) gets no argument, but wants {wanted}"):
        payloads.dump(cls())


def given_a_lock(function: Any) -> Any:
    @functools.wraps(function)
    def perform(self: Any) -> None:
        function(self, "the lock")

    return perform


class WantsLittle(jobs.Performable):
    def perform(self, job: Any = None, *args: Any, **named: Any) -> None: ...


class OfADecorator(jobs.Performable):
    @given_a_lock
    def perform(self, lock: str) -> None: ...


@pytest.mark.parametrize("cls", [WantsLittle, OfADecorator])
def test_a_perform_that_can_be_called_without_arguments_is_taken(cls):
    assert payloads.dump(cls())


@dataclass
class Older(jobs.Performable):
    number: int
    added: int

    def perform(self) -> None: ...


def test_a_field_that_was_added_without_a_default_says_what_to_do():
    handler = payloads.dump(Older(1, 2)).replace('"added": 2, ', "")
    with pytest.raises(jobs.DeserializationError, match="Give a field that you add a default"):
        payloads.load(handler, payloads.sign(handler))
