"""One job as the protocol sees it: its row, its marker, its Batch jobs, and what each
actor knows. Nothing else exists here.

Times are bits: a lease, a heartbeat or SETTLE either has run out or hasn't.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

# Who holds the lock: one of the two batch workers, the plain worker, or a worker that
# is dead.
NOBODY, PLAIN, DEAD = -1, 2, 3
# Who is the runner: the number of a Batch job, or one of these.
NO_RUNNER, PLAIN_RUNNER, DEAD_RUNNER = -1, -2, -3
#: What a watcher has seen of a runner that has shown a sign of life since: it equals no
#: runner.
OUTDATED = -4
NO_BATCH_JOB = -1

SCHEDULED, READY, RUNNING, DETACHED = "scheduled", "ready", "running", "detached"
SUCCEEDED, FAILED, CANCELLED = "succeeded", "failed", "cancelled"
#: The operator has deleted the row.
GONE = "gone"
FINISHED = frozenset({SUCCEEDED, FAILED, CANCELLED, GONE})


class Row(NamedTuple):
    """jobs.models.Job. `lapsed`: locked_at is older than the lease. `stale`:
    heartbeat_at is. `told`: the last error is that the execution was told to end.
    `free`: the free retries so far, which really are in the job's history. Of a row
    that is gone, `runner` is who was registered, only there to be checked.
    """

    state: str = READY
    epoch: int = 0
    attempts: int = 0
    lock: int = NOBODY
    lapsed: bool = False
    handed_over: bool = False
    runner: int = NO_RUNNER
    stale: bool = False
    told: bool = False
    free: int = 0


class Marker(NamedTuple):
    """batchexec.models.BatchJob. `tries` stands for submitted_at; `settled`: that was
    longer ago than SETTLE. `unwanted`: the job's row is about to be deleted.
    """

    epoch: int
    batch_job: int = NO_BATCH_JOB
    tries: int = 0
    settled: bool = False
    unwanted: bool = False


class Watcher(NamedTuple):
    """A worker with --batch: the step it takes next, and what it knows from the steps
    before.

    `marker_epoch`, `batch_job` and `tries` are its copy of the marker, `seen` is what
    its last look told. `free`: the attempt that it records as failed isn't counted.
    """

    at: str = "idle"
    epoch: int = 0
    marker_epoch: int = 0
    batch_job: int = NO_BATCH_JOB
    tries: int = 0
    seen: int = 0
    others: tuple[int, ...] = ()
    paused: bool = False
    free: bool = False


class Container(NamedTuple):
    """A Batch job and its container. `over`: Batch says that it ended, or doesn't know
    it, although the container lives.

    `listed`: ListJobs has to show it, as it has been there for SETTLE. `taken`: AWS
    took its machine, as Batch says once it has ended. `silent`, `cancelled` and
    `returned` (its attempt was given back) are only there to be checked.
    """

    epoch: int
    at: str = "waiting"  # then: registering, running, dropped, gone
    listed: bool = False
    over: bool = False
    paused: bool = False
    silent: bool = False
    cancelled: bool = False
    taken: bool = False
    returned: bool = False


class Plain(NamedTuple):
    """A worker without --batch, which performs jobs in its own process."""

    at: str = "idle"  # then: running, dropped
    epoch: int = 0
    paused: bool = False
    silent: bool = False
    cancelled: bool = False


class Decider(NamedTuple):
    """A sweep, or the process that watched the last execution: whether its attempt is
    given back. `epoch` and `attempts` are the row's as it read them.
    """

    at: str = "idle"  # then: clearing, giving back; without a rule, in the other order
    epoch: int = 0
    attempts: int = 0
    marker_epoch: int = 0
    batch_job: int = NO_BATCH_JOB
    paused: bool = False


class Bounds(NamedTuple):
    """`faults`: deaths, pauses, replies lost, refusals, and looks that miss what is
    there, all together. `free`: INFRASTRUCTURE_RETRIES; with 0, AWS takes no machine.
    """

    faults: int = 2
    attempts: int = 2
    batch_jobs: int = 3
    cancels: int = 1
    retries: int = 1
    free: int = 0
    deletions: int = 0


class State(NamedTuple):
    row: Row
    marker: Marker | None
    watchers: tuple[Watcher, Watcher]
    plain: Plain
    containers: tuple[Container, ...]
    faults: int
    cancels: int
    retries: int
    deletions: int
    decider: Decider = Decider()
    #: Between marking the job's marker and deleting its row: the state that the row
    #: must still be in.
    deleting: str = ""
    #: Whether anything was ever paused, or ListJobs blind for longer than SETTLE: then
    #: a second submission isn't a waste.
    excused: bool = False
    #: The invariant that the step to this state broke.
    broken: str = ""


class Step(NamedTuple):
    """What an actor may do next. `fault`: it needn't ever happen."""

    text: str
    after: State
    fault: bool = False


