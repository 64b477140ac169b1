"""What the tasks that are timed do."""

import time


def note_time(path: str) -> None:
    """Writes down when it is performed."""
    with open(path, "a") as file:
        file.write(f"{time.time()}\n")
