"""`django.tasks` on this queue: the backend, and the options that its API can't say.

Django makes a backend when a task is decorated, while apps are being loaded. So no
module here imports a model before it is needed.
"""

from jobs.tasks.backend import JobsBackend
from jobs.tasks.decorating import options
from jobs.tasks.results import JobResult

__all__ = ["JobResult", "JobsBackend", "options"]
