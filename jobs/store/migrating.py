"""Operations for migrations that depend on the database."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import migrations
from django.utils.module_loading import import_string

from jobs.store.sql import ENDED, READY, channel_of


def primary_key() -> Any:
    """The `id` field that the project's DEFAULT_AUTO_FIELD names."""
    # Django before 3.2 has no such setting.
    cls = import_string(getattr(settings, "DEFAULT_AUTO_FIELD", "django.db.models.AutoField"))
    return cls(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


def unique_where_given(label: str, field: str) -> migrations.RunPython:
    """Any number of rows may have no value in this unique field.

    That takes an index of its own on djongo.
    """

    def replace_index(apps: Any, schema_editor: Any) -> None:
        if schema_editor.connection.vendor == "djongo":
            from jobs.store.djongo import make_unique_where_given

            model = apps.get_model(label)
            make_unique_where_given(
                schema_editor.connection, model._meta.db_table, model._meta.get_field(field).column
            )

    return migrations.RunPython(replace_index, migrations.RunPython.noop)


def notify_when_ready(label: str) -> migrations.RunPython:
    """For a job model on PostgreSQL: triggers tell idle workers that a job became
    ready.
    """
    return _notify(label, READY, (FUNCTION, ON_INSERT, ON_FREED))


def notify_when_ended(label: str) -> migrations.RunPython:
    """For a job model on PostgreSQL: a trigger tells who waits for a result that a job
    which keeps its result has ended.
    """
    return _notify(label, ENDED, (FUNCTION, ON_END))


def _notify(label: str, news: str, statements: tuple[str, ...]) -> migrations.RunPython:
    def create(apps: Any, schema_editor: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            table = apps.get_model(label)._meta.db_table
            channel, quote = channel_of(table, news), schema_editor.quote_name
            names = {
                "table": quote(table),
                "channel": channel,
                "function": quote(channel),
                "inserted": quote(f"{channel}_inserted"),
                "updated": quote(f"{channel}_updated"),
            }
            for statement in statements:
                schema_editor.execute(statement.format(**names))

    def drop(apps: Any, schema_editor: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            channel = channel_of(apps.get_model(label)._meta.db_table, news)
            name = schema_editor.quote_name(channel)
            schema_editor.execute(f"DROP FUNCTION IF EXISTS {name}() CASCADE")

    return migrations.RunPython(create, drop)


FUNCTION = """
    CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_notify('{channel}', ''); RETURN NULL; END $$
"""
#: An insert tells once, however many rows it has; an update tells for each row.
ON_INSERT = """
    CREATE TRIGGER {inserted} AFTER INSERT ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {function}()
"""
ON_FREED = """
    CREATE TRIGGER {updated} AFTER UPDATE OF state ON {table}
    FOR EACH ROW
    WHEN (NEW.state IN ('ready', 'detached') AND OLD.state IS DISTINCT FROM NEW.state)
    EXECUTE FUNCTION {function}()
"""
ON_END = """
    CREATE TRIGGER {updated} AFTER UPDATE OF state ON {table}
    FOR EACH ROW
    WHEN (NEW.result <> '' AND NEW.state IN ('succeeded', 'failed', 'cancelled'))
    EXECUTE FUNCTION {function}()
"""
