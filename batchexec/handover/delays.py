"""What a job waits for before its submission, and whose fault that is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from batchexec.aws.errors import (
    Denied,
    DeniedAsAll,
    NotAccepted,
    NotConfigured,
    NotReached,
    Refused,
    Rejected,
    Throttled,
)
from batchexec.handover.slot import FIRST_PAUSE, LONGEST_PAUSE
from batchexec.process.standstill import EVERYTHING, SETTINGS
from jobs.store.patience import Backoff

if TYPE_CHECKING:
    from batchexec.handover.order import Order, Placement
    from batchexec.handover.slot import Slot

#: How often in a row AWS may deny the submission of a job whose own queue, definition,
#: tags, environment or share may be the reason, before that is a failed attempt. More
#: than once, because AWS says that rights take effect with a delay.
MOST_DENIALS = 3
#: For how many seconds a job holds its slot while AWS denies it as everything. Then
#: the jobs behind it have their turn: one that AWS accepts proves that not all are
#: denied.
HELD_FOR = 20.0
#: How long a slot sleeps before it looks whether a standstill is over, in seconds.
LONGEST_SLEEP = 5.0


class Delays:
    """Those of a slot's job. Methods may raise LetGo and Ended, as Slot's do."""

    def __init__(self, slot: Slot, order: Order):
        self._slot = slot
        self._order = order
        self._backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        self._denials = 0
        #: When the first denial was, by time.monotonic().
        self._denied_since = math.inf

    def wait(self, placement: Placement, say: Callable[[str], None]) -> None:
        """Waits while something stops the process's submissions; tells `say` why."""
        subjects = _subjects(placement)
        standstill = self._slot.standstill
        while (seconds := standstill.wait(*subjects)) > 0:
            if reason := standstill.reason(*subjects):
                say(reason)
            self._slot.pause(min(seconds, LONGEST_SLEEP))
            self._slot.check_in()

    def over(self, placement: Placement) -> None:
        """AWS Batch has taken the submission."""
        self._slot.standstill.go_on(*_subjects(placement))
        self._slot.denials.accepted(self._order.request)

    def after(self, error: NotAccepted | NotConfigured | Refused) -> str:
        """Tells the process what keeps the job waiting, and returns it.

        Raises Rejected if the job itself is the reason.
        """
        if isinstance(error, Refused):
            return self._of_refusal(error)
        self._tell(error, str(error))
        return str(error)

    def pause(self) -> None:
        self._slot.pause(self._backoff.next())

    def _tell(self, error: NotAccepted | NotConfigured, reason: str) -> None:
        if isinstance(error, NotReached):
            self._slot.standstill.stop(EVERYTHING, reason)
        elif isinstance(error, Throttled):
            self._slot.standstill.say("throttling", reason)
        else:
            self._slot.standstill.say(reason, f"Jobs wait, at no cost: {reason}")

    def _of_refusal(self, refusal: Refused) -> str:
        """Whose fault it is: first of queue and definition, then of the request."""
        reason, refused_by = str(refusal), self._order.queue_name
        self._slot.catalogue.forget(self._order.queue_name, self._order.definition_name)
        try:
            placement = self._order.placed()
        except (NotAccepted, NotConfigured) as error:
            self._tell(error, str(error))
            return str(error)
        if self._order.queue_name != refused_by:
            return reason  # it no longer takes jobs: the job has gone on to the next
        is_plain = placement.is_plain and not self._order.is_to_blame(refusal)
        is_denied = isinstance(refusal, Denied)
        if is_denied:
            self._slot.denials.denied(self._order.request, reason, is_plain=is_plain)
        if is_plain:
            self._slot.standstill.stop(SETTINGS, reason)
        elif placement.is_plain and self._slot.standstill.reason(SETTINGS):
            pass  # others that ask for less are refused as well
        elif is_denied and self._is_denied_as_all():
            self._slot.standstill.say("denials", f"Jobs wait, at no cost: {reason}")
            if time.monotonic() - self._denied_since > HELD_FOR:
                raise DeniedAsAll(reason)
        else:
            self._denials += 1
            if not is_denied or self._denials >= MOST_DENIALS:
                raise Rejected(reason)
        return reason

    def _is_denied_as_all(self) -> bool:
        self._denied_since = min(self._denied_since, time.monotonic())
        return self._slot.denials.are_of_everything(self._order.request, self._denied_since)


def _subjects(placement: Placement) -> tuple[str, ...]:
    return (EVERYTHING, SETTINGS) if placement.is_plain else (EVERYTHING,)
