from django.db import migrations, models

from jobs.store.migrating import notify_when_ended


class Migration(migrations.Migration):
    dependencies = [("jobs", "0005_errors_and_permissions")]

    operations = [
        migrations.AddField(
            model_name="job",
            name="result",
            field=models.TextField(
                blank=True,
                default="",
                help_text="Errors, workers and return value of a job that keeps them, in JSON.",
            ),
        ),
        notify_when_ended("jobs.Job"),
    ]
