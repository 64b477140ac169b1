"""What is explored: everything with all rules, and the shortest way to what goes wrong
without one of them.
"""

from __future__ import annotations

from tests.protocol.explore import Found, explore
from tests.protocol.rules import ALL, RULES
from tests.protocol.state import Bounds

#: Two faults; or one, and an operator who cancels and retries; or one, such as that AWS
#: takes a machine, with a free retry and an operator who deletes the row.
EXPLORATIONS = (
    Bounds(faults=2, cancels=0, retries=0),
    Bounds(faults=1, cancels=1, retries=1),
    Bounds(faults=1, cancels=0, retries=0, deletions=1, free=1),
)


def without(name: str) -> Found:
    """The exploration that finds what that rule is for."""
    rule = RULES[name]
    bounds = Bounds(
        rule.faults,
        rule.attempts,
        cancels=rule.cancels,
        retries=rule.cancels,
        free=rule.free,
        deletions=rule.deletions,
    )
    return explore(ALL._replace(**{name: False}), bounds, rule.start)