Steps = Iterator[Step]


#: Where an exploration begins: with a new job, or, to come to the point sooner, with
#: what such an exploration comes by.
STARTS: dict[str, dict[str, Any]] = {
    "enqueued": {},
    # A failed attempt, whose marker isn't cleared yet.
    "rescheduled": {
        "row": Row(READY, epoch=1, attempts=1),
        "marker": Marker(0, batch_job=0),
        "containers": (Container(0, "gone"),),
    },
    # The worker was paused before its first submission.
    "about to submit": {
        "row": Row(DETACHED, handed_over=True),
        "marker": Marker(0),
        "watchers": (Watcher(), Watcher("submitting", paused=True)),
        "excused": True,
    },
    # Two Batch jobs of one epoch, and nobody who watches.
    "twins": {
        "row": Row(DETACHED, handed_over=True),
        "marker": Marker(0, batch_job=0),
        "containers": (Container(0), Container(0)),
        "excused": True,
    },
    # The one that isn't in the marker registered, and the worker that was about to
    # record it has been paused since.
    "about to record": {
        "row": Row(DETACHED, handed_over=True, runner=1),
        "marker": Marker(0, batch_job=0),
        "containers": (Container(0, "gone"), Container(0, "running")),
        "watchers": (Watcher(), Watcher("recording runner", batch_job=0, seen=1, paused=True)),
        "excused": True,
    },
    # AWS took the machine of the job's second execution, and its container recorded
    # that it was told to end. The attempt that counted before was another's fault.
    "told to end": {
        "row": Row(SCHEDULED, epoch=2, attempts=2, told=True),
        "marker": Marker(1, batch_job=0),
        "containers": (Container(1, "gone", taken=True),),
    },
}


def initial(bounds: Bounds, start: str = "enqueued") -> State:
    new = State(
        Row(),
        None,
        (Watcher(), Watcher()),
        Plain(),
        (),
        bounds.faults,
        bounds.cancels,
        bounds.retries,
        bounds.deletions,
    )
    return new._replace(**STARTS[start])


def with_watcher(state: State, number: int, watcher: Watcher) -> State:
    first, second = state.watchers
    return state._replace(watchers=(first, watcher) if number else (watcher, second))


def with_container(state: State, number: int, container: Container) -> State:
    containers = state.containers
    return state._replace(containers=(*containers[:number], container, *containers[number + 1 :]))


def canonical(state: State) -> State:
    """Of states that differ only in the workers' names, or in Batch jobs that are
    history, one.
    """
    for container in state.containers:
        if container.at == "gone" and container.epoch < state.row.epoch:
            state = _without_history(state)
            break
    first, second = state.watchers
    if second < first:
        lock = state.row.lock
        row = state.row._replace(lock=1 - lock) if lock in (0, 1) else state.row
        state = state._replace(row=row, watchers=(second, first))
    return state


def _without_history(state: State) -> State:
    row, marker = state.row, state.marker
    named = {row.runner, marker.batch_job if marker else NO_BATCH_JOB, state.decider.batch_job}
    for watcher in state.watchers:
        named.update((watcher.batch_job, watcher.seen, *watcher.others))
    kept = [
        n
        for n, c in enumerate(state.containers)
        if c.at != "gone" or c.epoch >= row.epoch or n in named
    ]
    if len(kept) == len(state.containers):
        return state
    new = {old: number for number, old in enumerate(kept)}

    def renamed(watcher: Watcher) -> Watcher:
        batch_job, seen = (
            new.get(watcher.batch_job, watcher.batch_job),
            new.get(watcher.seen, watcher.seen),
        )
        return watcher._replace(
            batch_job=batch_job, seen=seen, others=tuple(new[n] for n in watcher.others)
        )

    first, second = state.watchers
    decider = state.decider
    return state._replace(
        decider=decider._replace(batch_job=new.get(decider.batch_job, decider.batch_job)),
        row=row._replace(runner=new.get(row.runner, row.runner)),
        marker=marker and marker._replace(batch_job=new.get(marker.batch_job, marker.batch_job)),
        watchers=(renamed(first), renamed(second)),
        containers=tuple(state.containers[n] for n in kept),
    )
