"""The narrow places that all the slots of a process go through.

Without them a thousand slots would flood the database and AWS Batch.
"""

from __future__ import annotations

import threading

from batchexec.process.crew import Crew
from batchexec.process.denials import Denials
from batchexec.process.pacer import Pacer
from batchexec.process.standstill import Standstill

#: How many connections to the database all the slots of a process share.
DATABASE_CONNECTIONS = 5
#: How many job objects a process loads at once, before it submits their jobs.
LOADING_AT_ONCE = 5
#: How many slots of a process submit at once.
SUBMITTING_AT_ONCE = 10


class Gates:
    """One for each process: its crews, its entrance to AWS, its pace and its stops."""

    def __init__(self) -> None:
        self.database = Crew(DATABASE_CONNECTIONS, "batchexec-database")
        self.batch = Crew(SUBMITTING_AT_ONCE, "batchexec-calls")
        self.entrance = threading.BoundedSemaphore(SUBMITTING_AT_ONCE)
        self.loading = threading.BoundedSemaphore(LOADING_AT_ONCE)
        self.pacer = Pacer()
        self.standstill = Standstill()
        self.denials = Denials()
