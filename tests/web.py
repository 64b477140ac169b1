from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def no_collected_static_files(settings: Any) -> None:
    """WhiteNoise warns where their folder is missing, and it is made in production only."""
    settings.STATIC_ROOT = None
