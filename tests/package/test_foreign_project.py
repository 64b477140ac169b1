"""Projects that aren't like ours.

What docs/getting-started.md says about each is true.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.package import guide
from tests.package.terminal import Terminal


@pytest.fixture
def shop(bare: Path, terminal: Callable[[], Terminal]) -> Terminal:
    """A project of `startproject`, whose files are changed by `write`."""
    shell = terminal()
    shell.run(f". {bare}/bin/activate && django-admin startproject shop && cd shop")
    return shell


def write(shell: Terminal, path: str, text: str) -> None:
    file = shell.folder / "shop" / path
    file.parent.mkdir(exist_ok=True)
    with file.open("a") as opened:
        opened.write(text)


def test_own_users_own_keys_and_a_database_of_the_queues_own(shop: Terminal) -> None:
    shop.run("python manage.py startapp people")
    write(
        shop,
        "people/keys.py",
        "from django.db import models\nclass Key(models.BigAutoField): ...\n",
    )
    write(
        shop,
        "people/models.py",
        "from django.contrib.auth.models import AbstractUser\nclass User(AbstractUser): ...\n",
    )
    write(shop, "shop/routers.py", guide.block("class QueueRouter"))
    write(
        shop,
        "shop/settings.py",
        """
from jobs import databases
INSTALLED_APPS += ["people", "jobs", "batchexec"]
AUTH_USER_MODEL = "people.User"
DEFAULT_AUTO_FIELD = "people.keys.Key"
DATABASES = {
    "default": databases.parse(f"sqlite:///{BASE_DIR}/default.sqlite3"),
    "queue": databases.parse(f"sqlite:///{BASE_DIR}/queue.sqlite3"),
}
DATABASE_ROUTERS = ["shop.routers.QueueRouter"]
""",
    )
    write(
        shop,
        "people/jobs.py",
        """
from dataclasses import dataclass
import jobs
from people.models import User

@dataclass
class Greet(jobs.Performable):
    user: User
    def perform(self):
        print("Hello", self.user.username)
""",
    )
    shop.run("python manage.py makemigrations people && python manage.py migrate")
    shop.run("python manage.py migrate --database queue")
    assert "no issues" in shop.run("python manage.py check")
    shop.run("python manage.py makemigrations --check --dry-run")
    kind = shop.run("""python manage.py shell -v 0 -c '
import jobs
from django.db import transaction
from people.jobs import Greet
from people.models import User
user = User.objects.create(username="Ada")
try:
    with transaction.atomic(using="queue"):
        jobs.enqueue(Greet(user))
        raise LookupError
except LookupError:
    pass
job = jobs.enqueue(Greet(user))
print(type(job._meta.pk).__name__, job._state.db)'""")
    assert kind.split() == ["Key", "queue"]
    performed = shop.run("python manage.py jobworker --exit-on-complete")
    assert performed.count("Hello Ada") == 1  # what was rolled back was never enqueued


def test_a_project_with_an_app_called_jobs_keeps_its_rows_under_another_label(
    shop: Terminal,
) -> None:
    # Its folder hides ours, so to Django it is as if ours weren't installed yet.
    shop.run("python manage.py startapp own && mv own jobs && sed -i s/own/jobs/ jobs/apps.py")
    write(shop, "jobs/models.py", "class Job(models.Model):\n    title = models.TextField()\n")
    write(shop, "shop/settings.py", '\nINSTALLED_APPS += ["jobs"]\n')
    shop.run("python manage.py makemigrations jobs && python manage.py migrate")
    create = "from jobs.models import Job; Job.objects.create(title='cook')"
    shop.run(f'python manage.py shell -v 0 -c "{create}"')

    shop.run(
        "mv jobs careers && rm careers/apps.py && sed -i s/jobs/careers/ careers/migrations/*.py"
    )
    write(shop, "careers/apps.py", guide.block("class CareersConfig"))
    statements = guide.block("UPDATE django_migrations").replace("advert", "job")
    change = f"""
import sqlite3
with sqlite3.connect("db.sqlite3") as database:
    database.executescript({statements!r})
"""
    write(shop, "change.py", change)
    shop.run('python change.py && sed -i \'s/"jobs"/"careers", "jobs"/\' shop/settings.py')
    shop.run("python manage.py makemigrations --check --dry-run && python manage.py migrate")
    count = "from careers.models import Job as J; import jobs; print(J.objects.get().title)"
    assert shop.run(f'python manage.py shell -v 0 -c "{count}"').strip() == "cook"
    shop.run("python manage.py jobworker --exit-on-complete")
