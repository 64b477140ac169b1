from django.db import migrations, models
from django.db.models import Q

from jobs.store.indexes import PartialIndex

READY = Q(state="ready")
RUNNING = Q(state="running")
WAITING = Q(state="scheduled") | READY
ENDED = Q(finished_at__isnull=False)


def added(index):
    return migrations.AddIndex(model_name="job", index=index)


class Migration(migrations.Migration):
    dependencies = [("jobs", "0001_initial")]

    operations = [
        *(
            migrations.RemoveIndex(model_name="job", name=f"jobs_job_{name}")
            for name in ("claim", "due", "lease", "locked_by")
        ),
        added(
            PartialIndex(
                fields=["state", "priority", "run_at", "id"], name="jobs_job_claim", condition=READY
            )
        ),
        added(PartialIndex(fields=["state", "run_at"], name="jobs_job_due", condition=WAITING)),
        added(
            PartialIndex(fields=["state", "locked_at"], name="jobs_job_lease", condition=RUNNING)
        ),
        added(PartialIndex(fields=["locked_by"], name="jobs_job_locked_by", condition=RUNNING)),
        added(
            PartialIndex(fields=["state", "finished_at"], name="jobs_job_ended", condition=ENDED)
        ),
        added(models.Index(fields=["state", "id"], name="jobs_job_list")),
    ]
