"""The database's password is shown nowhere, whatever is wrong with its URL."""

from __future__ import annotations

import itertools
import os
import re
import traceback
import warnings

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.views.debug import get_exception_reporter_filter

from project import databases
from tests.project.test_settings import KEY, check

#: Between them stands a character that a careless person doesn't escape.
FIRST, LAST = "S3crFirst", "tPWLast"
BREAKING = (
    "/",
    "?",
    "#",
    "@",
    ":",
    "[",
    "]",
    "%",
    "%zz",
    "\\",
    " ",
    "\n",
    "\0",
    "&",
    "=",
    "é",
    "\uff11",
    "\u2100",
    "//",
    "/@",
    ":@",
    "?@",
    "#@",
    "[@",
)
FORMS = (
    "{scheme}://shop:{password}@db.example/x",
    "{scheme}://{password}@db.example/x",
    "{scheme}://{password}",
    "{scheme}://shop:{password}@",
    "{scheme}://shop:{password}@db.example:port/x",
    "{scheme}://shop:{password}@db.example:99999/x",
    "{scheme}://shop:{password}@[::1/x",
    "{scheme}:shop:{password}@db.example/x",
    "{scheme}:/{password}@db.example",
    "{password}",
    "shop:{password}@db.example/x",
    "://{password}@db.example",
    "{scheme}://shop:{password}@db.example/x?a=%",
)
SCHEMES = (
    "mongodb",
    "mongodb+srv",
    "djongo+mongodb",
    "postgres",
    "postgresql",
    "sqlite",
    "oracle",
    "",
)


def visible(url: str) -> str:
    """All that is to be seen of a URL: the error or the warnings, or what the driver
    would take for a host and so on.
    """
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            found = databases.parse(url)
        except ImproperlyConfigured as error:
            return "".join(traceback.format_exception(error)) + str(warned)
    shown = {key: found.get(key) for key in ("NAME", "PORT", "OPTIONS")}
    if found["ENGINE"] in ("django_mongodb_backend", "djongo"):
        return f"{shown} {warned}"  # the driver reads the rest, and refused nothing
    return f"{shown} {found.get('HOST')} {warned}"


def is_shown(url: str) -> bool:
    text = visible(url)
    return FIRST.lower() in text.lower() or LAST.lower() in text.lower()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_part_of_a_password_is_shown_by_a_malformed_url(scheme):
    for form, breaking in itertools.product(FORMS, BREAKING):
        url = form.format(scheme=scheme, password=FIRST + breaking + LAST)
        # A URL without a password has nothing to hide: a user, a host, a database.
        if "@" in form:
            assert not is_shown(url), url


def test_digits_before_a_slash_are_no_port():
    for scheme in ("mongodb", "postgres"):
        for breaking in "/?#":
            with pytest.raises(ImproperlyConfigured, match="%2F for a slash"):
                databases.parse(f"{scheme}://shop:1234{breaking}{LAST}@db.example/x")


@pytest.mark.parametrize("scheme", ["mongodb", "postgres"])
def test_a_password_of_any_characters_is_taken_if_it_is_escaped(scheme):
    found = databases.parse(f"{scheme}://shop:S3cr%2F%40%3A%3F%23%25@db.example:1234/x")
    assert found["NAME"] == "x"
    if scheme == "postgres":
        assert found["PASSWORD"] == "S3cr/@:?#%"


def test_urls_of_several_hosts_and_with_options_are_read():
    mongo = databases.parse("mongodb://u:p@a:1,b:2,[::1]:3/x?replicaSet=rs0&w=majority")
    assert mongo["NAME"] == "x"
    assert (
        databases.parse("mongodb+srv://u:p@cluster.example.net/x?retryWrites=true")["NAME"] == "x"
    )
    postgres = databases.parse("postgres://u:p@[::1]:5433/x?sslmode=require")
    assert (postgres["PORT"], postgres["OPTIONS"]["sslmode"]) == (5433, "require")


def test_a_malformed_url_is_one_sentence_at_the_start():
    result = check(DATABASE_URL=f"postgres://shop:{FIRST}/{LAST}@db/x")
    assert result.returncode == 1
    assert "DATABASE_URL can't be read." in result.stderr
    assert FIRST not in result.stderr + result.stdout
    assert LAST not in result.stderr + result.stdout


def test_reports_about_errors_hide_the_database(settings):
    settings.DATABASE_URL = f"mongodb://shop:{FIRST}@db.example/x"
    shown = get_exception_reporter_filter(None).get_safe_settings()
    assert FIRST not in str(shown)
    for name in ("DATABASE_URL", "DATABASES", "SECRET_KEY"):
        assert re.fullmatch(r"\*+", shown[name])


def test_a_value_that_begins_with_a_dollar_sign_is_taken_literally():
    assert check(SECRET_KEY="$" + KEY).returncode == 0
    assert check(SECRET_KEY="$PATH").stderr.count("SECRET_KEY is missing, short") == 1


def test_nothing_of_the_environment_is_read_in_its_place(monkeypatch):
    from project.environment import Environment

    monkeypatch.setenv("A", "$B")
    monkeypatch.setenv("B", "other")
    env = Environment()
    assert (env.str("A"), env.list("A"), env.str("A", default="x")) == ("$B", ["$B"], "$B")
    assert os.environ["B"] == env.str("B")
