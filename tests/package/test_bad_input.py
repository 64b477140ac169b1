"""Where something is missing, one sentence names the `pip install` or the setting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.package.terminal import Terminal

SETTINGS = """
INSTALLED_APPS += ["jobs", "batchexec"]
del BASE_DIR
import os
if "DATABASE_URL" in os.environ:
    from jobs import databases
    DATABASES = {"default": databases.parse(os.environ["DATABASE_URL"])}
"""


@pytest.fixture(scope="module")
def shop(bare: Path, terminal: Callable[[], Terminal]) -> Terminal:
    """A project in the environment without any extra."""
    shell = terminal()
    shell.run(f". {bare}/bin/activate && django-admin startproject shop && cd shop")
    with (shell.folder / "shop/shop/settings.py").open("a") as file:
        file.write(SETTINGS)
    return shell


def test_both_packages_are_imported_without_any_extra(shop: Terminal) -> None:
    names = "jobs, jobs.databases, jobs.mongodb, jobs.conf, batchexec, batchexec.conf"
    shop.run(f"python -c 'import {names}'")


def test_a_database_without_what_the_queue_wants_is_warned_of(shop: Terminal) -> None:
    output = shop.run("python manage.py check")
    assert "DATABASES['default']['OPTIONS'] lacks \"transaction_mode\": \"IMMEDIATE\"" in output
    assert "jobs.databases.parse(url)" in output


def test_a_job_is_performed_without_any_extra(shop: Terminal) -> None:
    shop.run("python manage.py migrate && python manage.py jobworker --exit-on-complete")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (
            "python manage.py migrate -v0 && python manage.py jobworker --batch",
            "CommandError: AWS Batch needs boto3: pip install 'django-delayed-batch[batch]'.",
        ),
        (
            "python manage.py migrate -v0 && python manage.py jobworker --metrics-port 19999",
            "CommandError: --metrics-port needs prometheus-client: "
            "pip install 'django-delayed-batch[metrics]'.",
        ),
        (
            "python manage.py batchjobs reconcile",
            "AWS Batch needs boto3: pip install 'django-delayed-batch[batch]'.",
        ),
        (
            "python manage.py batchexec doctor",
            "CommandError: AWS Batch needs boto3: pip install 'django-delayed-batch[batch]'.",
        ),
        (
            "python manage.py localbatch --create",
            "CommandError: moto isn't installed (No module named 'moto'): pip "
            "install 'django-delayed-batch[local]'.",
        ),
        (
            "python manage.py localmongo",
            "CommandError: SecantusDB isn't installed: pip install 'django-delayed-batch[local]'. "
            "If there is no wheel for this Python, use SQLite or a MongoDB of yours.",
        ),
        (
            "DATABASE_URL=mongodb://127.0.0.1:1/shop python manage.py check",
            "DATABASE_URL starts with mongodb://, and django_mongodb_backend isn't installed: "
            "pip install 'django-delayed-batch[mongodb]'.",
        ),
        (
            "DATABASE_URL=postgres://127.0.0.1:1/shop python manage.py check",
            "DATABASE_URL starts with postgres://, and psycopg isn't installed: "
            "pip install 'django-delayed-batch[postgres]'.",
        ),
    ],
)
def test_a_missing_extra_is_one_sentence(shop: Terminal, command: str, sentence: str) -> None:
    last = shop.run(command, status=1).strip().splitlines()[-1]
    assert last.endswith(sentence)


def test_an_app_with_our_label_is_refused_by_name(shop: Terminal) -> None:
    shop.run("mkdir -p shop/jobs && touch shop/jobs/__init__.py")
    setting = "import django.conf as c; c.settings.INSTALLED_APPS {}; import django; django.setup()"
    for change in ("+= ['shop.jobs']", "[:0] = ['shop.jobs']"):
        command = f'DJANGO_SETTINGS_MODULE=shop.settings python -c "{setting.format(change)}"'
        last = shop.run(command, status=1).strip().splitlines()[-1]
        assert "The app 'shop.jobs' has the label 'jobs', which is django-delayed-batch's" in last
        assert "docs/getting-started.md" in last


def test_a_package_that_hides_ours_is_refused_by_its_folder(shop: Terminal) -> None:
    shop.run("mkdir jobs && touch jobs/__init__.py")
    last = shop.run("python manage.py check", status=1).strip().splitlines()[-1]
    shop.run("rm -r jobs")
    assert last.startswith("ImportError: The package `jobs` in ")
    assert "/shop/jobs hides django-delayed-batch's" in last


def test_an_old_django_is_refused_with_the_command_that_helps(shop: Terminal) -> None:
    """pip refuses it; this is for who installed it afterwards."""
    shop.run("pip install --no-deps 'django<5.2'")
    last = shop.run("python manage.py check", status=1).strip().splitlines()[-1]
    shop.run("pip install --upgrade 'django>=5.2'")
    assert last.endswith("is too old for django-delayed-batch: pip install 'django>=5.2'.")
