from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0002_smaller_indexes")]

    operations = [
        migrations.AddField(
            model_name="job",
            name="signature",
            field=models.CharField(
                blank=True,
                default="",
                help_text="HMAC-SHA256 of the handler. Without a valid one it is never loaded.",
                max_length=128,
            ),
        ),
    ]
