"""Says at the end of a run how much was tried."""

from __future__ import annotations

from typing import Any

from tests.fuzz.budget import SEED, figures


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if figures:
        tried = ", ".join(f"{number:,} {what}" for what, number in sorted(figures.items()))
        terminalreporter.write_line(f"Tried, with FUZZ_SEED={SEED}: {tried}.")
