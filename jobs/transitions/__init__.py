"""Every change of a job's state: one function, one conditional write.

The write's count says whether the change happened. An *executor* writes an outcome only
if it still is the runner of its epoch, a *watcher* only if it still holds the lock of
its epoch. False means that the job is not yours now: nothing was changed, and nothing
may follow. The instance is brought up to date if the write happened.
"""

from __future__ import annotations

from jobs.transitions.conditions import (
    EXECUTION_OVER,
    IN_EXECUTION,
    UNLOCKED,
    WAITING,
    as_executor,
    as_seen,
    as_watcher,
    lease_expired,
    runner_is_alive,
    store_of,
)
from jobs.transitions.executing import (
    clear_runner,
    register,
    supersede,
    take,
)
from jobs.transitions.operating import (
    cancel,
    discard,
    discard_batch,
    expire,
    expire_all,
    hold,
    release,
    retry,
    sign,
)
from jobs.transitions.outcomes import (
    condemn,
    fail,
    has_ended,
    postpone,
    reschedule,
    succeed,
)
from jobs.transitions.several import (
    cancel_several,
    discard_several,
    expire_several,
    move_several,
    reschedule_several,
    retry_several,
)
from jobs.transitions.watching import (
    adopt,
    detach,
    hand_over,
    put_off,
    refund,
    requeue,
)

__all__ = [
    "EXECUTION_OVER",
    "IN_EXECUTION",
    "UNLOCKED",
    "WAITING",
    "adopt",
    "as_executor",
    "as_seen",
    "as_watcher",
    "cancel",
    "cancel_several",
    "clear_runner",
    "condemn",
    "detach",
    "discard",
    "discard_batch",
    "discard_several",
    "expire",
    "expire_all",
    "expire_several",
    "fail",
    "hand_over",
    "has_ended",
    "hold",
    "lease_expired",
    "move_several",
    "postpone",
    "put_off",
    "refund",
    "register",
    "release",
    "requeue",
    "reschedule",
    "reschedule_several",
    "retry",
    "retry_several",
    "runner_is_alive",
    "sign",
    "store_of",
    "succeed",
    "supersede",
    "take",
]
