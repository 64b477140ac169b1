"""An ordinary class. Workers import it, so it is at the top of a module."""

from __future__ import annotations

import jobs


class Newsletter:
    @classmethod
    def send(cls, address: str, *, subject: str) -> None:
        print(f"To {address}: {subject}")

    # Calling it always enqueues it; `Newsletter.clean_up.now()` runs it at once.
    @jobs.handle_asynchronously(queue="housekeeping", priority=50)
    @classmethod
    def clean_up(cls) -> None:
        print("Cleaned up")
