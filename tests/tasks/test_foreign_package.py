"""Tasks of a package that knows nothing of this queue: django-maintenance-tasks, whose
backfills are tasks of Django 6. One setting has them performed on AWS Batch.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from batchexec.local.server import LocalBatch
from tests.processes import FAST, ROOT

pytest.importorskip("maintenance_tasks", reason="it takes Django 6", exc_type=ImportError)

SETTINGS = """
from project.settings import *

INSTALLED_APPS = [*INSTALLED_APPS, "maintenance_tasks", "shop"]
TASKS = {"default": {"BACKEND": "jobs.tasks.JobsBackend"}}
"""
BACKFILL = """
from pathlib import Path
from maintenance_tasks import MaintenanceTask

class Backfill(MaintenanceTask):
    def collection(self):
        return ["a", "b", "c"]

    def process(self, item):
        with Path(self.arguments["log"]).open("a") as log:
            log.write(item)
"""
ASK = """
from maintenance_tasks.models import Run
from jobs.models import Job
from jobs.tasks.compat import task_backends
run, job = Run.objects.get(), Job.objects.get()
result = task_backends["default"].get_result(str(job.pk))
print(run.status, run.tick_count, job.name, job.state, result.status, result.worker_ids)
"""


def test_its_backfill_is_performed_on_aws_batch_by_one_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "__init__.py").touch()
    (shop / "settings.py").write_text(SETTINGS)
    (shop / "maintenance_tasks.py").write_text(BACKFILL)
    for name, value in {
        **FAST,
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
        "DJANGO_SETTINGS_MODULE": "shop.settings",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
    }.items():
        monkeypatch.setenv(name, value)

    def manage(*arguments: str) -> str:
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    manage("migrate", "--verbosity", "0")
    log = tmp_path / "log"
    started = manage(
        *("maintenance_tasks", "run", "shop.maintenance_tasks.Backfill"),
        *("--arguments", f'{{"log": "{log}"}}'),
    )
    assert "enqueued" in started
    with LocalBatch(create=True, start_delay=0.05) as batch:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", batch.url)
        manage("jobworker", "--batch", "--exit-on-complete")
        (submission,) = batch.calls()["submissions"]
    assert log.read_text() == "abc"
    said = manage("shell", "--no-imports", "--command", ASK)
    assert said.split() == [
        *("succeeded", "3", "maintenance_tasks.runner.run_batch", "succeeded", "SUCCESSFUL"),
        f"['{submission['jobId']}/1']",
    ]
