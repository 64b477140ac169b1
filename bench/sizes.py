"""How many jobs, rounds and so on each suite takes."""

from __future__ import annotations

from dataclasses import dataclass, replace

STATES = ("ready", "scheduled", "running", "failed", "succeeded")


@dataclass
class Sizes:
    """The sizes of one run."""

    rounds: int
    drain: int
    enqueue: int
    many: int
    depths: tuple[int, ...]
    states: tuple[str, ...]
    taken: int
    pick_ups: int
    pick_ups_of_peers: int
    idle: float
    starts: int
    slots: int
    followed: int
    backlog: int
    herd: int
    iterated: int
    on_batch: int
    on_call: int

    @classmethod
    def of(cls, database: str, quick: bool) -> Sizes:
        found = replace(QUICK if quick else FULL)
        if database == "mongodb":
            # MongoDB's stand-in looks at every document for a claim, so it gets less.
            found.rounds = min(found.rounds, 3)
            found.drain = min(found.drain, 300)
            found.enqueue = min(found.enqueue, 400)
            found.many = min(found.many, 5000)
            found.depths = tuple(depth for depth in (1000, 5000) if depth <= found.depths[-1])
            found.taken = 20
            found.pick_ups = min(found.pick_ups, 40)
            found.slots = min(found.slots, 200)
            found.states = ("ready", "failed")
        elif database == "documentdb":
            # It sorts all ready jobs for a claim.
            found.rounds = min(found.rounds, 3)
            found.depths = (1000, 10_000)
            found.drain, found.taken = min(found.drain, 1000), 50
            found.states = ("ready", "failed")
        return found


QUICK = Sizes(
    rounds=2,
    drain=200,
    enqueue=100,
    many=1000,
    depths=(1000, 10_000),
    states=STATES,
    taken=100,
    pick_ups=6,
    pick_ups_of_peers=4,
    idle=3,
    starts=2,
    slots=50,
    followed=2,
    backlog=200,
    herd=10,
    iterated=20_000,
    on_batch=2,
    on_call=2_000,
)
FULL = Sizes(
    rounds=5,
    drain=2000,
    enqueue=1000,
    many=10_000,
    depths=(1000, 1_000_000),
    states=STATES,
    taken=500,
    pick_ups=100,
    pick_ups_of_peers=20,
    idle=15,
    starts=11,
    slots=1000,
    followed=12,
    backlog=2000,
    herd=100,
    iterated=1_000_000,
    on_batch=10,
    on_call=1_000_000,
)
