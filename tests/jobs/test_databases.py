"""DATABASES entries that are made of a URL, and those that are made by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router

from jobs import databases, mongodb
from jobs.database_checks import check_database
from jobs.models import Job

ON_SQLITE = "django.db.backends.sqlite3"
ON_POSTGRES = "django.db.backends.postgresql"


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        (
            "postgres://ann:p%40ss@db.example.org:6543/shop",
            {
                "USER": "ann",
                "PASSWORD": "p@ss",
                "HOST": "db.example.org",
                "PORT": 6543,
                "NAME": "shop",
            },
        ),
        ("postgresql:///shop", {"HOST": "", "PORT": "", "NAME": "shop", "USER": ""}),
        ("postgres://ann@%2Frun%2Fpostgresql/shop", {"HOST": "/run/postgresql", "NAME": "shop"}),
        ("postgres://one:1,two:2/shop", {"HOST": "one,two", "PORT": "1,2"}),
        ("postgres://[::1]:5432/shop", {"HOST": "::1", "PORT": 5432}),
        ("postgres:///shop?conn_max_age=60", {"CONN_MAX_AGE": 60}),
        ("postgres:///shop?CONN_MAX_AGE=none&atomic_requests=true", {"ATOMIC_REQUESTS": True}),
    ],
)
def test_a_url_of_postgresql_is_read_whole(url: str, entry: dict[str, Any]) -> None:
    made = databases.parse(url)
    assert made["ENGINE"] == ON_POSTGRES
    assert {name: made[name] for name in entry} == entry
    assert made["OPTIONS"] == databases.POSTGRES_OPTIONS


@pytest.mark.parametrize(("text", "threshold"), [("none", None), ("7", 7)])
def test_options_in_the_url_come_before_ours(text: str, threshold: int | None) -> None:
    options = databases.parse(f"postgres:///shop?prepare_threshold={text}&sslmode=require")
    assert options["OPTIONS"]["prepare_threshold"] == threshold
    assert options["OPTIONS"]["sslmode"] == "require"
    assert databases.parse("sqlite:///?timeout=5")["OPTIONS"]["timeout"] == 5


def test_a_url_of_sqlite_names_a_file_or_memory(tmp_path: Path) -> None:
    file = tmp_path / "made" / "db.sqlite3"
    made = databases.parse(f"sqlite:///{file}")
    assert made["NAME"] == str(file)
    assert file.parent.is_dir()
    assert made["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert databases.parse("sqlite:///db.sqlite3")["NAME"] == "db.sqlite3"
    assert databases.parse("sqlite://:memory:")["NAME"] == ":memory:"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("oracle://db", "DATABASE_URL starts with 'oracle': use mongodb://"),
        ("", "DATABASE_URL isn't a URL: use mongodb://"),
        ("postgres://db:secret/shop", "DATABASE_URL can't be read. In the user"),
        ("sqlite://db.sqlite3", "DATABASE_URL has a host, which SQLite hasn't: write sqlite:///"),
        ("postgres://ann:secret/x@db/shop", "DATABASE_URL can't be read"),
        ("mongodb://ann:secret@x@db/shop", "DATABASE_URL can't be read"),
        ("postgres:///shop?conn_max_age=long", "DATABASE_URL can't be read"),
    ],
)
def test_a_url_that_cannot_be_read_is_one_sentence(url: str, sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^DATABASE_URL ") as raised:
        databases.parse(url)
    assert sentence in str(raised.value)
    assert "secret" not in str(raised.value)


def test_only_djangos_own_apps_are_replaced_on_mongodb() -> None:
    apps = ["django.contrib.admin", "django.contrib.sessions", "shop", "django.contrib.auth"]
    assert mongodb.with_object_ids(apps) == [
        "jobs.mongodb.apps.AdminConfig",
        "django.contrib.sessions",
        "shop",
        "jobs.mongodb.apps.AuthConfig",
    ]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[CheckMessage]]]:
    """The check's findings where jobs are in a database with this entry."""

    def check(entry: dict[str, Any]) -> list[CheckMessage]:
        configured = connections.configure_settings({"default": entry})["default"]
        monkeypatch.setitem(connections.settings, "checked", configured)
        monkeypatch.setattr(router, "db_for_write", lambda model: "checked")
        if hasattr(connections._connections, "checked"):
            del connections["checked"]
        return check_database(None)

    yield check
    if hasattr(connections._connections, "checked"):
        del connections["checked"]


def test_what_an_entry_by_hand_lacks_is_named(check: Callable[..., list[CheckMessage]]) -> None:
    (sqlite,) = check({"ENGINE": ON_SQLITE, "NAME": ":memory:"})
    assert sqlite.id == "jobs.W001"
    assert "DATABASES['checked']['OPTIONS'] lacks \"transaction_mode\": \"IMMEDIATE\"" in sqlite.msg


def test_what_parse_makes_lacks_nothing(check: Callable[..., list[CheckMessage]]) -> None:
    assert check(databases.parse("sqlite:///")) == []


def test_a_backend_that_is_not_installed_is_named(
    check: Callable[..., list[CheckMessage]],
) -> None:
    (error,) = check({"ENGINE": "no.such.backend", "NAME": "x"})
    assert error.id == "jobs.E005"
    assert error.msg.startswith("DATABASES['checked'] can't be used: 'no.such.backend'")


def test_whole_numbers_as_keys_on_mongodb_are_named(
    check: Callable[..., list[CheckMessage]],
) -> None:
    pytest.importorskip("django_mongodb_backend")
    found = check(databases.parse("mongodb://127.0.0.1:1/shop"))
    if Job._meta.pk.get_internal_type() == "ObjectIdAutoField":
        assert found == []
    else:
        (error,) = found
        assert error.id == "jobs.E006"
        assert "is MongoDB, and jobs.Job, admin.LogEntry, " in error.msg


class TestOnPostgres:
    @pytest.fixture(autouse=True)
    def _needs_the_driver(self) -> None:
        pytest.importorskip("psycopg")

    def test_a_missing_threshold_is_named(self, check: Callable[..., list[CheckMessage]]) -> None:
        (warning,) = check({"ENGINE": ON_POSTGRES, "NAME": "x"})
        assert warning.id == "jobs.W002"
        assert '"prepare_threshold": 5' in warning.msg

    def test_none_is_an_answer(self, check: Callable[..., list[CheckMessage]]) -> None:
        options = {"prepare_threshold": None}
        assert check({"ENGINE": ON_POSTGRES, "NAME": "x", "OPTIONS": options}) == []
