"""How gunicorn serves the web site.

It reads this file by itself, in the folder that it starts in. It also reads the port
from PORT, the number of processes from WEB_CONCURRENCY, and further options, which take
precedence over this file, from GUNICORN_CMD_ARGS. docs/deploying.md says what must
stand in front of it.
"""

import os

# A request takes a thread once it has arrived, and must arrive within seconds.
worker_class = "project.patience.PatientWorker"
# A client that doesn't take its answer holds a thread for half a minute, so there are
# more threads than the processor needs.
threads = 16

# Seconds without a sign of life until a process is replaced.
timeout = 60
# Less than the 30 seconds that ECS leaves between SIGTERM and SIGKILL.
graceful_timeout = 25
# More than the 60 seconds for which AWS's load balancer keeps a connection, so that it
# never sends a request on one that was just closed.
keepalive = 75

accesslog = "-"
# As the application's own log: see LOG_FORMAT in .env.example.
if os.environ.get("LOG_FORMAT", "").lower() == "json":
    logconfig_dict = {
        "formatters": {"generic": {"()": "jobs.logs.JsonFormatter"}},
        "loggers": {
            "gunicorn.error": {"level": "INFO", "handlers": ["error_console"], "propagate": False},
            "gunicorn.access": {"level": "INFO", "handlers": ["console"], "propagate": False},
        },
    }
# Signs of life are written to memory. On a disk, a slow write would look like a death.
MEMORY = "/dev/shm"  # noqa: S108
if os.path.isdir(MEMORY):
    worker_tmp_dir = MEMORY
control_socket_disable = True
