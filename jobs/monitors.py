"""What `jobs.metrics` serves, as dotted paths: imported when it is asked for.

Each names a class of a collector for prometheus-client, which is made without
parameters and has a `collect()`. Add your own in the `ready()` of your app.
"""

from __future__ import annotations

#: Read from the database, so any web process can answer for all.
OF_THE_DATABASE = ["jobs.metrics.Queues", "jobs.metrics.Workers", "jobs.metrics.Ended"]
#: Known to one process only: `jobworker --metrics-port` serves them.
OF_A_PROCESS: list[str] = []
