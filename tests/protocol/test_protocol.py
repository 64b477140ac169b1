"""The protocol between workers, containers and AWS Batch, in every order of its steps:
see docs/protocol.md.
"""

from __future__ import annotations

import os

import pytest

from tests.protocol.explore import explore
from tests.protocol.model import EXPLORATIONS, without
from tests.protocol.rules import ALL, RULES
from tests.protocol.state import Bounds

pytestmark = pytest.mark.skipif(
    "TEST_DATABASE" in os.environ, reason="no database takes part: it runs in the default lane only"
)


@pytest.mark.parametrize("bounds", EXPLORATIONS, ids=str)
def test_every_invariant_holds_in_every_state(bounds: Bounds):
    found = explore(ALL, bounds)
    assert not found.invariant, "\n".join((found.invariant, *found.trace))
    assert found.states > 100_000


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule.breaks])
def test_without_a_rule(name: str):
    found = without(name)
    assert found.invariant == RULES[name].breaks, "\n".join((found.invariant, *found.trace))
