from django.db import migrations, models
from django.db.models import Q

from jobs.store.indexes import PartialIndex


class Migration(migrations.Migration):
    dependencies = [("jobs", "0004_records")]

    operations = [
        migrations.AlterModelOptions(
            name="job",
            options={
                "permissions": [
                    ("retry_job", "Can retry jobs"),
                    ("reschedule_job", "Can change when jobs run"),
                    ("cancel_job", "Can cancel jobs"),
                    ("unlock_job", "Can let go of jobs' locks"),
                    ("move_job", "Can change the queue and the priority of jobs"),
                ],
            },
        ),
        migrations.AddField(
            model_name="job",
            name="error_key",
            field=models.CharField(
                blank=True,
                default="",
                help_text="The same for all jobs of one class that failed with the same error.",
                max_length=16,
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=PartialIndex(
                fields=["state", "error_key", "id", "finished_at"],
                name="jobs_job_error",
                condition=Q(state="failed"),
            ),
        ),
    ]
