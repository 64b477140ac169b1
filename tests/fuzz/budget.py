"""How much is tried, and with which random numbers.

Without FUZZ_SECONDS the tests of this folder try a little, the same in every run, and
no row at all: they are part of `make test`. `make fuzz` sets FUZZ_SECONDS, FUZZ_ROWS
and FUZZ_SEED.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning
from hypothesis.strategies import SearchStrategy

#: For each property, and rows on this database; 0 where nobody asked for them.
SECONDS = float(os.environ.get("FUZZ_SECONDS") or 0)
ROWS = int(os.environ.get("FUZZ_ROWS") or 0)
SEED = int(os.environ.get("FUZZ_SEED") or 0)

FEW = 100
PORTION = 500

_BOUNDED = settings(
    max_examples=PORTION if SECONDS else FEW,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink] if SECONDS else [Phase.generate],
    suppress_health_check=list(HealthCheck),
)

#: What was done, for the summary at the end of a run.
figures: dict[str, int] = {}


def count(what: str, number: int = 1) -> None:
    figures[what] = figures.get(what, 0) + number


def holds(what: str, law: Callable[..., None], *values: SearchStrategy[Any]) -> None:
    """Tries the law on examples of `values`, for as many seconds as are given.

    Each portion has other random numbers, which follow from FUZZ_SEED; so a finding is
    found again.
    """

    def tried(found: tuple[Any, ...]) -> None:
        count(what)
        law(*found)

    ends, number = time.monotonic() + SECONDS, SEED
    with warnings.catch_warnings():
        # Where a value can't be made, Hypothesis shows what makes it; that this is long
        # would hide why.
        warnings.filterwarnings("ignore", "Generating overly large repr", HypothesisWarning)
        while True:
            seed(number)(_BOUNDED(given(st.tuples(*values))(tried)))()
            number += 1
            if time.monotonic() >= ends:
                return
