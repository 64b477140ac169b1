import django.utils.timezone
from django.db import migrations, models

from jobs.store.migrating import notify_when_ready, primary_key, unique_where_given


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Job",
            fields=[
                ("id", primary_key()),
                ("queue", models.CharField(default="default", max_length=255)),
                ("priority", models.IntegerField(default=0, help_text="Lower runs first.")),
                ("name", models.CharField(default="", max_length=255)),
                (
                    "handler",
                    models.TextField(
                        default="",
                        help_text="The job object: the dotted path of its class "
                        "and its fields, in JSON.",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("scheduled", "Scheduled"),
                            ("ready", "Ready"),
                            ("running", "Running"),
                            ("detached", "Detached"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="ready",
                        max_length=16,
                    ),
                ),
                ("run_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("attempts", models.IntegerField(default=0, help_text="Failed tries so far.")),
                (
                    "locked_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When the watching worker last renewed its lease.",
                        null=True,
                    ),
                ),
                (
                    "locked_by",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="The worker that watches the job.",
                        max_length=255,
                    ),
                ),
                (
                    "epoch",
                    models.BigIntegerField(
                        default=0, help_text="Rises whenever an execution ends or is given up."
                    ),
                ),
                (
                    "handed_over",
                    models.BooleanField(
                        default=False,
                        help_text="The execution of this epoch is somewhere else than in a worker.",
                    ),
                ),
                (
                    "runner",
                    models.CharField(
                        blank=True, default="", help_text="Who executes the job.", max_length=255
                    ),
                ),
                (
                    "heartbeat_at",
                    models.DateTimeField(
                        blank=True, help_text="The runner's last sign of life.", null=True
                    ),
                ),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("failed_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("last_error", models.TextField(blank=True, default="")),
                ("unique_key", models.CharField(blank=True, max_length=255, null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(
                        fields=["state", "priority", "run_at", "id"], name="jobs_job_claim"
                    ),
                    models.Index(
                        fields=["state", "queue", "priority", "run_at", "id"],
                        name="jobs_job_claim_queue",
                    ),
                    models.Index(fields=["state", "run_at"], name="jobs_job_due"),
                    models.Index(fields=["state", "locked_at"], name="jobs_job_lease"),
                    models.Index(fields=["locked_by"], name="jobs_job_locked_by"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("unique_key",), name="jobs_job_unique_key")
                ],
            },
        ),
        unique_where_given("jobs.Job", "unique_key"),
        notify_when_ready("jobs.Job"),
    ]
