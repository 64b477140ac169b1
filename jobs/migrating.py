from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import migrations
from django.utils.module_loading import import_string


def primary_key() -> Any:
    """For migrations: the `id` field of the project's DEFAULT_AUTO_FIELD, ObjectId on MongoDB, an integer on SQL."""
    # Django before 3.2 has no such setting.
    cls = import_string(getattr(settings, "DEFAULT_AUTO_FIELD", "django.db.models.AutoField"))
    return cls(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


def unique_where_given(label: str, field: str) -> migrations.RunPython:
    """For migrations: any number of rows may hold no value in this unique field; on djongo that takes an index of its own."""

    def replace_index(apps: Any, schema_editor: Any) -> None:
        if schema_editor.connection.vendor == "djongo":
            from jobs.store.djongo import make_unique_where_given

            model = apps.get_model(label)
            make_unique_where_given(schema_editor.connection, model._meta.db_table, model._meta.get_field(field).column)

    return migrations.RunPython(replace_index, migrations.RunPython.noop)
