"""Breadth-first through every state within bounds; then, backwards, whether each of
them still comes to an end.
"""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Iterator
from typing import NamedTuple

from tests.protocol import around, executing, watching
from tests.protocol.rules import ALL, ECONOMY, LOST, MARKERS_END, ONCE, OVERLAP, Rules
from tests.protocol.state import (
    FINISHED,
    GONE,
    Bounds,
    Container,
    Plain,
    State,
    Step,
    canonical,
    initial,
)

NAMES = around.NAMES


class Found(NamedTuple):
    """`invariant` and `trace` where one was broken; else all states were seen."""

    states: int
    transitions: int
    depth: int
    seconds: float
    invariant: str = ""
    trace: tuple[str, ...] = ()


def steps(state: State, rules: Rules, bounds: Bounds) -> Iterator[tuple[str, Step]]:
    for number, watcher in enumerate(state.watchers):
        if not watcher.paused:
            for step in watching.STEPS[watcher.at](state, number, watcher, rules, bounds):
                yield f"worker {NAMES[number]} ", step
    for number, container in enumerate(state.containers):
        if not container.paused and container.at != "gone":
            for step in executing.container(state, number, container, rules, bounds):
                yield f"container {number} ", step
    if not state.plain.paused:
        for step in executing.plain(state, rules, bounds):
            yield "the plain worker ", step
    for source in around.STEPS:
        for step in source(state, rules, bounds):
            yield "", step


def broken(state: State) -> str:
    """The invariant that does not hold in this state; those on steps are in
    `state.broken` already.
    """
    if state.broken:
        return state.broken
    executions: list[Container | Plain] = [c for c in state.containers if c.at == "running"]
    if state.plain.at == "running":
        executions.append(state.plain)
    if len(executions) > 1:
        executions.sort(key=lambda execution: execution.epoch)
        for older, newer in itertools.pairwise(executions):
            if older.epoch == newer.epoch:
                return ONCE
        # All but the newest have been given up: each must have been silent, and be one
        # of the three cases.
        for older in executions[:-1]:
            if not older.silent or not (isinstance(older, Plain) or older.over or older.cancelled):
                return OVERLAP
    if not state.excused and len(state.containers) > 1:
        epochs = [container.epoch for container in state.containers]
        if len(set(epochs)) < len(epochs):
            return ECONOMY
    return ""


def is_cut_off(state: State, bounds: Bounds) -> bool:
    """Whether the bound on Batch jobs keeps a worker from what it would do: no
    judgement on such a state.
    """
    return len(state.containers) >= bounds.batch_jobs and any(
        w.at == "submitting" for w in state.watchers
    )


def explore(rules: Rules = ALL, bounds: Bounds | None = None, start: str = "enqueued") -> Found:
    """Stops at the first state that breaks an invariant; tests that every state comes
    to an end where none does.
    """
    # What is made here stays: looking through it for garbage takes a third of the time.
    gc.disable()
    try:
        return _explore(rules, bounds or Bounds(), start)
    finally:
        gc.enable()


def _explore(rules: Rules, bounds: Bounds, start: str) -> Found:
    began = time.perf_counter()
    first = canonical(initial(bounds, start))
    numbers: dict[State, int] = {first: 0}
    order = [first]
    parents = [0]
    before: list[list[int]] = [[]]
    transitions = depth = 0
    layer_ends = 1
    position = 0
    while position < len(order):
        if position == layer_ends:
            depth, layer_ends = depth + 1, len(order)
        state = order[position]
        for _, step in steps(state, rules, bounds):
            transitions += 1
            after = canonical(step.after)
            number = numbers.get(after)
            if number is None:
                number = numbers[after] = len(order)
                order.append(after)
                parents.append(position)
                before.append([])
                if invariant := broken(after):
                    seconds = time.perf_counter() - began
                    return Found(
                        len(order),
                        transitions,
                        depth + 1,
                        seconds,
                        invariant,
                        _trace(number, order, parents, rules, bounds),
                    )
            if not step.fault:
                before[number].append(position)
        position += 1
    if endless := _endless(order, before, bounds):
        invariant, number = endless
        seconds = time.perf_counter() - began
        return Found(
            len(order),
            transitions,
            depth,
            seconds,
            invariant,
            _trace(number, order, parents, rules, bounds),
        )
    return Found(len(order), transitions, depth, time.perf_counter() - began)


def _endless(order: list[State], before: list[list[int]], bounds: Bounds) -> tuple[str, int] | None:
    """The nearest state from which no end is reached by steps that aren't faults."""
    cut_off = [is_cut_off(state, bounds) for state in order]
    for invariant, ends in (
        (LOST, [s.row.state in FINISHED for s in order]),
        (MARKERS_END, [_is_at_rest(s) for s in order]),
    ):
        reaches = bytearray(len(order))
        todo = [number for number, end in enumerate(ends) if end or cut_off[number]]
        for number in todo:
            reaches[number] = 1
        while todo:
            for number in before[todo.pop()]:
                if not reaches[number]:
                    reaches[number] = 1
                    todo.append(number)
        if (number := reaches.find(0)) >= 0:
            return invariant, number
    return None


def _is_at_rest(s: State) -> bool:
    """The job has ended, and nothing is left of it; of a deleted one, not in AWS Batch
    either.
    """
    is_over = s.row.state in FINISHED and s.marker is None
    return is_over and (s.row.state != GONE or all(c.at == "gone" for c in s.containers))


def _trace(
    number: int, order: list[State], parents: list[int], rules: Rules, bounds: Bounds
) -> tuple[str, ...]:
    """The steps to a state, told once more from the start, so that workers and Batch
    jobs keep their names.
    """
    path = []
    while number:
        path.append(order[number])
        number = parents[number]
    bounds = bounds._replace(batch_jobs=99)
    state = order[0]
    told = []
    for wanted in reversed(path):
        who, step = next(
            (who, step)
            for who, step in steps(state, rules, bounds)
            if canonical(step.after) == wanted
        )
        told.append(who + step.text)
        state = step.after
    return tuple(told)
