"""`python -m tests.protocol`: the exploration's figures, and for each rule what goes
wrong without it, step by step.

`python -m tests.protocol <faults> <cancels> [<deletions> [<free retries>]]` explores
within other bounds.
"""

from __future__ import annotations

import sys

from tests.protocol.explore import Found, explore
from tests.protocol.model import EXPLORATIONS, without
from tests.protocol.rules import ALL, RULES
from tests.protocol.state import Bounds


def main(arguments: list[str]) -> None:
    explorations: tuple[Bounds, ...] = EXPLORATIONS
    if arguments:
        faults, cancels, deletions, free = (*map(int, arguments), 0, 0)[:4]
        explorations = (
            Bounds(faults, cancels=cancels, retries=cancels, deletions=deletions, free=free),
        )
    for bounds in explorations:
        print(f"All rules, {bounds}")
        _print(explore(ALL, bounds))
    if arguments:
        return
    for name, rule in RULES.items():
        print(f"\n{name}: {rule.text} ({rule.where})")
        if rule.breaks:
            _print(without(name))
        else:
            print(f"  no counter-example; {rule.why_kept}")


def _print(found: Found) -> None:
    print(
        f"  {found.states:,} states, {found.transitions:,} transitions, depth "
        f"{found.depth}, {found.seconds:.1f} s"
    )
    print(f"  broken: {found.invariant}" if found.invariant else "  every invariant holds")
    for number, step in enumerate(found.trace, 1):
        print(f"  {number:3} {step}")


main(sys.argv[1:])
