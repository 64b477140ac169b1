"""SQLite: one file, one writer at a time. Several processes at once wait for their
turn, and none is told that it is locked.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.db import connection

from jobs.models import Job
from tests.processes import ROOT, environment, lines, wait_for

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="the database isn't a file"),
]

WORKERS, TRANSACTIONS = 6, 60

#: A transaction that reads first and writes later, with an enqueue in it, as a view
#: would have it.
ENQUEUE = """
import sys, django
django.setup()
import jobs
from django.db import transaction
from jobs.models import Job
from posts.models import Post
from tests.samples import Append
log, number = sys.argv[1], int(sys.argv[2])
for index in range(number):
    with transaction.atomic():
        Job.objects.count()
        Post.objects.create(title=str(index))
        jobs.enqueue(Append(log, str(index)))
    jobs.enqueue_many([Append(log, str(number + index))])
"""


def test_many_processes_on_one_file_perform_each_job_once_and_none_finds_it_locked(start, tmp_path):
    log = tmp_path / "log"
    workers = [start("jobworker", JOBS_SLEEP_DELAY="0.05", JOBS_LEASE="60") for _ in range(WORKERS)]
    command = [sys.executable, "-c", ENQUEUE, str(log), str(TRANSACTIONS)]
    settings = environment(DJANGO_SETTINGS_MODULE="project.settings")
    enqueuing = subprocess.run(
        command, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=300, check=False
    )
    assert enqueuing.returncode == 0, enqueuing.stderr
    wait_for(lambda: not Job.objects.exists(), 300, "all were performed")
    assert sorted(map(int, lines(log))) == list(range(2 * TRANSACTIONS))
    for worker in workers:
        assert worker.popen.poll() is None
        assert "database is locked" not in worker.output
        assert "can't be reached" not in worker.output
