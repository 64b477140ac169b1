from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import migrations
from django.utils.module_loading import import_string

from jobs.store.sql import ready_channel


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
            make_unique_where_given(
                schema_editor.connection, model._meta.db_table, model._meta.get_field(field).column
            )

    return migrations.RunPython(replace_index, migrations.RunPython.noop)


def notify_when_ready(label: str) -> migrations.RunPython:
    """For migrations of a job model: on PostgreSQL, triggers tell idle workers when a job becomes ready, at no round trip."""

    def create(apps: Any, schema_editor: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            for statement in _triggers(schema_editor, apps.get_model(label)._meta.db_table):
                schema_editor.execute(statement)

    def drop(apps: Any, schema_editor: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            name = schema_editor.quote_name(ready_channel(apps.get_model(label)._meta.db_table))
            schema_editor.execute(f"DROP FUNCTION IF EXISTS {name}() CASCADE")

    return migrations.RunPython(create, drop)


def _triggers(schema_editor: Any, table_name: str) -> list[str]:
    channel = ready_channel(table_name)
    table, function = schema_editor.quote_name(table_name), schema_editor.quote_name(channel)
    inserted, updated = (
        schema_editor.quote_name(f"{channel}_{event}") for event in ("inserted", "updated")
    )
    return [
        f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN PERFORM pg_notify('{channel}', ''); RETURN NULL; END $$",
        f"CREATE TRIGGER {inserted} AFTER INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {function}()",
        f"CREATE TRIGGER {updated} AFTER UPDATE OF state ON {table} FOR EACH ROW "
        "WHEN (NEW.state IN ('ready', 'detached') AND OLD.state IS DISTINCT FROM NEW.state) "
        f"EXECUTE FUNCTION {function}()",
    ]
