from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests import samples


@pytest.fixture(autouse=True)
def calls() -> Iterator[list[object]]:
    samples.calls.clear()
    yield samples.calls
    samples.calls.clear()
